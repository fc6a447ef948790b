"""The verdicts of a replay, for CI: JUnit that any reader takes, a summary in which no text is markup."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rtbridge.replay.outcome import Complaint, Job, Outcome
from rtbridge.replay.suite import Bar, gather
from rtbridge.replay.verdicts import FIGURES, Judged, figures, judged, table, write_junit, write_summary


def outcome(name: str, run: int = 1, *, complaint: str | None = None, **given: Any) -> Outcome:
    wrong = (Complaint("heard", complaint, f"{name}.toml:3: {complaint}"),) if complaint else ()
    figures = {"respond_p50_ms": 600.0, "respond_p95_ms": 812.4, "stop_p50_ms": None}
    made = Outcome(
        Job(Path(f"{name}.toml"), run, None),
        name,
        "desks",
        complaints=wrong,
        metrics=figures,
        turns_played=2,
        turns_told=3,
        duration_ms=3820,
        prints={"call.wav": "1"},
    )
    return replace(made, **given)


def stories(*outcomes: Outcome, bar: Bar | None = None) -> list[Judged]:
    order = list(dict.fromkeys(one.job.file for one in outcomes))
    return judged(gather(outcomes, order), bar or Bar())


def test_junit_has_a_case_a_story_and_only_characters_that_xml_allows(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "junit.xml"
    told = stories(
        outcome("good"), outcome("bad", complaint="heard \x07"), outcome("lost", broke="no bridge\x00 there")
    )
    write_junit(told, file)
    suite = ElementTree.parse(file).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    passed, failed, broken = suite.findall("testcase")
    assert len(passed) == 0
    assert (passed.get("time"), passed.get("classname")) == ("3.820", "desks")
    failure, error = failed.find("failure"), broken.find("error")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("heard", "heard \ufffd")
    assert failure.text == "bad.toml:3: heard \ufffd"
    assert error is not None
    assert error.get("message") == "no bridge\ufffd there"


def test_the_summary_is_a_table_and_what_failed_and_nothing_in_it_is_markup(tmp_path: Path) -> None:
    told = stories(outcome("good"), outcome("b|d", complaint="heard <img src=x> [a](b)"))
    write_summary(told, tmp_path / "summary.md")
    lines = (tmp_path / "summary.md").read_text().splitlines()
    assert lines[0] == "## Replay: 1 of 2 stories passed"
    assert lines[4] == "| good | desks | 1/1 | 2/3 | 3.8 s | 600/812 ms | - | passed |"
    assert lines[5].startswith("| b\\|d | ")
    assert lines[9].startswith("| story | respond (R_R) | stop (R_Y) | ignore | response p50 (L_R) |")
    assert lines[11] == "| good | - | - | - | - | - | - | - | - | - | - | - | - | - |"
    assert lines[-1] == "- b\\|d.toml:3: heard \\<img src=x\\> \\[a\\](b)"


def test_a_story_with_many_complaints_shows_three_of_them(tmp_path: Path) -> None:
    wrong = tuple(Complaint("heard", f"c{n}", f"c{n}") for n in range(5))
    write_summary(stories(outcome("bad", complaints=wrong)), tmp_path / "summary.md")
    assert (tmp_path / "summary.md").read_text().endswith("- c0\n- c1\n- c2\n- and 2 more\n")


def test_the_table_has_a_row_a_story_in_columns() -> None:
    head, row = table(stories(outcome("good"), outcome("good", 2))).splitlines()
    assert head.split()[:2] == ["story", "scenario"]
    assert row.split() == ["good", "desks", "2/2", "2/3", "3.8", "s", "600/812", "ms", "-", "passed"]


def test_runs_come_together_by_story_whatever_their_order() -> None:
    (good, bad) = stories(outcome("good", 2), outcome("bad", 1), outcome("good", 1, complaint="late"))
    assert [one.job.run for one in good.story.runs] == [1, 2]
    assert good.verdict == "FAILED"
    assert bad.passed
    assert good.complaints[0].message == "run 1: late"


def test_the_figures_go_by_the_names_of_the_field_with_their_units() -> None:
    good = outcome("good")
    told = {"respond_rate": 0.9167, "response_p50_ms": 643.2, "false_barge_ins": 0, "wer": None, "S_BC": 1.0}
    (one,) = stories(replace(good, metrics=told))
    assert dict(zip((name for name, _, _ in FIGURES), figures(one), strict=True)) == {
        **dict.fromkeys((name for name, _, _ in FIGURES), "-"),
        "respond (R_R)": "91.7 %",
        "response p50 (L_R)": "643 ms",
        "false barge-ins": "0",
        "S_BC": "100.0 %",
    }
