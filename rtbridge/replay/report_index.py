"""`index.html`: the stories of one command, a line each, with what failed on top. It has no script at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from rtbridge.replay.outcome import Outcome
from rtbridge.replay.report_page import PAGE, policy
from rtbridge.replay.verdicts import Judged

_COLUMNS: Final = (
    "Verdict",
    "Story",
    "Scenario",
    "Runs",
    "Turns",
    "Length",
    "Response p50",
    "p95",
    "Stop p50",
    "Who speaks",
)
_WORDS: Final = {"passed": "✓ passed", "FAILED": "✗ failed", "BROKE": "! not played"}


def write_index(stories: Sequence[Judged], file: Path) -> None:
    """Write the page of `stories`, with links to their reports in the folders beside it. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(index_of(stories, file.parent), encoding="utf-8")


def index_of(stories: Sequence[Judged], out: Path) -> str:
    """Return the page: how many passed, what failed, and a table of all. `out` is where the page will lie."""
    style = (PAGE / "index.css").read_text(encoding="utf-8")
    title = f"{sum(one.passed for one in stories)} of {len(stories)} stories passed"
    page = Element("html", lang="en")
    head = SubElement(page, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": policy(style=style)})
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
    _text(head, "title", title)
    _text(head, "style", style)
    main = SubElement(SubElement(page, "body"), "main")
    _text(main, "h1", title)
    runs = [run for one in stories for run in one.story.runs]
    seconds = sum(run.duration_ms for run in runs) / 1000
    _text(main, "p", f"{len(runs)} runs, {seconds:.0f} s of calls", kind="soft")
    _failures(main, [one for one in stories if not one.passed], out)
    _table(main, stories, out)
    return "<!doctype html>\n" + ElementTree.tostring(page, encoding="unicode", method="html") + "\n"


def _failures(main: Element, failed: Sequence[Judged], out: Path) -> None:
    if not failed:
        return
    section = SubElement(main, "section", {"aria-labelledby": "failed"})
    _text(section, "h2", "What failed").set("id", "failed")
    entries = SubElement(section, "ul", {"class": "failures"})
    for one in failed:
        entry = SubElement(entries, "li")
        shown = next((run for run in one.story.runs if not run.passed), one.story.first)
        _link(entry, one.story.name, shown, out)
        messages = SubElement(entry, "ul")
        for complaint in one.complaints:
            _text(messages, "li", complaint.message)
        if one.story.broke is not None:
            _text(messages, "li", f"could not be played: {one.story.broke.broke}")


def _table(main: Element, stories: Sequence[Judged], out: Path) -> None:
    frame = {"class": "wide", "tabindex": "0", "role": "region", "aria-label": "All stories"}
    table = SubElement(SubElement(main, "div", frame), "table")
    head = SubElement(SubElement(table, "thead"), "tr")
    for name in _COLUMNS:
        _text(head, "th", name).set("scope", "col")
    body = SubElement(table, "tbody")
    longest_ms = max((one.story.first.duration_ms for one in stories), default=1)
    for one in stories:
        first = one.story.first
        row = SubElement(body, "tr", {"class": "ok" if one.passed else "bad"})
        _text(row, "td", _WORDS[one.verdict], kind="verdict")
        _link(SubElement(row, "th", scope="row"), one.story.name, first, out)
        _text(row, "td", one.story.scenario)
        _text(row, "td", f"{one.story.passes}/{len(one.story.runs)}", kind="number")
        _text(row, "td", f"{first.turns_played}/{first.turns_told}", kind="number")
        _text(row, "td", f"{first.duration_ms / 1000:.1f} s", kind="number")
        for key in ("respond_p50_ms", "respond_p95_ms", "stop_p50_ms"):
            value = first.metrics.get(key)
            _text(row, "td", "–" if value is None else f"{value:.0f} ms", kind="number")
        SubElement(row, "td").append(_strip(first, longest_ms))


def _strip(run: Outcome, longest_ms: int) -> Element:
    """Return a picture of who spoke when: the caller above, the agent below; all rows at one scale."""
    told = f"{run.turns_played} turns over {run.duration_ms / 1000:.0f} seconds"
    view = {"viewBox": f"0 0 {max(1, longest_ms)} 2", "preserveAspectRatio": "none"}
    picture = Element("svg", {**view, "role": "img", "aria-label": told})
    whole = {"x": "0", "y": "0.95", "width": str(run.duration_ms), "height": "0.1"}
    SubElement(picture, "rect", {"class": "call", **whole})
    for kind, spans, y in (("caller", run.said, "0"), ("agent", run.heard, "1")):
        for start_ms, end_ms in spans:
            place = {"x": str(start_ms), "y": y, "width": str(end_ms - start_ms), "height": "1"}
            SubElement(picture, "rect", {"class": kind, **place})
    return picture


def _link(parent: Element, name: str, run: Outcome, out: Path) -> None:
    """Put the name of a story there, as a link where the run left a report."""
    if run.report is None:
        _text(parent, "strong", name)
        return
    _text(parent, "a", name).set("href", quote(run.report.relative_to(out).as_posix()))


def _text(parent: Element, tag: str, text: str, *, kind: str | None = None) -> Element:
    node = SubElement(parent, tag, {"class": kind} if kind else {})
    node.text = text
    return node
