"""The bench of replays counts calls against the time between the first story's begin and the last one's end."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from rtbridge.bench import replay
from rtbridge.replay.outcome import Complaint, Job, Outcome

ONE = Outcome(Job(Path("a.toml"), 1, None), "a", "cafe", duration_ms=80_000, began_s=100.0, ended_s=103.0)
TWO = replace(ONE, began_s=101.0, ended_s=105.0)


def test_the_rate_is_that_of_all_workers_together_and_their_models_are_loaded_by_then() -> None:
    figures = replay.measured([ONE, TWO], 2)
    assert (figures["call_s"], figures["took_s"], figures["call_s_per_s"]) == (160.0, 5.0, 32.0)
    assert figures["bars"]["at least 20 s of call a second"] is True
    assert figures["bars"]["at least 24 stories"] is False  # two of them prove nothing
    assert figures["bars"]["over 30 minutes of call"] is False


def test_stories_that_fail_are_not_fast() -> None:
    late = replace(TWO, ended_s=109.0, complaints=(Complaint("heard", "not so", "a.toml:1: not so"),))
    figures = replay.measured([ONE, late], 2)
    assert figures["bars"]["every story passes"] is False
    assert figures["bars"]["at least 20 s of call a second"] is False  # 160 s in 9 s
    assert replay.table(figures).splitlines()[0].startswith("1 of 2 stories passed; 160 s of calls in 9 s")
    assert "MISSED  every story passes" in replay.table(figures)


def test_so_many_workers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.run(Namespace(workers=17, json=False)) == 2
    assert "--workers 1..16" in capsys.readouterr().err
