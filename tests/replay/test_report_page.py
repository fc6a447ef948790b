"""The page of a report: what it shows is read back out of the file, and what it may do is said in its head."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
from typing import Any

import av
import numpy as np

from replay_rig import item_heard, logged, played_through, story, turn, turn_ended
from rtbridge.core import pcm
from rtbridge.core.journal import LATENCY_PARTS
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.report import Report
from rtbridge.replay.report_data import page_data
from rtbridge.replay.report_page import PAGE, SCRIPTS, json_block, page_of
from rtbridge.replay.report_sound import MEDIA_TYPE, mp3_of, peaks_of
from rtbridge.replay.result import Logged
from rtbridge.replay.story import Anchor, Budget, CallExpect, TranscriptExpect, TurnExpect

EVIL = '</script><!--<script>"><img src=x onerror="alert(1)">\u2028@@data@@'


def report(
    *journal: Logged, expect: TurnExpect | None = None, whole: CallExpect | None = None, name: str = "ask"
) -> Report:
    asked = turn(name, after=Anchor.CALL_START, delay_ms=0, expect=expect)
    told = journal or (turn_ended(1000), item_heard(1000, 800, "Hello there."))
    result = played_through(story(asked, expect=whole, budget=Budget()), [(1000, 1800)], told)
    seen = look(result)
    return Report(result, seen, judge(result, seen))


def block(page: str, name: str) -> str:
    """Return what a <script> of the page holds, as a browser reads it: up to the first end tag."""
    found = re.search(rf'<script[^>]* id="{name}"[^>]*>(.*?)</script', page, re.S | re.I)
    assert found is not None, name
    return found[1]


def data(page: str) -> dict[str, Any]:
    read = json.loads(block(page, "data"))
    assert isinstance(read, dict)
    return read


def test_the_data_is_read_back_out_of_the_page_as_it_was_put_in() -> None:
    made = report()
    assert data(page_of(made)) == json.loads(json.dumps(page_data(made)))


def test_the_same_run_gives_the_same_bytes() -> None:
    assert page_of(report()) == page_of(report())


def test_no_word_of_a_story_leaves_its_place() -> None:
    made = report(
        turn_ended(1000), item_heard(1000, 800, EVIL, unheard=EVIL, total_ms=2000), name=EVIL
    )  # fmt: skip
    page = page_of(made)
    assert data(page)["lanes"]["agent"][0]["text"] == EVIL
    assert data(page)["lanes"]["caller"][0]["turn"] == EVIL
    assert "<img" not in page
    assert "<!--" not in page
    assert "<" not in json_block({"a": [EVIL]})
    assert page.lower().count("<script") == page.lower().count("</script") == 3


def test_the_title_is_text() -> None:
    made = report()
    object.__setattr__(made.result.story, "name", EVIL)
    page = page_of(made)
    title = re.search(r"<title>(.*?)</title>", page, re.S)
    assert title is not None
    assert html.unescape(title[1]) == f"Passed: {EVIL}"
    assert "<" not in title[1]


def test_the_policy_names_the_one_style_and_the_one_script_by_their_hashes_and_no_host() -> None:
    page = page_of(report())
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert found is not None
    rules = dict(rule.split(" ", 1) for rule in found[1].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["media-src"] == "blob:"
    for tag, rule in (("style", "style-src"), ('script type="module"', "script-src")):
        inline = re.search(rf"<{tag}>(.*?)</{tag.split()[0]}>", page, re.S)
        assert inline is not None
        digest = base64.b64encode(hashlib.sha256(inline[1].encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    # Where the page would be loaded from or send to, there is nothing: no address, no src, no link to another file.
    own = page.replace(block(page, "recording"), "").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|\ssrc=|<link|@import|url\(", own)


def test_the_script_is_made_of_every_module_there_is() -> None:
    there = {file.name for file in PAGE.glob("*.js") if not file.name.endswith(".test.js")}
    assert set(SCRIPTS) == there


def test_the_sound_in_the_page_has_every_sample_where_the_recording_has_it() -> None:
    made = report()
    page = page_of(made)
    assert f'data-type="{MEDIA_TYPE}"' in page
    mp3 = base64.b64decode(block(page, "recording"))
    assert mp3 == mp3_of(made.result.said, made.result.heard)
    with av.open(io.BytesIO(mp3), "r") as file:
        planes = np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1)
    sides = [np.frombuffer(side, "<i2").astype(float) for side in (made.result.said, made.result.heard)]
    assert planes.shape == (2, len(sides[0]))
    for plane, side in zip(planes.astype(float), sides, strict=True):
        padded = 1 << (2 * len(side) - 1).bit_length()
        likeness = np.fft.irfft(np.fft.rfft(plane, padded) * np.conj(np.fft.rfft(side, padded)))
        assert int(np.argmax(likeness)) == 0  # neither early nor late by a sample


def test_three_minutes_of_sound_stay_under_two_megabytes_of_page() -> None:
    second = mp3_of(bytes(2 * pcm.RATE * 10), bytes(2 * pcm.RATE * 10))
    assert len(second) / 10 * 180 * 4 / 3 < 2_000_000


def test_a_waveform_has_the_lowest_and_the_highest_sample_of_every_five_ms() -> None:
    samples = np.zeros(2 * 120 + 60, "<i2")
    samples[7], samples[8] = 32767, -32768
    samples[125] = 100  # less than half a step: nothing to be seen
    samples[-1] = -12_800
    peaks = np.frombuffer(peaks_of(samples.tobytes()), np.int8).reshape(-1, 2)
    assert peaks.tolist() == [[-128, 127], [0, 0], [-50, 0]]
    assert peaks_of(b"") == b""


def test_a_failure_says_what_was_expected_what_was_heard_and_where_to_look() -> None:
    made = report(expect=TurnExpect(heard="goodbye; friend", respond_within_ms=100))
    late, unheard = page_data(made)["failures"]
    assert (late["turn"], late["what"], late["line"]) == ("ask", "respond_within_ms", 1)
    assert late["at_ms"] == page_data(made)["lanes"]["caller"][0]["start_ms"]
    assert late["expected"].startswith("an answer within 100 ms")
    assert late["found"].startswith("the first sound came after")
    assert unheard["message"].endswith(f"{unheard['found']}")
    assert '"Hello there." from greeter' in unheard["found"]


def test_a_failure_of_the_whole_call_leads_to_the_moment_that_it_names() -> None:
    never = CallExpect(transcript=(TranscriptExpect("agent", None, "hello"),))
    (failure,) = page_data(report(whole=never))["failures"]
    assert (failure["turn"], failure["at_ms"]) == (None, 1000.0)
    assert failure["expected"] == "never to hear /hello/"
    (nowhere,) = page_data(report(whole=CallExpect(handoffs=("nobody",))))["failures"]
    assert (nowhere["at_ms"], nowhere["found"]) == (None, "seen (none)")


def test_a_row_of_the_waterfall_has_the_recordings_figure_and_the_journals_parts() -> None:
    (row,) = page_data(report(expect=TurnExpect(respond_within_ms=900)))["waterfall"]
    assert row == {
        "turn": "ask",
        "at_ms": 400.0,
        "agent": "greeter",
        "respond_ms": 600.0,
        "limit_ms": 900,
        "stop_ms": None,
        "parts": dict.fromkeys(LATENCY_PARTS, 0) | {"endpoint_ms": 580, "playout_ms": 20},
    }


def test_the_transcript_has_both_sides_tools_and_handoffs_in_the_order_of_the_sound() -> None:
    made = report(
        logged(900, "caller.said", item_id="u1", text="Hello?"),
        logged(1000, "tool.started", call_id="c1", name="look", arguments="{}"),
        logged(1005, "tool.ended", call_id="c1", name="look", arguments="{}", output="1", took_ms=5),
        turn_ended(1000),
        logged(1200, "guardrail.judged", item_id="item_1", state="pass", who="agent"),
        item_heard(1000, 800, "Hello there."),
        logged(1800, "agent.handed_off", from_="greeter", to="writer", took_ms=0),
        logged(1900, "upstream.failed", reason="gone"),
    )
    lines = page_data(made)["transcript"]
    assert [line["kind"] for line in lines] == ["caller", "agent", "tool", "handoff", "network"]
    assert (lines[0]["text"], lines[0]["source"]) == ("Hello?", "ask")
    assert lines[1]["check"]["state"] == "pass"
