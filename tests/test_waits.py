"""What a caller hears while a tool takes its time, measured in the caller's ear: no long silence, no late answer.

The silence counts from the caller's last word, so the half second that ends a turn is in it, and three times what the
engine takes to its first sound: for the tool's call, for a filler that comes just too late, and for the answer. With an
engine that takes T each time the worst is 1.7 s + 3 T, so the bar of 2.5 s holds up to about 270 ms, wire included.
What a guardrail adds that waits for the first sentence's words is measured by `rtbridge bench guardrail`, not here.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from conftest import Count, KeepFigures
from desks import scenario_of
from heard_rig import NumberedVoice, Utterances, WatchedUpstream, is_aside, runs
from rtbridge.agents.scenario import Scenario
from rtbridge.core import journal
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.replay.clock import run_virtual
from scripted_engine import last_text, speech
from session_rig import CallRig

DELAYS_S = (0.2, 0.5, 1.0, 1.19, 1.21, 1.5, 2.0, 3.0, 5.0, 7.9)
ANSWER = "Here is what I have found for you."


@dataclass(frozen=True)
class Wait:
    """One wait for a tool, as the caller heard it. All in ms."""

    silence_ms: float  # the longest from the caller's last word to the answer's first
    late_ms: (
        float  # of the answer after the tool's result, the engine's time and the model's own words taken off
    )
    fillers: int
    heard: list[str]


def wait(scenario: Scenario, delay_s: float, seed: int) -> Wait:
    """Let a caller ask for something that a tool of `delay_s` has to find."""
    chance = random.Random(seed)
    pace: dict[str, Any] = {
        "speedup": chance.choice((3.0, 8.0)),
        "think_ms": chance.choice((0, 50, 100)),
        "lag_ms": chance.choice((0, 10, 20)),
    }
    preface = chance.choice(("", "One moment.", "I will look that up for you."))
    utterances = Utterances()
    measured: list[Wait] = []

    async def run() -> None:
        def say(turn: Turn, text: str) -> Say:
            return Say(utterances.add(turn, text, at_ms=0))

        def answer(turn: Turn) -> Iterator[Act]:
            if is_aside(turn):
                yield say(turn, str(turn.response_instructions).split('"')[1])
            elif last_text(turn).startswith("result"):
                yield say(turn, ANSWER)
            elif not turn.items:
                yield say(turn, "Hello.")
            else:
                if preface:
                    yield say(turn, preface)
                yield Call("work", f'{{"seconds": {delay_s}, "end": "text"}}')

        upstream = functools.partial(WatchedUpstream, **pace)
        async with CallRig(scenario, answer, voice=NumberedVoice(), make_upstream=upstream) as rig:
            await rig.leg.pass_ms(2000)
            await rig.leg.pass_ms(round(delay_s * 1000) + 8000, speech("hello there", 600))
            watched = rig.upstream
            assert isinstance(watched, WatchedUpstream)
            assert watched.faults == []
            assert set(watched.errors()) <= {"response_cancel_not_active"}
            measured.append(measure(rig, watched))

    def measure(rig: CallRig, watched: WatchedUpstream) -> Wait:
        said = utterances.said
        number = next(one.number for one in said.values() if one.text == ANSWER)
        heard = runs(rig.leg.heard)
        start_ms = next(run.start_ms for run in heard if run.level == number)
        within = [run for run in heard if run.end_ms > 2600 and run.start_ms < start_ms]
        silences = [min(run.end_ms, start_ms) - max(run.start_ms, 2600) for run in within if not run.level]
        (result_ms,) = (at for at, entry in rig.journal if isinstance(entry, journal.ToolEnded))
        asked_ms = next(
            one.at_ms
            for one in watched.sent
            if one.event["type"] == "response.create"
            and one.at_ms >= result_ms
            and not one.event.get("response")
        )
        audio = [one for one in watched.got if one.event["type"] == "response.output_audio.delta"]
        made_ms = next(
            one.at_ms for one in audio if one.event["response_id"] == audio[-1].event["response_id"]
        )
        # What the model itself said before it called the tool is not cut: the answer comes behind it.
        own = [run for run in heard if run.level and run.level != number and not said[run.level].aside]
        own_words_ms = max(run.end_ms for run in own)
        return Wait(
            max(silences),
            start_ms - max(result_ms + made_ms - asked_ms, own_words_ms),
            len(rig.entries(journal.FillerAsked)),
            [said[run.level].text for run in heard if run.level],
        )

    run_virtual(run, limit_s=60)
    return measured[0]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return scenario_of(tmp_path_factory.mktemp("scenarios"), 2, moderated=False)


def test_no_wait_is_silent_for_2500_ms_no_answer_late_by_250_and_no_filler_needless(
    desk: Scenario, count: Count, keep_figures: KeepFigures
) -> None:
    waits: dict[float, list[Wait]] = {}
    for delay_s in DELAYS_S:
        for seed in range(count(2, 20)):
            try:
                one = wait(desk, delay_s, seed)
                assert one.silence_ms <= 2500, one
                assert one.late_ms <= 250, one
                assert delay_s > 1.2 or one.fillers == 0, one
                assert all(a != b for a, b in zip(one.heard, one.heard[1:], strict=False)), one
            except Exception as failure:
                failure.add_note(f"a tool of {delay_s} s, seed {seed}")
                raise
            waits.setdefault(delay_s, []).append(one)
    figures = {
        f"{delay_s:g} s": {
            "calls": len(some),
            "longest_silence_ms": round(max(one.silence_ms for one in some)),
            "latest_answer_ms": round(max(one.late_ms for one in some)),
            "fillers": sum(one.fillers for one in some),
        }
        for delay_s, some in waits.items()
    }
    assert any(one.fillers for one in waits[5.0])
    print(figures)
    keep_figures("waits", figures)
