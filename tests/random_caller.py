"""A caller and the agents' side who do anything at any time, for whole calls at random."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from rig import SPEECH, Fail, Hang, Ignore, Loop, Part, Refuse, Rig, Say, Use
from rtbridge.bench import sounds
from rtbridge.core import asks, dtmf, pcm
from rtbridge.core.plan import Plan
from rtbridge.core.races import ALREADY_ACTIVE

COUGH = sounds.at_level(sounds.cough(np.random.default_rng(7))[: pcm.samples_of_ms(260)], -22)
WORD = sounds.at_level(sounds.babble(np.random.default_rng(3), 260), -22)
ANSWERS: list[list[Part]] = [
    [Say("Certainly, here it is.", 900)],
    [Say("Yes.", 300)],
    [Say("Let me see.", 500), Say("It is on its way to you.", 1300)],
    [Say("One moment.", 600), Use("look_up")],
    [Use("look_up"), Use("price")],
    [Use("price")],
    [Say("I will put you through.", 700), Use("transfer_to_poet")],
    [Use("transfer_to_poet"), Use("look_up")],
    [Use("transfer_to_greeter"), Say("And that was all.", 600)],
    [Use("transfer_to_poet"), Use("transfer_to_greeter")],
]
PLAN = Plan(
    "rtc_1",
    "demo",
    "greeter",
    agents=("greeter", "poet"),
    handoffs={"transfer_to_poet": "poet", "transfer_to_greeter": "greeter"},
    word_times=True,
    greet=False,
)
MOODS: list[list[Part]] = [
    [Fail()],
    [Say("I th", 300), Fail()],
    [Fail("insufficient_quota")],
    [Say("And then", 500), Fail(status="incomplete")],
    [Hang()],
    [Say("Well", 200), Hang()],
    [Refuse(ALREADY_ACTIVE)],
    [Refuse("server_error")],
    [Ignore()],
]


@dataclass
class Caller:
    """A caller and the agents' side, both at random."""

    rig: Rig
    chance: random.Random
    moody: bool
    speaking: str = ""
    cleared: int = 0
    coughs: int = 0  # that the upstream made turns of, which nobody heard of
    stops_at: int = 0
    turns: dict[str, bool] = field(default_factory=dict)  # item -> whether it must have been answered
    tools: dict[str, int] = field(default_factory=dict)  # call_id -> when its output comes
    known: set[str] = field(default_factory=set)
    switches: deque[tuple[int, str]] = field(default_factory=deque)  # when the page's wish is carried out
    switched: int = 0
    keys: bool = False  # the caller has a keypad
    pressed: str = ""

    def speak(self, at: int, *, more: bool) -> None:
        """Begin or end to speak, or to cough."""
        rig, chance = self.rig, self.chance
        if self.speaking and rig.cleared > self.cleared:  # the bridge had a cough forgotten
            rig.far.speaking, self.speaking = False, ""
        self.cleared = rig.cleared
        if self.speaking and at >= self.stops_at:
            rig.stop_speaking(self.speaking, "so")
            heard_of = self.speaking not in rig.call.deciding.discarded
            self.coughs += not heard_of
            assert heard_of == (self.speaking in rig.far.items)
            if heard_of:
                self.turns[self.speaking] = True
            self.speaking = ""
        elif more and not self.speaking and chance.random() < 0.012:
            self.speaking, self.stops_at = rig.far.new_id("item"), at + chance.randrange(60, 900, 20)
            if chance.random() < 0.5:
                rig.voice = Loop(SPEECH)
                rig.start_speaking(self.speaking)
            else:
                rig.voice = Loop(chance.choice((COUGH, WORD)) + pcm.silence(pcm.RATE))
                rig.begin_sound(self.speaking)

    def step(self, at: int, *, more: bool) -> None:
        """One tick of 20 ms at `at` ms; `more` says that new things may begin."""
        rig, chance = self.rig, self.chance
        self.speak(at, more=more)
        if more and chance.random() < 0.02:
            self.act()
        for call_id in rig.call.tools:
            if call_id not in self.known:
                self.known.add(call_id)
                self.tools[call_id] = at + chance.choice([0, 20, 100, 400, 1500])
        for call_id in [one for one, due in self.tools.items() if due <= at]:
            del self.tools[call_id]
            handoff = rig.call.handover.pending
            if handoff is not None and handoff.call_id == call_id and not handoff.configured:
                rig.ask(asks.ConfigureSession({"type": "realtime", "instructions": "You are a poet."}))
                self.tools[call_id] = at + chance.choice([0, 0, 60])
            else:
                rig.ask(asks.ToolOutput(call_id, "{}"))
        for agent in rig.switches[self.switched :]:
            self.switches.append((at + chance.choice([0, 60, 300]), agent))
        self.switched = len(rig.switches)
        while self.switches and self.switches[0][0] <= at:
            self.carry_out(self.switches.popleft()[1])
        pending, creates = rig.call.handover.pending, rig.creates
        rig.advance(20)
        if pending is not None and not pending.answered and rig.call.handover.pending is pending:
            assert rig.creates == creates, "the old agent was asked for words after its handoff was decided"

    def carry_out(self, agent: str) -> None:
        """Let the agents do what the page wants, or fail to."""
        if self.chance.random() < 0.2:
            self.rig.ask(asks.SwitchFailed(agent, "no session"))
        else:
            session = {"type": "realtime", "instructions": f"You are the {agent}."}
            self.rig.ask(asks.ConfigureSession(session, agent))

    def act(self) -> None:
        """Let the caller's side or the agents do something else than speak."""
        rig, chance = self.rig, self.chance
        if self.keys and chance.random() < 0.4:
            key = chance.choice("12345#")
            self.pressed += key
            dtmf.press(rig.call, key, rig.now, by="media")
            rig.act()
            return
        match chance.choice(
            ["write", "write", "cancel", "clear", "stop", "update", "say", "suspend", "forget", "switch"]
        ):
            case "write":
                item_id = rig.far.new_id("item")
                rig.write("and this", item_id)
                self.turns[item_id] = True
            case "switch":
                rig.client({"type": "rtbridge.agent.switch", "agent": chance.choice(["greeter", "poet"])})
            case "say":
                rig.ask(asks.UserText("guardrail"))
            case "cancel":
                rig.client({"type": "response.cancel", "event_id": "c_cancel"})
            case "clear":
                rig.client({"type": "output_audio_buffer.clear"})
                self.superseded()
            case "stop":
                rig.ask(asks.StopSpeaking())
                self.superseded()
            case "update":
                detection = {"type": "server_vad", "silence_duration_ms": chance.randrange(200, 900)}
                rig.client(
                    {"type": "session.update", "session": {"audio": {"input": {"turn_detection": detection}}}}
                )
            case "suspend":
                rig.call.leg_suspended("no RTP", rig.now)
                rig.advance(chance.randrange(20, 200, 20))
                rig.call.leg_resumed(100)
            case "forget" if self.speaking:
                rig.far.speaking = False
                self.speaking = ""
                rig.upstream({"type": "input_audio_buffer.cleared"})

    def superseded(self) -> None:
        """What was not answered until now need not be."""
        self.turns = dict.fromkeys(self.turns, False)
