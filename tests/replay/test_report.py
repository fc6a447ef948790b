"""What a run leaves behind: recordings of both sides, journal, turns, JUnit, and a line on the terminal."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np

from replay_rig import item_heard, played_through, story, turn, turn_ended
from rtbridge.core import pcm
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.hearing import bursts_of
from rtbridge.replay.report import Report, line_of, write_call
from rtbridge.replay.story import Anchor, Budget, TurnExpect


def report(*, heard: str = "hello", budget: Budget | None = None) -> Report:
    asked = turn("ask", after=Anchor.CALL_START, delay_ms=0, expect=TurnExpect(heard=heard))
    journal = [turn_ended(1000), item_heard(1000, 800, "Hello there.\x07 “Yes”")]
    result = played_through(story(asked, budget=budget), [(1000, 1800)], journal, road="wire")
    seen = look(result)
    return Report(result, seen, judge(result, seen))


def test_the_recording_has_the_caller_left_and_what_was_heard_right(tmp_path: Path) -> None:
    made = report()
    write_call(made, tmp_path / "a" / "b")
    with wave.open(str(tmp_path / "a" / "b" / "call.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 24_000, 2)
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert both[:, 0].tobytes() == made.result.said
    (heard,) = bursts_of(both[:, 1].tobytes())
    assert heard.start == pcm.samples_of_ms(1000)


def test_events_are_json_lines_with_the_time_of_the_call(tmp_path: Path) -> None:
    write_call(report(), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(line["at_ms"], line["event"]) for line in lines] == [
        (0, "call.opened"),
        (1000, "turn.ended"),
        (1800, "item.heard"),
    ]
    assert lines[2]["heard_text"].endswith("“Yes”")


def test_turns_bear_both_witnesses_and_what_failed(tmp_path: Path) -> None:
    write_call(report(heard="goodbye"), tmp_path)
    told = json.loads((tmp_path / "turns.json").read_text())
    assert told["passed"] is False
    assert told["metrics"]["L_R"] == told["metrics"]["respond_p50_ms"] == 600.0
    (asked,) = told["turns"]
    assert (asked["said"], asked["respond_ms"], asked["journal"]["respond_ms"]) == ("ask", 600.0, 600)
    assert asked["failures"] == [told["failures"][0].removeprefix('turn "ask": ')]


def test_labels_are_a_track_of_starts_ends_and_words(tmp_path: Path) -> None:
    write_call(report(), tmp_path)
    lines = [line.split("\t") for line in (tmp_path / "labels.txt").read_text().splitlines()]
    assert [line[2] for line in lines] == ["caller: ask", "greeter: Hello there.\x07 “Yes”"]
    assert lines[1][:2] == ["1.000", "1.800"]


def test_the_line_of_a_story_tells_turns_length_and_latency_and_then_what_failed() -> None:
    first, *rest = line_of(report()).splitlines()
    assert first.split() == [
        "ok",
        "a",
        "story",
        "1/1",
        "turns",
        "3.8",
        "s",
        "respond",
        "600/600",
        "ms",
        "(p50/p90)",
    ]
    assert rest == []
    failed = line_of(report(heard="goodbye", budget=Budget(underruns=0))).splitlines()
    assert failed[0].startswith("FAIL")
    assert failed[1].startswith('      story.toml:1: turn "ask": expected to hear /goodbye/')
    assert failed[2] == "      note: underruns: not told over the wire"
