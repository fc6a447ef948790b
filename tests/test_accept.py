"""The acceptance: no full count is forgotten, and the summary holds every verdict for what it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import accept

ROOT = Path(__file__).resolve().parent
# What only a full count or a bar of the acceptance takes from conftest.
FULL = re.compile(r"(?<![\w.])count\(\d|\bkeep_figures\(|\bACCEPT\b")


def test_every_test_file_with_a_full_count_is_a_part() -> None:
    full = {
        str(Path("tests") / file.relative_to(ROOT))
        for file in ROOT.rglob("test_*.py")
        if file.name != "test_accept.py" and FULL.search(file.read_text())
    }
    assert full - set(accept.TESTS) == set()
    assert [name for name in accept.TESTS if not (ROOT.parent / name).is_file()] == []


def test_no_part_is_listed_twice_and_each_has_a_verdict_of_its_own() -> None:
    names = [*accept.TESTS, *accept.BENCHES]
    assert len({accept._verdict_file(name) for name in names}) == len(set(names)) == len(names)


def test_the_summary_counts_only_what_passed_at_this_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept, "FOLDER", tmp_path)
    monkeypatch.setattr(accept, "TESTS", ("tests/test_a.py", "tests/b/test_a.py", "tests/test_c.py"))
    for name, commit, passed in (("tests/test_a.py", "new", True), ("tests/b/test_a.py", "old", True)):
        verdict = {
            "passed": passed,
            "commit": commit,
            "seconds": 1.5,
            "figures": {"n": {"ms": 7}},
            "tail": ["."],
        }
        accept._verdict_file(name).write_text(json.dumps(verdict))
    summary = accept.summarize("new")
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert (summary["parts"], summary["passed"]) == (3 + len(accept.BENCHES), 1)
    assert summary["verdicts"]["tests/b/test_a.py"] == {
        "passed": True,
        "commit": "old",
        "seconds": 1.5,
        "figures": {"n": {"ms": 7}},
    }
    assert summary["verdicts"]["tests/test_c.py"] == {}


def test_the_media_road_fails_its_bars_without_an_echo() -> None:
    figures = {
        "median": {"rtbridge": {"echo_p50_ms": None}},
        "ratio": {"cpu": 0.6, "echo_p50": None},
        "late_above_control_pct": 0.5,
    }
    assert [met for met in accept.media_bars(figures).values()] == [False, True, False, False]
