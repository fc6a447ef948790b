"""A Call and both its far ends: a strict upstream (far_upstream.py), and an ear that knows whose audio it hears.

Time moves only by `advance`.
"""

from __future__ import annotations

import itertools
import json
from collections import deque

import numpy as np

from far_upstream import LOUDER, Fail, FarItem, FarUpstream, Hang, Ignore, Part, Refuse, Say, Use, Wire
from rtbridge.bench import sounds
from rtbridge.core import asks, journal, pcm
from rtbridge.core.agent_asks import handle_ask
from rtbridge.core.call import Call, Hangup, Note, Plan, SwitchAgent, ToCaller, ToUpstream
from rtbridge.core.client_events import handle_caller
from rtbridge.core.plan import AppendAudio, Settle, ToGuardrails
from rtbridge.core.server_events import handle_upstream
from rtbridge.core.turns import State

__all__ = [
    "SESSION",
    "Fail",
    "FarItem",
    "FarUpstream",
    "Hang",
    "Ignore",
    "Part",
    "Refuse",
    "Rig",
    "Say",
    "Use",
    "Wire",
]


class Rig:
    """The call in the middle."""

    def __init__(self, *, far: FarUpstream | None = None, plan: Plan | None = None, go: bool = True) -> None:
        self.far = far or FarUpstream()
        self.now = 100.0
        ids = itertools.count(1)
        self.plan = plan or Plan(
            "rtc_1", "demo", "greeter", handoffs={"transfer_to_poet": "poet"}, word_times=True, greet=False
        )
        self.call = Call(self.plan, new_id=lambda prefix: f"{prefix}_b{next(ids)}", now=self.now)
        self.journal: list[journal.Entry] = []
        self.to_caller: list[Wire] = []
        self.to_agents: list[Wire] = []
        self.hangups: list[str] = []
        self.switches: list[str] = []  # agents whose session the shell was asked for
        self.settled: list[Settle] = []  # tool calls that waited for a person, and do no longer
        self.to_check: list[tuple[str, str]] = []  # (item, piece of its text) for the guardrails
        self.heard: list[str | None] = []  # whose audio each 20 ms frame held
        self._wire: deque[Wire] = deque()
        self.voice = Loop(SPEECH)  # what comes from the caller while the upstream hears them
        if go:
            handle_ask(self.call, asks.ConfigureSession(SESSION), self.now)
            self.act()
            self.call.leg_up(self.now)
            self.act()

    def act(self) -> None:
        """Carry out what the call wants, both ways, until nobody has anything left to say."""
        self._carry_out()
        self.upstream()

    def _carry_out(self) -> None:
        while (action := self.call.next_action()) is not None:
            match action:
                case ToUpstream(event):
                    self._wire.extend(self.far.take(event))
                case AppendAudio(chunk):
                    self.far.append(chunk)
                case ToCaller(event):
                    self.to_caller.append(event)
                case Note(entry):
                    self.journal.append(entry)
                case SwitchAgent(agent):
                    self.switches.append(agent)
                case Hangup(reason):
                    self.hangups.append(reason)
                case Settle():
                    self.settled.append(action)
                case ToGuardrails(item_id, text):
                    self.to_check.append((item_id, text))

    def upstream(self, *events: Wire) -> None:
        """Let the upstream say something; what it sent before comes first, as on any wire."""
        self._wire.extend(events)
        while self._wire:
            event = self._wire.popleft()
            if handle_upstream(self.call, event, self.now):
                self.to_agents.append(event)
            self._carry_out()

    def said(self) -> bytes:
        """Return the next 20 ms that the caller says."""
        return self.voice.frame() if self.far.speaking else pcm.SILENT_FRAME

    def hear(self, chunk: bytes) -> None:
        """Let the caller's microphone give its next samples."""
        for part in self.call.hear(chunk, self.now):
            self.far.append(part)
        self.act()

    def client(self, event: Wire | str) -> None:
        """Let the caller's side send a data-channel message."""
        handle_caller(self.call, event if isinstance(event, str) else json.dumps(event), self.now)
        self.act()

    def ask(self, ask: asks.Ask) -> None:
        """Let the agents ask for something."""
        handle_ask(self.call, ask, self.now)
        self.act()

    def advance(self, ms: int) -> None:
        """Let time pass: 20 ms frames pulled and heard, upstream generating, timers firing."""
        for _ in range(ms // pcm.FRAME_MS):
            self.now += pcm.FRAME_MS / 1000
            self.upstream(*self.far.generate(pcm.FRAME_MS))
            self.hear(self.said())
            frame = self.call.pull(pcm.FRAME_SAMPLES, self.now)
            assert len(frame) == pcm.FRAME_BYTES
            tag = int.from_bytes(frame[:2], "little")
            self.heard.append(self.far.tags.get(tag - LOUDER))
            deadline = self.call.deadline()
            if deadline is not None and deadline <= self.now:
                self.call.handle_timer(self.now)
            self.act()

    def speak(self, ms: int = 600, *, text: str = "hello") -> str:
        """Let the caller say something of `ms`; the turn is committed at its end. Returns the item's id."""
        item_id = self.far.new_id("item")
        self.start_speaking(item_id)
        self.advance(ms)
        self.stop_speaking(item_id, text)
        return item_id

    def start_speaking(self, item_id: str = "u") -> None:
        """The upstream's turn detection hears the caller begin: so late that nobody can doubt that they speak."""
        for _ in range(SURE_MS // pcm.FRAME_MS):
            self.call.hear(self.voice.frame(), self.now)
        self.begin_sound(item_id)

    def begin_sound(self, item_id: str = "u") -> None:
        """The upstream's turn detection says that there is speech, whatever it may be."""
        self.far.speaking = True
        self.upstream({"type": "input_audio_buffer.speech_started", "item_id": item_id, "audio_start_ms": 0})

    def stop_speaking(self, item_id: str = "u", text: str = "hello") -> None:
        """... and end; the turn is committed and transcribed."""
        end_ms = pcm.ms_of_samples(self.call.uplink.sent_samples)
        self.upstream(
            {"type": "input_audio_buffer.speech_stopped", "item_id": item_id, "audio_end_ms": end_ms}
        )
        self.far.speaking = False
        self.far.items[item_id] = FarItem("message", "user", text)
        self.upstream({"type": "input_audio_buffer.committed", "item_id": item_id})
        item = {
            "id": item_id,
            "type": "message",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        self.upstream({"type": "conversation.item.added", "item": item})
        self.upstream(
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": item_id,
                "content_index": 0,
                "transcript": text,
            }
        )

    def sent(self, kind: str) -> list[Wire]:
        """Return the client events of one type that the upstream got."""
        return [event for event in self.far.received if event["type"] == kind]

    def run_tools(self, output: str = "done") -> None:
        """Let every tool that the model called return."""
        for call_id in list(self.call.tools):
            self.ask(asks.ToolOutput(call_id, output))

    def hand_off(self, instructions: str = "You are a poet.") -> None:
        """Let the agents carry out the handoff that the model called: session first, then the output."""
        handoff = self.call.handover.pending
        assert handoff is not None
        assert handoff.call_id is not None
        self.ask(asks.ConfigureSession({"type": "realtime", "instructions": instructions}))
        self.ask(asks.ToolOutput(handoff.call_id, '{"assistant": "poet"}'))

    def write(self, text: str, item_id: str | None = None) -> None:
        """Let the caller write something and ask for an answer, as the page does."""
        item: Wire = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        if item_id is not None:
            item["id"] = item_id
        self.client({"type": "conversation.item.create", "event_id": "c_item", "item": item})
        self.client({"type": "response.create", "event_id": "c_create"})

    def turn(self) -> State:
        """Whose turn it is."""
        return self.call.turns.state

    @property
    def cleared(self) -> int:
        """How often the upstream was asked to forget what it hears."""
        return len(self.sent("input_audio_buffer.clear"))

    @property
    def creates(self) -> int:
        """How many responses the upstream was asked for."""
        return len(self.sent("response.create"))

    def causes(self) -> list[str]:
        """Why each response was asked for, in order."""
        return [entry.cause for entry in self.journal if isinstance(entry, journal.ResponseRequested)]

    def entries(self, *kinds: type[journal.Entry]) -> list[journal.Entry]:
        """Return the journal's entries of these kinds."""
        return [entry for entry in self.journal if isinstance(entry, kinds)]

    def told(self, kind: str) -> list[Wire]:
        """Return the events of one type that went to the caller."""
        return [event for event in self.to_caller if event["type"] == kind]


class Loop:
    """A sound, 20 ms by 20 ms, again and again."""

    def __init__(self, sound: bytes) -> None:
        self._frames = itertools.cycle(
            sound[at : at + pcm.FRAME_BYTES]
            for at in range(0, len(sound) - pcm.FRAME_BYTES + 1, pcm.FRAME_BYTES)
        )

    def frame(self) -> bytes:
        """Return the next 20 ms."""
        return next(self._frames)


SURE_MS = 900
SPEECH = sounds.at_level(sounds.babble(np.random.default_rng(1), 4_000), -24)

SESSION: Wire = {
    "type": "realtime",
    "model": "test",
    "instructions": "Be brief.",
    "tools": [],
    "audio": {
        "input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 500}},
        "output": {"voice": "sage"},
    },
}
