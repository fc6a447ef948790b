"""What tests of replays stand on: a scripted agent (tones and digital silence), stories, and results of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtbridge.core import pcm
from rtbridge.core.journal import LATENCY_PARTS
from rtbridge.engine.parts import EngineParts, Say
from rtbridge.replay import stage
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.result import Logged, RunResult
from rtbridge.replay.script import Message, Script
from rtbridge.replay.sound import Sound
from rtbridge.replay.story import Anchor, Budget, CallExpect, Start, Story, Turn, TurnExpect
from scripted_engine import scripted
from session_rig import scenario_in


def tone(ms: int, *, level: int = 6000, hz: int = 300) -> bytes:
    t = np.arange(pcm.samples_of_ms(ms)) / pcm.RATE
    return (level * np.cos(2 * np.pi * hz * t)).astype("<i2").tobytes()


def quiet(ms: int) -> bytes:
    return pcm.silence(pcm.samples_of_ms(ms))


def turn(
    turn_id: str,
    *,
    after: Anchor = Anchor.AGENT_SPEECH_END,
    delay_ms: int = 300,
    ms: int = 400,
    typed: str | None = None,
    switch: str | None = None,
    is_noise: bool = False,
    expect: TurnExpect | None = None,
) -> Turn:
    sound = None if typed or switch else Sound(turn_id, tone(ms, hz=500))
    start = Start(after, delay_ms)
    return Turn(turn_id, 1, sound, typed, is_noise, start, expect or TurnExpect(), switch)


def story(*turns: Turn, expect: CallExpect | None = None, budget: Budget | None = None) -> Story:
    return Story(
        Path("story.toml"), "a story", "simple", None, turns, expect or CallExpect(), budget or Budget()
    )


class Agent:
    """Speaks a tone over each of the given spans (in ms of the call)."""

    def __init__(self, spans: Sequence[tuple[int, int]], *, total_ms: int = 60_000) -> None:
        track = bytearray(quiet(total_ms))
        for start_ms, end_ms in spans:
            at = pcm.samples_of_ms(start_ms) * pcm.SAMPLE_BYTES
            speech = tone(end_ms - start_ms)
            track[at : at + len(speech)] = speech
        self.track = bytes(track)

    def frame(self, n: int) -> bytes:
        at = n * pcm.FRAME_BYTES
        return self.track[at : at + pcm.FRAME_BYTES].ljust(pcm.FRAME_BYTES, b"\0")


def run(script: Script, agent: Agent, *, ms: int = 60_000) -> None:
    for n in range(ms // pcm.FRAME_MS):
        if script.is_over:
            return
        script.tick(agent.frame(n))


def starts_ms(script: Script) -> list[int]:
    return [pcm.ms_of_samples(played.start) for played in script.played]


def logged(at_ms: int, event: str, **fields: Any) -> Logged:
    return Logged(at_ms, event, {key.rstrip("_"): value for key, value in fields.items()})


def item_heard(
    start_ms: int, heard_ms: int, text: str, *, item: str = "item_1", total_ms: int = 0, unheard: str = ""
) -> Logged:
    return logged(
        start_ms + heard_ms,
        "item.heard",
        item_id=item,
        heard_ms=heard_ms,
        total_ms=total_ms or heard_ms,
        heard_text=text,
        unheard_text=unheard,
    )


def turn_ended(at_ms: int, *, item: str = "item_1", agent: str = "greeter", respond_ms: int = 600) -> Logged:
    parts = dict.fromkeys(LATENCY_PARTS, 0) | {"endpoint_ms": respond_ms - 20, "playout_ms": 20}
    return logged(at_ms, "turn.ended", item_id=item, agent=agent, respond_ms=respond_ms, **parts)


def played_through(
    story: Story,
    spans: Sequence[tuple[int, int]],
    journal: Sequence[Logged] = (),
    *,
    messages: Sequence[Message] = (),
    made: Mapping[str, bytes] | None = None,
    **rest: Any,
) -> RunResult:
    """Return the result of a call in which the agent was audible over `spans` (ms) and the journal is given."""
    script = Script(story)
    run(script, Agent(spans))
    return RunResult(
        story=story,
        road=rest.pop("road", "virtual"),
        said=bytes(script.said),
        heard=bytes(script.heard),
        played=tuple(script.played),
        messages=tuple(messages),
        journal=(logged(0, "call.opened", scenario="simple", agent="greeter"), *journal),
        reason=script.reason or "",
        stuck=script.stuck,
        made=dict(made or {}),
        **rest,
    )


def failures(result: RunResult) -> list[str]:
    return [str(failure) for failure in judge(result, look(result)).failures]


def home_of_desks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `folder` one of a scenario without stories, and have replays use an engine that answers without models."""

    def load(**_: object) -> EngineParts:
        return scripted(lambda turn: [Say("You said something.")])

    monkeypatch.setattr(stage, "load_parts", load)
    scenario_in(folder)
    (folder / "desks" / "stories").mkdir()
    return folder
