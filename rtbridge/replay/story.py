"""A story: one call as data. What the caller does, when, and what is expected of the answer.

A turn begins at an anchor in HEARD audio: `call_start` (the first sample heard), `agent_speech_start` and
`agent_speech_end` (of what is heard after the caller's turn before), `turn_end` (the end of the caller's turn
before) and `handoff` (the first sound heard of an agent that was handed to); and at `approval`, when the page is
told that a tool call waits for one. What a turn does is one of

    say     a file of audio            noise   a file of audio that asks for no answer
    text    words, spoken by a voice   type    words, typed at the page
    press   keys of a telephone, one every 200 ms, as its media carries them (RFC 4733)
    switch  another agent is picked at the page (event rtbridge.agent.switch): it takes over and speaks
    approve true or false: the page's answer to the tool call that waits longest (events rtbridge.tool.approve, .reject)

`read_story.py` makes stories.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from rtbridge.engine.faults import Fault
from rtbridge.replay.sound import Sound
from rtbridge.rtc.impair import Profile

DEFAULT_DELAY_MS: Final = 300


class Anchor(Enum):
    """What a turn waits for."""

    CALL_START = "call_start"
    AGENT_SPEECH_START = "agent_speech_start"
    AGENT_SPEECH_END = "agent_speech_end"
    TURN_END = "turn_end"
    HANDOFF = "handoff"
    APPROVAL = "approval"


class NoiseKind(Enum):
    """What a noise is: metrics count them apart."""

    COUGH = "cough"
    LAUGH = "laugh"
    TYPING = "typing"
    BACKCHANNEL = "backchannel"  # "mhm", "right": the caller listens
    NON_DIRECTED = "non_directed"  # speech that is meant for somebody else


@dataclass(frozen=True, slots=True)
class Start:
    """A turn starts `delay_ms` after its anchor, or as soon as the anchor is certain, if that is later."""

    after: Anchor = Anchor.AGENT_SPEECH_END
    delay_ms: int = DEFAULT_DELAY_MS


@dataclass(frozen=True, slots=True)
class TurnExpect:
    """What is expected of the agent after one turn. None is no expectation. Patterns ignore case."""

    respond_within_ms: int | None = None
    heard: str | None = None  # a pattern found in what was heard of the answer
    agent: str | None = None  # who speaks the answer
    stop_within_ms: int | None = None
    truncate_error_ms: int | None = None
    unheard_in_context: bool | None = None
    ignore: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that the caller does. Exactly one of `sound`, `typed`, `switch`, `approve` and `press` is there."""

    id: str
    line: int  # where the story has it
    sound: Sound | None
    typed: str | None
    is_noise: bool  # a sound that asks for no answer
    start: Start
    expect: TurnExpect
    switch: str | None = None  # the agent that is picked at the page
    approve: bool | None = None  # the page's answer to a tool call that waits for one
    press: str | None = None  # keys: 0-9, *, #, A-D
    words: str | None = None  # what a sound says, where the story tells it
    kind: NoiseKind | None = None  # of a noise

    @property
    def label(self) -> str:
        """Return what is done, in a few words."""
        if self.switch is not None:
            return f"switch to {self.switch}"
        if self.approve is not None:
            return "approve" if self.approve else "reject"
        if self.press is not None:
            return f"press {self.press}"
        return self.typed or "" if self.sound is None else self.sound.label


@dataclass(frozen=True, slots=True)
class ToolExpect:
    """A tool call: its name, arguments of which it must have at least these, and how long it may be silent then."""

    name: str
    args: Mapping[str, Any]
    dead_air_ms: int | None = None


@dataclass(frozen=True, slots=True)
class GuardrailExpect:
    """A guardrail that trips over what an agent says, and how much of the words it tripped over may be heard."""

    tripped: str  # OFFENSIVE | OFF_BRAND | VIOLENCE, or a guardrail's name
    audible_ms: int | None = None


@dataclass(frozen=True, slots=True)
class EffectExpect:
    """How often a tool changed the world, exactly."""

    tool: str
    count: int


@dataclass(frozen=True, slots=True)
class TranscriptExpect:
    """A pattern that what was heard of one side must hold, or must never hold."""

    who: str  # agent | caller
    like: str | None
    never: str | None


@dataclass(frozen=True, slots=True)
class CallExpect:
    """What is expected of the whole call. None is no expectation."""

    handoffs: tuple[str, ...] | None = None
    tools: tuple[ToolExpect, ...] | None = None
    effects: tuple[EffectExpect, ...] | None = None  # tools that are not named have none
    guardrail: GuardrailExpect | None = None
    transcript: tuple[TranscriptExpect, ...] = ()
    ended: str | None = None  # a pattern found in the reason of the call's end


@dataclass(frozen=True, slots=True)
class Budget:
    """What the call may cost. None is no limit."""

    bridge_added_p95_ms: float | None = None
    underruns: int | None = None
    protocol_errors: int | None = None
    leaked_tasks: int | None = None
    delivered_pct: float | None = None  # of the caller's time line, by the bridge's media.counted; wire only


@dataclass(frozen=True, slots=True)
class Media:
    """How the caller's leg is carried over the wire; the virtual road carries samples and ignores it with a note.

    But for `push_to_talk`, which is the caller's own: on both roads turns are made with a button, pressed a little
    late and let go a little early, and noises are made without it.
    """

    codec: str | None = None  # None: opus, unsaid
    net: Profile | None = None
    push_to_talk: bool = False


class UpstreamKind(Enum):
    """What answers a story."""

    ENGINE = "engine"
    CASSETTE = "cassette"  # a recording of an upstream, on the virtual clock
    OPENAI = "openai"  # in real time
    URL = "ws"  # any compatible one, in real time


@dataclass(frozen=True, slots=True)
class UpstreamChoice:
    """Which upstream a story is played against."""

    kind: UpstreamKind = UpstreamKind.ENGINE
    line: int = 1  # where the story has it
    file: Path | None = None  # of a cassette
    url: str = ""

    @property
    def in_real_time(self) -> bool:
        """Say whether it answers in its own time: the virtual clock cannot wait for the world."""
        return self.kind in (UpstreamKind.OPENAI, UpstreamKind.URL)


@dataclass(frozen=True, slots=True)
class Story:
    """One call."""

    file: Path
    name: str
    scenario: str
    agent: str | None  # None: where the scenario starts
    turns: tuple[Turn, ...]
    expect: CallExpect
    budget: Budget
    faults: tuple[Fault, ...] = ()  # of the upstream; virtual road only
    upstream: UpstreamChoice = UpstreamChoice()
    media: Media = Media()
    stays_ms: int = 0  # the caller stays on the line at least so long
