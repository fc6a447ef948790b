"""The bench of the gate at a reduced count, and that what it measures can be heard at all."""

from __future__ import annotations

import argparse
import json

import pytest

from rtbridge.bench import guardrail
from rtbridge.bench.guarded_call import CORRECTED, FORBIDDEN, Call, Case, play
from rtbridge.core import journal
from rtbridge.engine.classify import WordList


def test_what_the_bench_calls_forbidden_fails_and_nothing_else_does() -> None:
    judge = WordList().judge
    for seed in range(200):
        case = Case.of(seed)
        states = [judge(sentence)["category"] != "NONE" for sentence in case.sentences]
        assert states.index(True) == case.flagged
        assert sum(states) == 1
        assert len(set(case.sentences)) == len(case.sentences)
    assert {Case.of(seed).sentences[Case.of(seed).flagged] for seed in range(200)} == set(FORBIDDEN)
    assert judge(CORRECTED)["category"] == "NONE"


def test_without_the_gate_the_forbidden_sentence_is_heard_to_the_sample() -> None:
    call = play(Case.of(1), "off")
    words = len(call.case.sentences[call.case.flagged].split())
    assert call.flagged_ms == 300 * words
    assert call.tripped() is None
    assert guardrail.delays_ms(call, call) == [0.0] * len(call.case.sentences)
    assert guardrail.stopped_ms(call) is None
    assert guardrail.safe_phrase_ms(call) is None
    onsets = [call.onset_ms(n) or 0.0 for n in range(len(call.case.sentences))]
    assert onsets == sorted(onsets)


def test_the_gate_of_the_bench_meets_its_bars(capsys: pytest.CaptureFixture[str]) -> None:
    assert guardrail.run(argparse.Namespace(cases=5, seed=4, json=True)) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["gate_clean_cases"] == 5
    assert result["gate_flagged_heard_ms"] == 0
    assert result["gate_later_sentences"] >= 1
    assert result["gate_first_sample_delay_ms"]["p95"] > 0
    assert result["bars"]
    assert all(result["bars"].values()), result
    assert "met     gate: 0 ms" in guardrail.table(result)
    result |= {"gate_clean_cases": 4, "gate_later_undelayed": 0, "observe_stop_ms": {"max": 260.0}}
    result |= {"safe_phrase_after_check_began_ms": {"max": 1600.0}}
    assert not any(guardrail.bars(result).values())


def test_a_sentence_that_the_gate_holds_back_counts_as_delayed_and_those_behind_it_do_not() -> None:
    free = play(Case.of(0), "off")
    at = free.heard.tolist().index(free.case.level(free.case.sentences[1]))
    late = Call(free.case, free.heard.copy(), free.entries, free.first_audio_ms)
    late.heard[at:] = 0
    late.heard[at + 2400 :] = free.heard[at:-2400]  # 100 ms
    assert guardrail.delays_ms(late, free)[:3] == pytest.approx([0.0, 100.0, 0.0])


def test_an_observed_agent_falls_silent_at_the_verdict() -> None:
    call = play(Case.of(1), "observe")
    tripped = call.tripped()
    assert tripped is not None
    assert tripped[1].policy == "observe"
    stop_ms = guardrail.stopped_ms(call)
    assert stop_ms is not None
    assert stop_ms <= 20
    assert [one for _, one in call.entries if isinstance(one, journal.ItemTruncated)]


@pytest.mark.parametrize("cases", [0, 10_001])
def test_a_count_that_cannot_be_is_refused(cases: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert guardrail.run(argparse.Namespace(cases=cases, seed=0, json=False)) == 2
    assert "--cases" in capsys.readouterr().err
