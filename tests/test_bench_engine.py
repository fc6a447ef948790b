"""`rtbridge bench engine`: two callers for some seconds against an engine in a process of its own, and its bars."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rtbridge import __main__ as cli
from rtbridge.bench import engine
from rtbridge.errors import MissingPart

GOOD: dict[str, Any] = {
    "calls": 10,
    "cores": 1,
    "silence_ms": 500,
    "turns": 31,
    "missed_turns": 0,
    "errors": [],
    "cpu_pct": 24.0,
    "first_audio_ms": {"p50": 799.0, "p95": 940.0, "max": 1079.0},
}


@pytest.mark.models
def test_two_callers_are_answered_and_every_figure_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """What the latencies are is the machine's matter here; `make accept` holds them against the bars."""
    assert cli.main(["bench", "engine", "--calls", "2", "--seconds", "6", "--repeat", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["turns"] >= 2
    assert told["missed_turns"] == 0
    assert told["errors"] == []
    assert told["human_callers"] == 1  # installed by `make test`
    assert 0 < told["cpu_pct"] <= 110
    assert 100 < told["rss_mb"] < 2_000
    for name in ("first_audio_ms", "stt_ms", "engine_loop_lag_ms", "bench_loop_lag_ms"):
        assert 0 <= told[name]["p50"] <= told[name]["p95"] <= told[name]["max"]
    assert told["first_audio_ms"]["p50"] > told["silence_ms"] / 2
    assert set(told["bars"]) == set(engine.bars(GOOD))


def test_the_bars_are_those_of_the_engines_load_and_each_can_be_missed() -> None:
    assert all(engine.bars(GOOD).values())
    for change in (
        {"first_audio_ms": {"p50": 901.0, "p95": 940.0, "max": 1079.0}},
        {"first_audio_ms": {"p50": 799.0, "p95": 1101.0, "max": 1200.0}},
        {"missed_turns": 1},
        {"errors": ["no"]},
        {"turns": 9},
        {"cpu_pct": 100.0},
    ):
        assert list(engine.bars(GOOD | change).values()).count(False) == 1
    nothing = engine.bars(GOOD | {"turns": 0, "first_audio_ms": {}})
    assert list(nothing.values()).count(False) == 4


def test_the_table_names_what_was_missed() -> None:
    result = GOOD | {
        "human_callers": 5,
        "seconds": 40.0,
        "rss_mb": 388.0,
        "errors": ["too much", "too much"],
        "stt_ms": {},
        "engine_loop_lag_ms": engine.quantiles([0.001, 0.002]),
        "bench_loop_lag_ms": engine.quantiles([0.001]),
    }
    shown = engine.table(engine.medians([result]))
    assert (
        "10 calls (5 of them recorded humans) on 1 core, 40.0 s, silence setting 500 ms, medians of 1"
        in shown
    )
    assert "MISSED  no error event" in shown
    assert shown.count("too much") == 1
    assert "p50 799.0  p95 940.0  max 1079.0" in shown


@pytest.mark.parametrize(
    "wrong", [["--calls", "0"], ["--seconds", "1"], ["--repeat", "0"], ["--silence-ms", "20"]]
)
def test_what_cannot_be_measured_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "engine", *wrong]) == 2
    assert "--calls 1..60" in capsys.readouterr().err


def test_a_bench_that_cannot_be_carried_out_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> None:
        raise MissingPart("no voice")

    monkeypatch.setattr(engine, "_utterances", missing)
    assert cli.main(["bench", "engine"]) == 3
    assert capsys.readouterr().err == "bench engine: no voice\n"


def test_a_wall_time_is_the_median_of_the_runs_and_a_fault_of_one_is_a_fault() -> None:
    run = GOOD | {name: {} for name in ("stt_ms", "engine_loop_lag_ms", "bench_loop_lag_ms")}
    run |= {"seconds": 40.0, "rss_mb": 388.0}
    slow = run | {"first_audio_ms": {"p50": 1200.0, "p95": 2500.0, "max": 3000.0}}
    result = engine.medians([run, slow, run])
    assert result["first_audio_ms"] == run["first_audio_ms"]
    assert result["first_audio_p95_ms"] == [940.0, 2500.0, 940.0]
    assert all(result["bars"].values())
    assert not engine.medians([slow, slow, run])["bars"][
        "end of speech to first audio p95 at most 600 ms + silence"
    ]
    assert not engine.medians([run, run | {"missed_turns": 1}, run])["bars"]["no turn missed"]
    assert not engine.medians([run, run | {"errors": ["no"]}, run])["bars"]["no error event"]


def test_quantiles_of_seconds_are_in_ms() -> None:
    values = [n / 1000 for n in range(101)]
    assert engine.quantiles(values) == {"p50": 50.0, "p95": 95.0, "max": 100.0}
    assert engine.quantiles([]) == {}
