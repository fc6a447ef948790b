"""The page of many stories: a line each, links to their reports, and no script."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from rtbridge.replay.outcome import Complaint, Job, Outcome
from rtbridge.replay.report_index import index_of, write_index
from rtbridge.replay.suite import Bar, gather
from rtbridge.replay.verdicts import Judged, judged

OUT = Path("out")
EVIL = "<img src=x onerror=alert(1)>"


class Read(HTMLParser):
    """Reads the page as a browser would: links, text and tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def outcome(name: str, run: int = 1, *, complaint: str | None = None, **given: Any) -> Outcome:
    wrong = (Complaint("heard", complaint, f"{name}.toml:3: {complaint}"),) if complaint else ()
    made = Outcome(
        Job(Path(f"{name}.toml"), run, OUT / name),
        name,
        "desks",
        complaints=wrong,
        metrics={"respond_p50_ms": 600.0, "respond_p95_ms": 812.4, "stop_p50_ms": None},
        turns_played=2,
        turns_told=3,
        duration_ms=3820,
        said=((100, 500),),
        heard=((1000, 1800), (2000, 3000)),
    )
    return replace(made, **given)


def stories(*outcomes: Outcome) -> list[Judged]:
    order = list(dict.fromkeys(one.job.file for one in outcomes))
    return judged(gather(outcomes, order), Bar())


def test_the_index_leads_to_every_report_and_tells_what_failed_first(tmp_path: Path) -> None:
    told = stories(
        outcome("good"), outcome("not good?", complaint=f"heard {EVIL}"), outcome("lost", broke="no <b>")
    )
    page = Read(index_of(told, OUT))
    bad = "not%20good%3F/report.html"
    assert page.links == [bad, "good/report.html", bad]
    assert "1 of 3 stories passed" in page.text
    assert page.text.index(f"heard {EVIL}") < page.text.index("✓ passed")
    assert "could not be played: no <b>" in page.text
    assert page.tags.count("rect") == 3 * (1 + 1 + 2)


def test_a_story_that_failed_once_in_many_leads_to_the_run_that_failed() -> None:
    told = stories(outcome("s"), outcome("s", 2), outcome("s", 3, complaint="heard nothing"))
    page = Read(index_of(told, OUT))
    assert page.links == ["s/run-03/report.html", "s/report.html"]
    assert "run 3: heard nothing" in page.text
    assert "2/3" in page.text


def test_the_index_runs_nothing_and_no_word_becomes_a_tag() -> None:
    page = index_of(stories(outcome(EVIL, complaint=EVIL)), OUT)
    assert EVIL in Read(page).text
    assert not {"script", "img", "link", "iframe"} & set(Read(page).tags)
    assert "script-src 'none'" in page


def test_the_style_is_whole_and_the_same_stories_give_the_same_bytes(tmp_path: Path) -> None:
    told = stories(outcome("good", job=Job(Path("good.toml"), 1, tmp_path / "deep" / "good")))
    write_index(told, tmp_path / "deep" / "index.html")
    page = (tmp_path / "deep" / "index.html").read_text()
    assert page == index_of(told, tmp_path / "deep")
    assert 'href="good/report.html"' in page
    assert ".failures > li" in page.partition("</style>")[0]
