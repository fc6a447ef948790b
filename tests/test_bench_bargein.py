"""`rtbridge bench bargein`: one call or two of every kind, what they were heard to be, and the bars."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rtbridge import __main__ as cli
from rtbridge.bench import bargein
from rtbridge.bench.bargein_cases import SHARES

GOOD: dict[str, Any] = {
    "cases": 300,
    "seed": 5,
    "yield_pct": 98.7,
    "false_yield_pct": 2.0,
    "echo_yields": 0,
    "stop_ms": {"p50": 160.0, "p95": 260.0, "max": 400.0},
    "pause_ms": {"max": 20.0},
    "resumed": 140,
    "resume_error_samples": 0,
    "kinds": {"human sentence": {"cases": 1, "yielded": 1, "paused": 1}},
}


@pytest.mark.models
def test_a_call_of_every_kind_is_heard_for_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """The bars are for `make accept`, which makes 300 calls."""
    assert cli.main(["bench", "bargein", "--cases", "20", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["kinds"]) == set(SHARES)
    assert all(kind["cases"] >= 1 for kind in told["kinds"].values())
    assert told["yield_pct"] == 100
    assert told["wrong"] == []
    assert told["pause_ms"]["max"] <= 20
    assert (told["resumed"] > 5, told["resume_error_samples"]) == (True, 0)
    assert 50 < told["stop_ms"]["p50"] <= 300
    assert set(told["bars"]) == set(bargein.bars(GOOD))


def test_each_bar_can_be_missed() -> None:
    assert all(bargein.bars(GOOD).values())
    for change in (
        {"yield_pct": 97.9},
        {"false_yield_pct": 5.1},
        {"echo_yields": 1},
        {"stop_ms": {"p95": 301.0}},
        {"stop_ms": {"p95": None}},
        {"pause_ms": {"max": 40.0}},
        {"resume_error_samples": 1},
        {"resumed": 0},
    ):
        assert list(bargein.bars(GOOD | change).values()).count(False) == 1


def test_the_table_names_what_was_missed_and_who_was_yielded_to() -> None:
    result = GOOD | {"echo_yields": 1}
    text = bargein.table({**result, "bars": bargein.bars(result)})
    assert "MISSED  never yields to its own echo" in text
    assert "yielded to 1 of 1 (shall)" in text


def test_a_number_of_cases_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "bargein", "--cases", "3"]) == 2
    assert "--cases 9..3000" in capsys.readouterr().err
