"""The report in a real browser, from disk: it draws, plays from where one clicks, and is usable by keyboard.

Screenshots of real stories are kept in out/browser, for people to look at.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browser_rig import ROOT, script
from replay_rig import item_heard, logged, played_through, story, turn, turn_ended
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.outcome import Job, outcome_of
from rtbridge.replay.report import Report
from rtbridge.replay.report_index import write_index
from rtbridge.replay.report_page import write_page
from rtbridge.replay.story import Anchor, CallExpect, TurnExpect
from rtbridge.replay.suite import Bar, gather
from rtbridge.replay.verdicts import judged

pytestmark = pytest.mark.browser

DESKTOP, PHONE = 1280, 390
EVIL = '<img src=x onerror="document.title=1">'

Open = Callable[..., Page]


def eventful() -> Report:
    """Return a call of everything: a cut answer, nested tools, a handoff, a flagged sentence, trouble, failures."""
    first = turn("first", after=Anchor.CALL_START, delay_ms=0, expect=TurnExpect(respond_within_ms=200))
    second = turn("second", after=Anchor.AGENT_SPEECH_START, delay_ms=1500, expect=TurnExpect(heard="never"))
    called = {"name": "lookUp", "arguments": '{"a": 1}'}
    asked = {"name": "askSupervisor", "arguments": "{}"}
    journal = (
        logged(0, "upstream.opened", url="memory:engine", took_ms=0),
        logged(400, "turn.changed", from_="listening", to="thinking", cause="speech_stopped"),
        logged(600, "caller.said", item_id="u1", text=f"Hello {EVIL}"),
        logged(600, "tool.started", call_id="c1", **asked),
        logged(700, "tool.started", call_id="c1.1", by="supervisor", **called),
        logged(1500, "tool.ended", call_id="c1.1", output='{"b": 2}', took_ms=800, by="supervisor", **called),
        logged(1700, "tool.ended", call_id="c1", output=EVIL, took_ms=1100, **asked),
        turn_ended(1000, respond_ms=600),
        logged(1000, "turn.changed", from_="thinking", to="agent_speaking", cause="first_audio"),
        logged(1000, "guardrail.judged", item_id="item_1", state="pending", who="agent"),
        logged(1900, "guardrail.judged", item_id="item_1", state="fail", category="OFF_BRAND", text="Bah."),
        logged(2000, "agent.handed_off", from_="greeter", to="writer", took_ms=20),
        logged(2500, "upstream.erred", code="x", message="a fault", benign=False),
        item_heard(1000, 1600, f"One two {EVIL}", unheard="three four five six", total_ms=4000),
        item_heard(3600, 1400, "Six seven eight", item="item_2"),
    )
    told = story(first, second, expect=CallExpect(handoffs=("nobody",)))
    result = played_through(told, [(1000, 2600), (3600, 5000)], journal)
    seen = look(result)
    return Report(result, seen, judge(result, seen))


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eventful")
    write_page(eventful(), folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Replay two stories as a person would, with their reports."""
    out = tmp_path_factory.mktemp("real")
    stories = ("chat_supervisor/stories/bill.toml", "simple_handoff/stories/barge_in.toml")
    paths = [str(ROOT / "scenarios" / name) for name in stories]
    # In a process of its own: Playwright has an event loop in this one.
    command = [sys.executable, "-m", "rtbridge", "replay", *paths, "--out", str(out)]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("RTBRIDGE_", "OPENAI_"))}
    subprocess.run(command, cwd=out, env={**own, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    return out


@pytest.fixture
def opened(chromium: Browser, watch: Callable[[Page], Page]) -> Iterator[Open]:
    """Open a file from disk, as a double click would; any request beside it fails the test."""
    contexts = []
    asked: list[str] = []

    def start(
        file: Path, *, width: int = DESKTOP, scheme: Any = "light", ready: bool = True, watched: bool = True
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = watch(context.new_page()) if watched else context.new_page()
        page.on(
            "request", lambda request: asked.append("" if request.is_navigation_request() else request.url)
        )
        page.goto(file.as_uri())
        if ready:
            expect(page.locator("html")).to_have_attribute("data-ready", "")
        return page

    yield start
    for context in contexts:
        context.close()
    assert {url for url in asked if url and not url.startswith("blob:")} == set()


def _at(page: Page) -> float:
    at = page.evaluate("document.querySelector('audio').currentTime")
    return float(at)


def _await_seek(page: Page, least: float, most: float) -> None:
    """Wait until the sound is between two places, in seconds."""
    slider = page.get_by_role("slider")
    for _ in range(100):
        if least <= _at(page) <= most:
            break
        page.wait_for_timeout(20)
    assert least <= _at(page) <= most
    assert abs(float(slider.get_attribute("aria-valuenow") or 0) / 1000 - _at(page)) < 0.5


def _lane(page: Page, name: str) -> Locator:
    return page.locator(".lane").filter(has=page.locator(".label", has_text=name))


def test_the_report_draws_every_lane(opened: Open, page_file: Path) -> None:
    page = opened(page_file)
    assert page.locator(".label").all_inner_texts() == [
        *("", "Caller", "Agent", "Turn", "Tools", "Guardrail", "Handoffs", "Network"),
    ]
    expect(_lane(page, "Caller").locator(".block")).to_have_count(2)
    expect(_lane(page, "Agent").locator(".block.agent")).to_have_count(2)
    expect(_lane(page, "Agent").locator(".block.unheard s")).to_have_text("three four five six")
    expect(_lane(page, "Tools").locator(".mark")).to_have_count(2)
    expect(_lane(page, "Tools").locator(".nested")).to_contain_text("supervisor lookUp")
    expect(_lane(page, "Guardrail").locator(".flag.fail")).to_have_text("!")
    expect(_lane(page, "Handoffs").locator(".block")).to_have_text(["greeter", "→ writer"])
    expect(_lane(page, "Network").locator(".bad")).to_contain_text("upstream.erred a fault")
    for side in ("caller", "agent"):
        assert len(page.locator(f".wave.{side} path").get_attribute("d") or "") > 1000


def test_spans_lie_where_the_sound_is(opened: Open, page_file: Path) -> None:
    page = opened(page_file)
    track = _lane(page, "Agent").locator(".wave").bounding_box()
    block = _lane(page, "Agent").locator(".block.agent").nth(1).bounding_box()
    assert track is not None
    assert block is not None
    length = page.evaluate("JSON.parse(document.getElementById('data').textContent).duration_ms")
    assert (block["x"] - track["x"]) / track["width"] == pytest.approx(3600 / length, abs=0.002)
    assert block["width"] / track["width"] == pytest.approx(1400 / length, abs=0.003)
    # The wave's first column that is loud is where the agent's first sound is.
    first = page.evaluate(
        """() => {
          const path = document.querySelector(".wave.agent path");
          const box = path.ownerSVGElement.viewBox.baseVal;
          const points = path.getAttribute("d").slice(1).split("L").map((one) => one.split(" ").map(Number));
          const loud = points.find(([, y]) => y < -0.3);
          return loud[0] / box.width;
        }"""
    )
    assert first * length == pytest.approx(1000, abs=15)


def test_the_sound_is_as_long_as_the_recording_to_the_sample(opened: Open, page_file: Path) -> None:
    page = opened(page_file)
    expect(page.locator("audio")).to_have_js_property("readyState", 4)
    length = page.evaluate("document.querySelector('audio').duration")
    assert length == pytest.approx(eventful().result.duration_ms / 1000, abs=1e-4)
    decoded = page.evaluate(
        """async () => {
          const text = atob(document.getElementById("recording").textContent);
          const bytes = Uint8Array.from(text, (one) => one.charCodeAt(0));
          const sound = await new OfflineAudioContext(2, 1, 24000).decodeAudioData(bytes.buffer);
          const heard = sound.getChannelData(1);
          return [sound.length, heard.findIndex((one) => Math.abs(one) > 0.02)];
        }"""
    )
    assert decoded[0] == len(eventful().result.heard) // 2
    assert decoded[1] / 24 == pytest.approx(1000, abs=2)


def test_a_click_on_the_time_line_plays_from_there(opened: Open, page_file: Path) -> None:
    page = opened(page_file)
    track = _lane(page, "Agent").locator(".wave").bounding_box()
    assert track is not None
    length = eventful().result.duration_ms / 1000
    page.mouse.click(track["x"] + track["width"] * 3.0 / length, track["y"] + 20)
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    _await_seek(page, 2.95, length)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    left = page.locator("#playhead").evaluate("one => one.getBoundingClientRect().left")
    assert left == pytest.approx(track["x"] + track["width"] * _at(page) / length, abs=3)


def test_a_click_on_a_word_or_a_time_plays_from_there(opened: Open, page_file: Path) -> None:
    page = opened(page_file)
    words = page.locator(".line.agent .text.play").nth(1)
    at = words.evaluate(
        """one => { const range = document.createRange(); range.setStart(one.firstChild, 11);
                    range.setEnd(one.firstChild, 13);
                    return range.getBoundingClientRect().left - one.getBoundingClientRect().left; }"""
    )
    words.click(position={"x": at + 2, "y": 10})
    _await_seek(page, 3.6 + 1.4 * 10 / 15, 5.0)
    expect(page.locator("li[aria-current]")).to_contain_text("Six seven eight")
    page.get_by_role("button", name="0:00.0, play from here").first.click()
    _await_seek(page, 0, 2)
    expect(page.locator("li[aria-current]")).to_contain_text("Hello")


def test_a_failure_says_what_was_wanted_and_leads_to_its_moment(opened: Open, page_file: Path) -> None:
    page = opened(page_file)
    expect(page.get_by_text("Failed: 3 expectations")).to_be_visible()
    expect(page).to_have_title("Failed: a story")
    second = page.locator(".failure", has_text="second")
    expect(second.locator("dd").first).to_have_text("to hear /never/")
    expect(second.locator("dd").last).to_contain_text("Six seven eight")
    second.get_by_role("link").click()
    expect(page.locator(".line.bad").last).to_be_in_viewport()
    expect(page.locator(".line.bad button").last).to_be_focused()
    begins = page.locator(".line.bad .from").last.inner_text()
    expect(page.locator("#now")).to_have_text(begins)


def test_the_report_is_usable_by_keyboard_alone(opened: Open, page_file: Path) -> None:
    page = opened(page_file)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the transcript")).to_be_focused()
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#now")).to_have_text("0:02.0")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", "1 second of 7 seconds")
    page.keyboard.press("End")
    expect(page.locator("#now")).to_have_text("0:07.0")
    page.keyboard.press("Home")
    page.keyboard.press("n")
    expect(page.locator("#now")).not_to_have_text("0:00.0")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.get_by_role("button", name="Play", exact=True).focus()
    page.keyboard.press("Space")  # the button's own space: once, not twice
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_zoom_looks_closer_and_back(opened: Open, page_file: Path) -> None:
    page = opened(page_file, width=PHONE)
    before = page.locator(".wave.agent").evaluate("one => one.clientWidth")
    page.get_by_role("button", name="Zoom in").click()
    assert page.locator(".wave.agent").evaluate("one => one.clientWidth") == pytest.approx(
        before * 1.6, abs=2
    )
    page.keyboard.press("0")
    assert page.locator(".wave.agent").evaluate("one => one.clientWidth") == before
    expect(page.get_by_role("button", name="Zoom out")).to_be_disabled()


def test_paper_gets_the_whole_call_whatever_the_zoom_was(opened: Open, page_file: Path) -> None:
    page = opened(page_file)
    page.get_by_role("button", name="Zoom in").click()
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Zoom in")).to_be_hidden()
    over = page.locator("#scroller").evaluate("one => one.scrollWidth - one.clientWidth")
    assert over <= 0


def test_words_of_a_transcript_are_text_and_run_nothing(opened: Open, page_file: Path) -> None:
    page = opened(page_file, watched=False)
    page.locator("#events summary").click()
    expect(page.locator(".line.caller .text").first).to_have_text(f"Hello {EVIL}")
    expect(page.locator("img")).to_have_count(0)
    expect(page).to_have_title("Failed: a story")
    # And had a string become HTML after all, the policy would not have let it in.
    refused = page.evaluate(
        "() => { try { document.body.innerHTML = '<b>'; } catch (error) { return error.name; } return null; }"
    )
    assert refused == "TypeError"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_everything_can_be_read_and_has_a_name(
    opened: Open, page_file: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    outcome = outcome_of(eventful(), Job(Path("a.toml"), 1, tmp_path / "a"), {}, 0, 1)
    lost = replace(outcome, job=Job(Path("b.toml"), 1, tmp_path / "b"), broke="no bridge")
    runs = gather([outcome, lost], [Path("a.toml"), Path("b.toml")])
    write_index(judged(runs, Bar()), tmp_path / "index.html")
    for file in (page_file, tmp_path / "index.html"):
        page = opened(file, width=width, scheme=scheme, ready=file is page_file)
        for summary in page.locator("summary").all():
            summary.click()
        page.evaluate(script("report_checks.js"))
        told = page.evaluate(
            "Object.fromEntries(Object.entries(reportChecks).map(([name, check]) => [name, check()]))"
        )
        assert told == {"faint": [], "nameless": [], "doubled": [], "loose": [], "sideways": 0}


def test_reports_of_real_stories_are_shown_and_kept(opened: Open, real: Path, artifacts: Path) -> None:
    index = opened(real / "index.html", ready=False)
    expect(index.get_by_role("heading", level=1)).to_have_text("2 of 2 stories passed")
    index.screenshot(path=artifacts / "report-index.png")
    index.get_by_role("link", name="barge-in").click()
    expect(index.get_by_role("heading", level=1)).to_have_text("barge-in")
    for name, width, scheme in (
        *(("bill", DESKTOP, "light"), ("bill", PHONE, "dark")),
        *(("barge_in", DESKTOP, "dark"), ("barge_in", PHONE, "light")),
    ):
        page = opened(real / name / "report.html", width=width, scheme=scheme)
        expect(page.locator(".verdict")).to_have_text("✓Passed")
        for lane in ("Caller", "Agent"):
            expect(_lane(page, lane).locator(".block").first).to_be_attached()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.screenshot(path=artifacts / f"report-{name}-{width}.png", full_page=True)
    page = opened(real / "barge_in" / "report.html")
    expect(page.locator(".line .unheard s")).to_contain_text("Would you like another one?")
    expect(page.locator(".lane .block.unheard")).to_have_count(1)
