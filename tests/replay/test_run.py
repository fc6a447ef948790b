"""A story against the whole bridge on the virtual road, with cheap parts: it is carried, counted and repeatable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from desk_stories import WHOLE, answer, say, typed
from replay_rig import failures, story
from rtbridge.core import pcm
from rtbridge.engine.faults import read_fault
from rtbridge.engine.parts import EngineParts
from rtbridge.errors import ReplayError
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.report import Report, write_call
from rtbridge.replay.result import RunResult
from rtbridge.replay.run import CountingIds, play
from rtbridge.replay.story import CallExpect, Story
from rtbridge.settings import Settings
from scripted_engine import scripted
from session_rig import scenario_in


def run(tmp_path: Path, told: Story, parts: EngineParts | None = None) -> RunResult:
    return play(told, scenario=scenario_in(tmp_path), parts=parts or scripted(answer), settings=Settings())


def written(result: RunResult, folder: Path) -> dict[str, bytes]:
    seen = look(result)
    write_call(Report(result, seen, judge(result, seen)), folder)
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_a_whole_story_with_a_tool_a_handoff_and_an_interruption_comes_true(tmp_path: Path) -> None:
    result = run(tmp_path, WHOLE)
    assert failures(result) == []
    assert result.stuck is None
    assert result.reason == "the caller hung up"
    assert [entry.event for entry in result.journal][-1] == "call.closed"
    assert [cut.truncated_ms for turn in look(result).turns for cut in turn.cuts]


def test_the_same_story_gives_the_same_bytes_every_time(tmp_path: Path) -> None:
    first = written(run(tmp_path, WHOLE), tmp_path / "first")
    assert list(first) == ["call.wav", "cassette.jsonl", "events.jsonl", "labels.txt", "turns.json"]
    for n in range(3):
        assert written(run(tmp_path, WHOLE), tmp_path / str(n)) == first


def test_times_of_the_journal_are_those_of_the_recording(tmp_path: Path) -> None:
    result = run(tmp_path, WHOLE)
    for turn in look(result).turns:
        if turn.journal is not None and turn.answer_at_ms is not None:
            ended = next(e for e in result.journal if e.event == "turn.ended" and e.fields == turn.journal)
            assert abs(ended.at_ms - turn.answer_at_ms) <= pcm.FRAME_MS


def failing(after: str, do: str, ended: str) -> Story:
    told = story(say("order", "hello there"), expect=CallExpect(ended=ended))
    return replace(told, faults=(read_fault(after, do),))


@pytest.mark.parametrize(
    ("after", "do", "ended"),
    [
        ("response.output_audio.delta:2", "reset", "1006"),
        ("input_audio_buffer.committed", "close:1001", "close code 1001"),
        ("connect", "429", "answered 429"),
    ],
)
def test_a_call_whose_upstream_is_lost_ends_with_the_reason(
    tmp_path: Path, after: str, do: str, ended: str
) -> None:
    first = run(tmp_path, failing(after, do, ended))
    assert [
        failure for failure in failures(first) if "ended" in failure and "before turn" not in failure
    ] == []
    assert run(tmp_path, failing(after, do, ended)).journal == first.journal


def test_another_end_than_the_expected_one_is_a_failure_that_names_both(tmp_path: Path) -> None:
    wrong = story(say("order", "hello there"), expect=CallExpect(ended="1006"))
    (failure,) = failures(run(tmp_path, wrong))
    assert failure == 'expected the call to end with /1006/; it ended with "the caller hung up"'


def test_a_stalled_upstream_makes_a_late_answer_and_nothing_worse(tmp_path: Path) -> None:
    told = story(say("order", "hello there", respond_within_ms=700, heard="A7 is on its way"))
    late = replace(told, faults=(read_fault("response.done:2", "stall:3s"),))
    (failure,) = failures(run(tmp_path, late))
    assert "expected an answer within 700 ms" in failure


def test_a_wrong_expectation_names_turn_expectation_and_what_was_heard(tmp_path: Path) -> None:
    wrong = story(say("over", "billing please", heard="ocean", agent="front"))
    heard, agent = failures(run(tmp_path, wrong))
    assert heard.startswith(
        'turn "over": expected to hear /ocean/; heard "Billing speaks here now, and at some length." from billing at '
    )
    assert agent.startswith('turn "over": expected front to answer; heard "Billing speaks')


def test_the_story_may_start_at_another_agent(tmp_path: Path) -> None:
    told = story(typed("typed", "hello"))
    told = Story(told.file, told.name, told.scenario, "billing", told.turns, told.expect, told.budget)
    assert {item.agent for item in look(run(tmp_path, told)).items} == {"billing"}


def test_an_agent_that_says_nothing_ends_the_run_with_what_was_waited_for(tmp_path: Path) -> None:
    result = run(tmp_path, WHOLE, scripted(lambda turn: []))
    assert result.stuck == (
        'waited for agent_speech_end of turn "order" (line 1) until 20000 ms; heard nothing since 0 ms'
    )
    assert failures(result)[0].startswith('turn "order": waited for agent_speech_end')


def test_a_bug_in_the_call_is_a_run_that_could_not_be_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("rtbridge.core.call.Call.pull", broken)
    with pytest.raises(ReplayError, match="the call broke: ZeroDivisionError: a bug") as caught:
        run(tmp_path, WHOLE)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_ids_count_by_their_prefix() -> None:
    new_id = CountingIds()
    assert [new_id("item"), new_id("event"), new_id("item")] == ["item_0001", "event_0001", "item_0002"]
