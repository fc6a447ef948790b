"""Turns whose every stage takes what a test says, in a call that the caller records (recorded_gap.py).

The caller is recorded human speech, and so is the agent. The upstream has ears of its own and takes its time;
guardrails take theirs, and so do tools.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np

from moderation_rig import ListModel
from recorded_gap import AUDIBLE, Recording, recordings
from rtbridge.agents.scenario import Scenario
from rtbridge.core import journal, pcm
from rtbridge.core.leg import LegGone, LegUp
from rtbridge.core.playout import Playout
from rtbridge.core.turns import State
from rtbridge.session import Session
from rtbridge.settings import Settings
from rtbridge.upstream.port import Capabilities
from scripted_engine import numbered_ids
from session_rig import TestLeg

CALLER_SAYS: Final = "hello there"
AGENT_SAYS: Final = "All is well here. "  # the first of two sentences, so that it is checked alone
AND_SAYS: Final = "What else?"
FRAME_S: Final = pcm.FRAME_MS / 1000
PIECE_BYTES: Final = 10 * pcm.FRAME_BYTES  # of the agent's audio, in one event
UPSTREAM_WAITS_MS: Final = 360  # of silence, before a turn is over

DESK = '''"""A desk whose tool takes as long as it is told."""

import asyncio

from agents import function_tool
from agents.realtime import RealtimeAgent


@function_tool
async def look_up(ms: int) -> str:
    """Look something up."""
    await asyncio.sleep(ms / 1000)
    return "found"


start = RealtimeAgent(name="desk", instructions="You are the desk.", tools=[look_up])
'''


@dataclass
class Delays:
    """What each stage of a turn takes, in ms, beside what it takes anyway."""

    endpoint: float = 0.0
    commit: float = 0.0
    request: float = 0.0  # until the caller's words are cleared
    tools: float = 0.0  # of a tool that is called first
    created: float = 0.0
    model: float = 0.0
    gate: float = 0.0
    playout: float = 0.0
    lead: float = 0.0
    wire: float = 0.0
    speedup: float = 8.0  # of the model, over its voice


# -- the far ends -----------------------------------------------------------------------------------------------
class SlowModel(ListModel):
    """A classifier that takes as long for the caller's words, and for the agent's, as the turn says."""

    def __init__(self, delays: Delays) -> None:
        super().__init__(self._wait)
        self._delays = delays

    async def _wait(self, text: str) -> None:
        await asyncio.sleep((self._delays.request if text == CALLER_SAYS else self._delays.gate) / 1000)


class LatePlayout(Playout):
    """Holds the first sample of each item back for a while."""

    def __init__(self, delays: Delays) -> None:
        super().__init__()
        self._delays = delays
        self._waited: dict[str, int] = {}

    def pull(self, samples: int) -> bytes:
        item = self._items[0] if self._items else None
        if item is not None and not item.pulled and (item.limit is None or item.limit > 0):
            waited = self._waited[item.item_id] = self._waited.get(item.item_id, 0) + samples
            if waited <= pcm.samples_of_ms(self._delays.playout):
                return pcm.silence(samples)
        return super().pull(samples)


@dataclass
class _Ears:
    """Turn detection by level: 3 loud pieces of 20 ms are speech, and quiet for long enough is its end."""

    loud: int = 0
    quiet_ms: int = 0
    speaking: bool = False

    def hear(self, chunk: bytes) -> str | None:
        line = np.frombuffer(chunk, "<i2").astype(np.float64)
        is_loud = bool(np.sqrt(np.mean(line * line)) > 1.5 * AUDIBLE)
        self.loud = self.loud + 1 if is_loud else 0
        self.quiet_ms = 0 if is_loud else self.quiet_ms + pcm.ms_of_samples(len(line))
        if not self.speaking and self.loud == 3:
            self.speaking = True
            return "started"
        if self.speaking and self.quiet_ms >= UPSTREAM_WAITS_MS:
            self.speaking = False
            return "stopped"
        return None


@dataclass
class DelayedUpstream:
    """A Realtime server that answers each turn with recorded speech and takes its time (`upstream.port.Upstream`)."""

    delays: Delays
    voices: deque[bytes] = field(default_factory=deque)  # what the agent says, turn by turn, again and again
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(word_times=True))
    url: str = "memory:delays"

    def __post_init__(self) -> None:
        self._events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._ears = _Ears()
        self._heard_samples = 0
        self._by_hand = False  # turns are the client's to find
        self._number = 0
        self._due_s = 0.0

    async def connect(self) -> None:
        """Be there."""

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        self._events.put_nowait(None)

    def _say(self, *events: dict[str, Any], after_ms: float = 0.0) -> None:
        """Say something so much after what was said before it."""
        loop = asyncio.get_running_loop()
        self._due_s = max(self._due_s, loop.time()) + after_ms / 1000
        for event in events:
            loop.call_at(self._due_s, self._events.put_nowait, event)

    def send_audio(self, pcm_: bytes) -> int:
        self._heard_samples += pcm.samples_of(pcm_)
        heard = None if self._by_hand else self._ears.hear(pcm_)
        end_ms, buffer = pcm.ms_of_samples(self._heard_samples), "input_audio_buffer"
        if heard == "started":
            item_id = self._item("u")
            self._say({"type": f"{buffer}.speech_started", "item_id": item_id, "audio_start_ms": end_ms})
        elif heard == "stopped":
            item_id = f"u{self._number}"
            stopped = {"type": f"{buffer}.speech_stopped", "item_id": item_id, "audio_end_ms": end_ms}
            self._say(stopped, after_ms=self.delays.endpoint)
            self._commit(item_id)
        return 0

    def _commit(self, item_id: str) -> None:
        committed = {"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": None}
        item: dict[str, Any] = {"id": item_id, "type": "message", "role": "user", "status": "completed"}
        item |= {"content": [{"type": "input_audio", "transcript": None}]}
        added = {"type": "conversation.item.added", "item": item}
        self._say(committed, added, after_ms=self.delays.commit)
        kind = "conversation.item.input_audio_transcription.completed"
        self._say({"type": kind, "item_id": item_id, "content_index": 0, "transcript": CALLER_SAYS})

    def send(self, event: Mapping[str, Any]) -> None:
        kind = event["type"]
        if kind == "session.update":
            given = event["session"].get("audio", {}).get("input", {})
            if "turn_detection" in given:
                self._by_hand = given["turn_detection"] is None
            self._say({"type": "session.updated", "session": dict(event["session"])})
        elif kind == "input_audio_buffer.clear":
            self._say({"type": "input_audio_buffer.cleared"})
        elif kind == "input_audio_buffer.commit":
            self._commit(self._item("u"))
        elif kind == "conversation.item.create":
            item = {"id": self._item("i"), "status": "completed", **event["item"]}
            self._say(
                {"type": "conversation.item.added", "item": item},
                {"type": "conversation.item.done", "item": item},
            )
        elif kind == "response.create":
            self._respond(event.get("response") or {})

    def _item(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}{self._number}"

    def _respond(self, options: Mapping[str, Any]) -> None:
        aside = options.get("conversation") == "none"
        response_id = self._item("r")
        tool_ms, self.delays.tools = (0.0, self.delays.tools) if aside else (self.delays.tools, 0.0)
        born = {"id": response_id, "object": "realtime.response", "status": "in_progress", "output": []}
        self._say({"type": "response.created", "response": born}, after_ms=self.delays.created)
        if tool_ms:
            call_id, item_id = self._item("c"), self._item("i")
            item = {"id": item_id, "type": "function_call", "call_id": call_id, "name": "look_up"}
            item |= {"status": "completed", "arguments": f'{{"ms": {round(tool_ms)}}}'}
            self._say(
                {
                    "type": "response.output_item.done",
                    "response_id": response_id,
                    "output_index": 0,
                    "item": item,
                }
            )
        else:
            self._speak(response_id, str(options["instructions"]).split('"')[1] if aside else AGENT_SAYS)
        self._say({"type": "response.done", "response": {**born, "status": "completed"}})

    def _speak(self, response_id: str, text: str) -> None:
        item_id = self._item("a")
        self.voices.rotate(-1)
        sound = pcm.silence(pcm.samples_of_ms(self.delays.lead)) + self.voices[-1]
        ids = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
        item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        added = {
            "type": "response.output_item.added",
            "response_id": response_id,
            "output_index": 0,
            "item": item,
        }
        self._say(added, {"type": "conversation.item.added", "item": item}, after_ms=self.delays.model)
        delta = {"type": "response.output_audio_transcript.delta", **ids}
        self._say({**delta, "delta": text})
        for at in range(0, len(sound), PIECE_BYTES):
            piece = base64.b64encode(sound[at : at + PIECE_BYTES]).decode()
            pace_ms = 200 / self.delays.speedup if at else 0.0
            self._say({"type": "response.output_audio.delta", **ids, "delta": piece}, after_ms=pace_ms)
            if at <= len(sound) // 2 < at + PIECE_BYTES:
                self._say({**delta, "delta": AND_SAYS})
        text += AND_SAYS
        self._say(
            {"type": "response.output_audio.done", **ids},
            {"type": "response.output_audio_transcript.done", **ids, "transcript": text},
            {
                "type": "response.output_item.done",
                "response_id": response_id,
                "output_index": 0,
                "item": {
                    **item,
                    "status": "completed",
                    "content": [{"type": "output_audio", "transcript": text}],
                },
            },
        )


# -- one call on the virtual clock ------------------------------------------------------------------------------
MIC_PHASE_S: Final = 0.007  # the two sides' frames do not begin together


class WaterfallCall:
    """A session, the far ends above, and a caller who says one thing after the other and records it all."""

    def __init__(
        self, scenario: Scenario, *, seed: int, hears_first: bool = True, noise: float = 0.0
    ) -> None:
        """`noise` is the level of the caller's room, as RMS of samples; below -50 dBFS nobody hears it."""
        self.random = random.Random(seed)
        self.delays = Delays()
        self.leg = TestLeg()
        self.recording = Recording()
        self.turns: list[journal.TurnEnded] = []
        self.jitter_ms = 0.0  # of the caller's packets, in order
        voices = deque(self.random.sample(recordings(), 8))
        self._noise = np.random.default_rng(seed).normal(0, noise, 3 * pcm.RATE).astype("<i2").tobytes()
        self._saying = bytearray()
        self._pulled = asyncio.Event()
        self._judge = SlowModel(self.delays)
        ids = numbered_ids()
        self.session = Session(
            call_id="rtc_1",
            scenario=scenario,
            agent=scenario.start,
            leg=self.leg,
            upstream=DelayedUpstream(self.delays, voices),
            settings=Settings(max_call_s=1_800, moderation_first=hears_first),
            record=self._note,
            new_id=ids,
            text_model=lambda name: self._judge,
        )
        self.session.call.speech.playout = LatePlayout(self.delays)

    def _note(self, call_id: str, at_ms: int, entry: journal.Entry) -> None:
        if isinstance(entry, journal.TurnEnded):
            self.turns.append(entry)

    @asynccontextmanager
    async def up(self) -> AsyncIterator[Self]:
        """Run the call."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.session.run())
            self.leg.inbox.put_nowait(LegUp())
            roads = [tasks.create_task(road()) for road in (self._speaker, self._microphone)]
            await asyncio.sleep(0.2)
            await self._until(lambda: self._rests)  # it greets
            yield self
            for road in roads:
                road.cancel()
            self.leg.inbox.put_nowait(LegGone("the caller hung up"))

    @property
    def _rests(self) -> bool:
        call = self.session.call
        return (
            call.turns.state is State.LISTENING
            and not call.arbiter.busy
            and call.speech.playout.playing is None
        )

    async def turn(self, sound: bytes, **delays: float) -> tuple[journal.TurnEnded, float]:
        """Say something and hear the answer to its end; return what the bridge tells of it, and what was recorded."""
        for name, delay in vars(Delays(**delays)).items():
            setattr(self.delays, name, delay)
        before, first = len(self.turns), len(self.recording.said)
        self._saying += sound
        await self._until(lambda: len(self.turns) > before and self._rests)
        (turn,) = self.turns[before:]
        begin = first // pcm.SAMPLE_BYTES
        return turn, self.recording.respond_ms(begin, begin + pcm.samples_of(sound) + pcm.FRAME_SAMPLES)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._pulled.clear()
            await self._pulled.wait()

    async def _microphone(self) -> None:
        """Give the bridge each frame once it was said: sample n of the recording is said at n / 24,000 s."""
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        for frame in itertools.count():
            said = bytes(self._saying[: pcm.FRAME_BYTES]).ljust(pcm.FRAME_BYTES, b"\0")
            del self._saying[: pcm.FRAME_BYTES]
            at = frame * pcm.FRAME_BYTES % len(self._noise)
            said = (
                np.frombuffer(said, "<i2") + np.frombuffer(self._noise[at : at + pcm.FRAME_BYTES], "<i2")
            ).tobytes()
            self.recording.said += said
            jitter_s = self.random.uniform(0.0, self.jitter_ms) / 1000
            await asyncio.sleep(max(0.0, begin_s + (frame + 1) * FRAME_S + jitter_s - loop.time()))
            self.leg.hear(said)

    async def _speaker(self) -> None:
        """Hear each frame as long after it was pulled as the wire takes."""
        loop = asyncio.get_running_loop()
        begin_s = loop.time() + MIC_PHASE_S
        for frame in itertools.count():
            await asyncio.sleep(max(0.0, begin_s + frame * FRAME_S - loop.time()))
            chunk = self.leg.pull(pcm.FRAME_SAMPLES)
            self.leg.wire_ms = self.delays.wire
            self._pulled.set()
            self.recording.hear(chunk, loop.time() - begin_s + MIC_PHASE_S + self.delays.wire / 1000)
