"""Browser clients written by others call the bridge unchanged: @openai/agents and openai, given a URL and an `ek_`.

Their versions are pinned in stock/package-lock.json; stock/entry.mjs uses them as their documentation tells and is
bundled here. Chromium, aiortc, the engine's ears and voice are real, and so is the caller's recorded speech. What
was heard is read from the browser's own count of received audio energy, not from what the bridge says.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, Route

from browser_rig import ROOT, as_base64, script, speech

pytestmark = pytest.mark.browser

STOCK = ROOT / "tests" / "browser" / "stock"
INDEX = '<!doctype html><title>stock client</title><script src="stock.js"></script>'
CALLS = "/v1/realtime/calls?scenario=simple_handoff"

CONNECT_MS = 3_000  # its own patience with a server that does not say session.updated is 5 s
ANSWER_MS = 30_000
SAMPLE_MS = 50  # how often the page reads totalAudioEnergy
AUDIBLE = 5e-5  # its rise in that time at -30 dBFS; speech is louder
HUSHED = 1e-5  # its rise at -37 dBFS; a codec fades rather than stops
FADED_MS = 600  # what was on its way, the browser's jitter buffer, and two samples
SILENT_MS = 1_000
WORDS_MS = 600  # whole words were heard

Wire = dict[str, Any]
OpenPage = Callable[[str], Page]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundle the stock clients into a folder that can be served as it is."""
    esbuild = STOCK / "node_modules" / ".bin" / "esbuild"
    if not esbuild.exists():
        pytest.fail(
            "the stock clients are not installed: make test installs them, or npm ci --prefix " + str(STOCK)
        )
    folder = tmp_path_factory.mktemp("stock")
    made = subprocess.run(
        [esbuild, "entry.mjs", "--bundle", "--format=iife", "--log-level=warning", f"--outfile={folder / 'stock.js'}"],
        cwd=STOCK, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (folder / "index.html").write_text(INDEX)
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def other_origin(bundle: Path) -> Iterator[str]:
    """Serve the stock client from an origin that is not the bridge's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=bundle)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def complaints() -> list[str]:
    """What the clients wrote to the console as a warning or an error."""
    return []


@pytest.fixture
def open_page(chromium: Browser, bridge: str, bundle: Path, complaints: list[str]) -> Iterator[OpenPage]:
    """Open the stock client at an origin; at the bridge's own, the browser itself is given the two files."""
    with chromium.new_context() as context:
        context.add_init_script(script("microphone.js"))

        def give(route: Route) -> None:
            route.fulfill(path=bundle / (route.request.url.rpartition("/")[2] or "index.html"))

        context.route(f"{bridge}/stock/*", give)

        def start(url: str) -> Page:
            page = context.new_page()
            page.on("console", lambda line: _keep_complaint(complaints, line.type, line.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(url)
            return page

        yield start


def _keep_complaint(complaints: list[str], kind: str, text: str) -> None:
    if kind in ("warning", "error"):
        complaints.append(text)


def _mint(bridge: str, **body: str) -> str:
    request = urllib.request.Request(
        f"{bridge}/v1/realtime/client_secrets",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        secret = json.load(answer)["value"]
    assert secret.startswith("ek_")
    return str(secret)


class StockCall:
    """A call of the agents SDK, and what its page saw and heard."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.evaluate(
            "sample_ms => { stock.heard = []; setInterval(async () => "
            "stock.heard.push([performance.now(), await rig.energy()]), sample_ms); }",
            SAMPLE_MS,
        )

    def connect(self, url: str, secret: str) -> float:
        """Return how long the client's connect() took, in ms."""
        return float(self.page.evaluate("([url, secret]) => stock.connect(url, secret)", [url, secret]))

    def say(self, wav: str) -> None:
        self.page.evaluate("wav => rig.say(wav)", as_base64(speech(wav)))

    def count(self, kind: str) -> int:
        return int(self.page.evaluate("kind => stock.count(kind)", kind))

    def await_event(self, kind: str, number: int) -> Wire:
        """Wait for the `number`th event of a kind (from 1) and return it."""
        self.page.wait_for_function(
            "([kind, number]) => stock.count(kind) >= number", arg=[kind, number], timeout=ANSWER_MS
        )
        return self.events(kind)[number - 1]

    def await_audible(self, ms: int = 100) -> None:
        """Wait until the agent was heard for another `ms`, pauses not counted."""
        self.page.wait_for_function(
            "([from_ms, audible, ms]) => stock.heard.reduce((sum, [at, energy], i, all) =>"
            " i > 0 && at > from_ms && energy - all[i - 1][1] > audible ? sum + at - all[i - 1][0] : sum, 0) >= ms",
            arg=[self.page.evaluate("() => performance.now()"), AUDIBLE, ms],
            timeout=ANSWER_MS,
        )

    def await_silence(self) -> None:
        """Wait until nothing was heard for SILENT_MS."""
        self.page.wait_for_function(
            "([hushed, silent_ms]) => { const [now, energy] = stock.heard.at(-1);"
            " const then = stock.heard.findLast(([at]) => at <= now - silent_ms);"
            " return !!then && energy - then[1] < hushed; }",
            arg=[HUSHED, SILENT_MS],
            timeout=ANSWER_MS,
        )

    def await_said(self, role: str, pattern: str) -> None:
        """Wait until the client's history has a message of `role` that matches."""
        self.page.wait_for_function(
            "([role, pattern]) => stock.session.history.some(item => item.role === role"
            " && item.content.some(part => new RegExp(pattern, 'i').test(part.transcript ?? '')))",
            arg=[role, pattern],
            timeout=ANSWER_MS,
        )

    def events(self, kind: str = "") -> list[Wire]:
        seen: list[Wire] = self.page.evaluate("() => stock.seen.events")
        return [event for event in seen if not kind or event["type"] == kind]

    def history(self) -> list[tuple[str, str]]:
        """Return (role, transcript) of each message of the client's history."""
        items: list[Wire] = self.page.evaluate("() => stock.session.history")
        return [
            (item["role"], " ".join(part.get("transcript") or "" for part in item["content"]).strip())
            for item in items
            if item["type"] == "message"
        ]

    def last_heard_ms(self, after_ms: float, before_ms: float) -> float:
        """Return when, between two times of the page, audio was last heard; `after_ms` if it never was."""
        samples: list[tuple[float, float]] = self.page.evaluate("() => stock.heard")
        between = [sample for sample in samples if after_ms <= sample[0] <= before_ms]
        return max(
            (now for (_, was), (now, energy) in pairwise(between) if energy - was > HUSHED), default=after_ms
        )


def _await_cut(call: StockCall, item_id: str) -> None:
    """Wait until the client's history holds of an item what was heard of it, and no more."""
    (said,) = [e for e in call.events("response.output_audio_transcript.done") if e["item_id"] == item_id]
    call.page.wait_for_function(
        "([id, whole]) => { const found = stock.session.history.find(item => item.itemId === id);"
        " const heard = found?.content[0]?.transcript?.trim();"
        " return !!heard && heard.length < whole.length && whole.startsWith(heard); }",
        arg=[item_id, said["transcript"]],
        timeout=ANSWER_MS,
    )


def test_the_agents_sdk_hears_the_greeting_reads_both_sides_and_interrupts(
    bridge: str, open_page: OpenPage, complaints: list[str]
) -> None:
    call = StockCall(open_page(f"{bridge}/stock/"))
    assert call.connect(bridge + CALLS, _mint(bridge)) < CONNECT_MS

    call.await_audible()
    call.await_event("output_audio_buffer.stopped", 1)
    ((role, greeting),) = call.history()
    assert role == "assistant"
    assert "haiku" in greeting

    call.say("yes_please")
    call.await_said("user", "please")
    call.await_event("output_audio_buffer.started", 3)  # the greeter's last words, then the writer's question
    call.await_audible(WORDS_MS)

    # What an application does when its caller presses "stop".
    call.page.evaluate("() => stock.session.interrupt()")
    cleared = call.await_event("output_audio_buffer.cleared", 1)
    call.await_silence()
    truncated = call.await_event("conversation.item.truncated", 1)
    now_ms = call.page.evaluate("() => performance.now()")
    assert call.last_heard_ms(cleared["seen_ms"], now_ms) - cleared["seen_ms"] < FADED_MS
    _await_cut(call, truncated["item_id"])
    assert call.count("output_audio_buffer.started") == 3

    # What a caller does who has heard enough.
    call.say("topic_snow")
    call.await_event("output_audio_buffer.started", 4)
    call.await_audible(WORDS_MS)
    call.say("thank_you_goodbye")
    cleared = call.await_event("output_audio_buffer.cleared", 2)
    truncated = call.await_event("conversation.item.truncated", 2)
    _await_cut(call, truncated["item_id"])
    call.await_said("user", "thank|bye")
    answer = call.await_event("output_audio_buffer.started", 5)
    assert answer["seen_ms"] - cleared["seen_ms"] > FADED_MS, "no time to tell silence from an answer"
    assert call.last_heard_ms(cleared["seen_ms"], answer["seen_ms"]) - cleared["seen_ms"] < FADED_MS
    started = call.events("input_audio_buffer.speech_started")[-1]
    assert abs(started["seen_ms"] - cleared["seen_ms"]) < FADED_MS, (
        "the caller's voice stopped it, nothing else"
    )

    # And "stop" before the agent has said a word: the client cancels what it was told is being made.
    call.page.evaluate("() => stock.session.transport.once('turn_started', () => stock.session.interrupt())")
    call.say("surprise_me")
    cancelled = call.await_event("response.created", 6)["response"]["id"]
    done = call.await_event("response.done", 6)["response"]
    assert (done["id"], done["status"]) == (cancelled, "cancelled")

    assert [role for role, _ in call.history()][:4] == ["assistant", "user", "assistant", "assistant"]
    asked = call.count("conversation.item.truncated") + call.count(
        "conversation.item.input_audio_transcription.completed"
    )
    call.await_event("conversation.item.retrieved", asked)
    _every_event_was_understood(call)
    call.page.evaluate("() => stock.session.close()")
    assert complaints == []


def _every_event_was_understood(call: StockCall) -> None:
    """Check that no event had a shape that the client degrades to a nameless one, and that none was an error."""
    seen, errors = call.page.evaluate("() => [stock.seen, stock.seen.errors]")
    assert errors == []
    raw: dict[str, int] = {}
    for event in seen["events"]:
        if not event["type"].startswith("rtbridge."):
            raw[event["type"]] = raw.get(event["type"], 0) + 1
    assert raw == seen["shaped"]


def test_another_origin_calls_with_a_secret_minted_for_it_and_with_no_other(
    bridge: str, other_origin: str, open_page: OpenPage, complaints: list[str]
) -> None:
    def refused(secret: str) -> None:
        call = StockCall(open_page(other_origin))
        with (
            call.page.expect_console_message(lambda line: "blocked by CORS policy" in line.text),
            pytest.raises(Error, match="Failed to fetch"),
        ):
            call.connect(bridge + CALLS, secret)

    refused(_mint(bridge))
    secret = _mint(bridge, origin=other_origin)
    refused(_mint(bridge))  # the preflight, which bears no secret, passes now
    call = StockCall(open_page(other_origin))
    assert call.connect(bridge + CALLS, secret) < CONNECT_MS
    call.await_audible()
    call.await_said("assistant", "haiku")
    assert re.fullmatch(r"rtc_[\w-]+", call.page.evaluate("() => stock.session.transport.callId"))
    refusals = re.compile("blocked by CORS policy|Failed to load resource")
    assert [line for line in complaints if not refusals.search(line)] == []


def test_the_openai_package_connects_and_reads_the_agents_first_words(
    bridge: str, open_page: OpenPage, complaints: list[str]
) -> None:
    page = open_page(f"{bridge}/stock/")
    found = page.evaluate("([url, secret]) => stock.firstWords(url, secret)", [bridge + CALLS, _mint(bridge)])
    assert (found["state"], found["channel"]) == ("connected", "open")
    assert "haiku" in found["words"]
    assert complaints == []
