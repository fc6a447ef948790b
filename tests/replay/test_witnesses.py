"""The journal against the recording: they agree on true runs, and every lie of either is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from desk_stories import WHOLE, answer
from replay_rig import tone
from rtbridge.core import pcm
from rtbridge.replay.evidence import look
from rtbridge.replay.result import Logged, RunResult
from rtbridge.replay.run import play
from rtbridge.replay.witnesses import TOLERANCE_MS, disagreements
from rtbridge.settings import Settings
from scripted_engine import scripted
from session_rig import scenario_in

Lie = Callable[[Logged], Logged | None]


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A whole call with an answer, a handoff and an interruption, as it was."""
    home = tmp_path_factory.mktemp("truth")
    return play(WHOLE, scenario=scenario_in(home), parts=scripted(answer), settings=Settings())


def disagreed(result: RunResult) -> list[str]:
    return [str(failure) for failure in disagreements(result, look(result))]


def lying(result: RunResult, event: str, lie: Lie) -> RunResult:
    journal = (lie(entry) if entry.event == event else entry for entry in result.journal)
    return replace(result, journal=tuple(entry for entry in journal if entry is not None))


def test_of_a_true_run_both_tell_the_same(truth: RunResult) -> None:
    assert disagreed(truth) == []


def test_a_latency_that_is_told_too_small_or_too_great_is_found_out(truth: RunResult) -> None:
    for by_ms in (-60, 60):

        def shift(entry: Logged, by_ms: int = by_ms) -> Logged:
            respond_ms = entry.fields.get("respond_ms")
            return replace(entry, fields=entry.fields | {"respond_ms": respond_ms and respond_ms + by_ms})

        found = disagreed(lying(truth, "turn.ended", shift))
        assert found
        assert all("the recording has an answer after" in one for one in found)


def test_words_told_as_heard_that_nobody_could_hear_are_found_out(truth: RunResult) -> None:
    silent = bytes(len(truth.heard))
    assert any("the recording has none of it" in one for one in disagreed(replace(truth, heard=silent)))


def test_an_item_told_at_another_time_than_it_was_heard_is_found_out(truth: RunResult) -> None:
    later = 2 * round(TOLERANCE_MS)
    found = disagreed(lying(truth, "item.heard", lambda entry: replace(entry, at_ms=entry.at_ms + later)))
    assert any("the recording has it" in one and "ms earlier" in one for one in found), found


def test_sound_that_no_item_accounts_for_is_found_out(truth: RunResult) -> None:
    forgotten = disagreed(lying(truth, "item.heard", lambda entry: None))
    assert any("the journal has no item then" in one for one in forgotten)
    noise = bytearray(truth.heard)
    noise[-pcm.samples_of_ms(400) * 2 : -pcm.samples_of_ms(200) * 2] = tone(200)
    assert any("the journal has no item then" in one for one in disagreed(replace(truth, heard=bytes(noise))))


def test_a_frame_of_old_audio_after_a_flush_is_found_out(truth: RunResult) -> None:
    cut = next(entry for entry in truth.journal if entry.event == "barge_in.confirmed")
    heard = bytearray(truth.heard)
    at = pcm.samples_of_ms(cut.at_ms + 60) * 2
    heard[at : at + len(tone(120))] = tone(120)
    assert any("the journal has no item then" in one for one in disagreed(replace(truth, heard=bytes(heard))))


def test_over_the_wire_the_road_may_take_a_while_but_never_less_than_nothing(truth: RunResult) -> None:
    def shift(by_ms: int) -> RunResult:
        def lie(entry: Logged) -> Logged:
            respond_ms = entry.fields.get("respond_ms")
            return replace(entry, fields=entry.fields | {"respond_ms": respond_ms and respond_ms + by_ms})

        return replace(lying(truth, "turn.ended", lie), road="wire", made={})

    assert disagreed(shift(-400)) == []
    assert any("the recording has an answer" in one for one in disagreed(shift(-800)))
    assert any("the recording has an answer" in one for one in disagreed(shift(60)))
