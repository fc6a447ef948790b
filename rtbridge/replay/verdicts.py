"""The verdicts of a whole replay, for machines and for people: JUnit, a summary for a CI page, a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from rtbridge.replay.outcome import Complaint
from rtbridge.replay.suite import Bar, StoryRuns

HEAD: Final = (
    "story",
    "scenario",
    "runs passed",
    "turns",
    "length",
    "respond p50/p95",
    "stop p50",
    "verdict",
)
# Columns of figures: what voicebench and tau-voice call them, which of metrics.py, and how it is written.
FIGURES: Final = (
    ("respond (R_R)", "respond_rate", "%"),
    ("stop (R_Y)", "stop_rate", "%"),
    ("ignore", "ignore_rate", "%"),
    ("response p50 (L_R)", "response_p50_ms", "ms"),
    ("response p90", "response_p90_ms", "ms"),
    ("barge-in stop (L_Y)", "barge_in_stop_p50_ms", "ms"),
    ("false barge-ins", "false_barge_ins", ""),
    ("talk-over", "talk_over_ms", "ms"),
    ("WER", "wer", "%"),
    ("I_A", "I_A", "%"),
    ("S_BC", "S_BC", "%"),
    ("S_VT", "S_VT", "%"),
    ("S_ND", "S_ND", "%"),
)
MOST_SHOWN: Final = 3  # complaints of a story in the summary


@dataclass(frozen=True, slots=True)
class Judged:
    """A story, and what keeps it from passing."""

    story: StoryRuns
    complaints: tuple[Complaint, ...]

    @property
    def verdict(self) -> str:
        """Return passed, FAILED, or BROKE when a run of it could not be carried out."""
        return "BROKE" if self.story.broke else "FAILED" if self.complaints else "passed"

    @property
    def passed(self) -> bool:
        """Say whether it reached its bar."""
        return self.verdict == "passed"


def judged(stories: Sequence[StoryRuns], bar: Bar) -> list[Judged]:
    """Hold every story against the bar."""
    return [Judged(story, tuple(bar.complaints(story))) for story in stories]


def write_junit(stories: Sequence[Judged], file: Path) -> None:
    """Write one JUnit suite, a case a story. Raises OSError."""
    failed = sum(one.verdict == "FAILED" for one in stories)
    broken = sum(one.verdict == "BROKE" for one in stories)
    suite = ElementTree.Element(
        "testsuite", name="rtbridge replay", tests=str(len(stories)), failures=str(failed), errors=str(broken)
    )
    for one in stories:
        seconds = f"{one.story.first.duration_ms / 1000:.3f}"
        case = ElementTree.SubElement(
            suite, "testcase", classname=_clean(one.story.scenario), name=_clean(one.story.name), time=seconds
        )
        if (broke := one.story.broke) is not None:
            message = _clean(broke.broke or "")
            ElementTree.SubElement(case, "error", message=message).text = message
        elif one.complaints:
            first = one.complaints[0]
            failure = ElementTree.SubElement(case, "failure", message=_clean(first.message), type=first.what)
            failure.text = _clean("\n".join(complaint.where for complaint in one.complaints))
        if one.story.first.notes:
            ElementTree.SubElement(case, "system-out").text = _clean("\n".join(one.story.first.notes))
    file.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.indent(suite)
    ElementTree.ElementTree(suite).write(file, encoding="utf-8", xml_declaration=True)


def write_summary(stories: Sequence[Judged], file: Path) -> None:
    """Write a summary in Markdown, as CI pages show it ($GITHUB_STEP_SUMMARY). Raises OSError."""
    passed = sum(one.passed for one in stories)
    lines = [f"## Replay: {passed} of {len(stories)} stories passed", ""]
    lines += [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    lines += [f"| {' | '.join(_cell(cell) for cell in row(one))} |" for one in stories]
    lines += ["", "<details><summary>Figures</summary>", ""]
    lines += [f"| story | {' | '.join(name for name, _, _ in FIGURES)} |", f"|---|{'---:|' * len(FIGURES)}"]
    lines += [f"| {_cell(one.story.name)} | {' | '.join(figures(one))} |" for one in stories]
    lines += ["", "</details>"]
    for one in stories:
        if not one.passed:
            told = [complaint.where for complaint in one.complaints] or [one.story.broke.broke or ""]  # type: ignore[union-attr]
            lines += ["", f"**{_cell(one.story.name)}**", ""]
            lines += [f"- {_cell(message)}" for message in told[:MOST_SHOWN]]
            lines += [f"- and {len(told) - MOST_SHOWN} more"] if len(told) > MOST_SHOWN else []
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(stories: Sequence[Judged]) -> str:
    """Return one table for a terminal."""
    rows = [HEAD, *(row(one) for one in stories)]
    widths = [max(len(one[column]) for one in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(one, widths, strict=True)).rstrip() for one in rows
    )


def row(one: Judged) -> tuple[str, ...]:
    """Return the cells of a story, in the order of HEAD."""
    first = one.story.first
    figures = first.metrics

    def ms(*names: str) -> str:
        values = [figures.get(name) for name in names]
        return "-" if None in values or not values else "/".join(f"{value:.0f}" for value in values) + " ms"

    return (
        one.story.name,
        one.story.scenario,
        f"{one.story.passes}/{len(one.story.runs)}",
        f"{first.turns_played}/{first.turns_told}",
        f"{first.duration_ms / 1000:.1f} s",
        ms("respond_p50_ms", "respond_p95_ms"),
        ms("stop_p50_ms"),
        one.verdict,
    )


def figures(one: Judged) -> list[str]:
    """Return a story's figures in the order of FIGURES; "-" for what its call has nothing of."""
    told = one.story.first.metrics
    return [_figure(told.get(key), unit) for _, key, unit in FIGURES]


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}".replace("%", " %") if unit == "%" else f"{value:.0f} {unit}".rstrip()


def _cell(text: str) -> str:
    """Return `text` as one cell or one line of Markdown, where nothing of it is markup."""
    plain = " ".join(text.split())
    for mark in "\\`*_|<>[]":
        plain = plain.replace(mark, "\\" + mark)
    return plain


def _clean(text: str) -> str:
    """Return `text` without the control characters that XML 1.0 cannot hold (section 2.2)."""
    return "".join(c if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff") else "\ufffd" for c in text)
