"""The page alone in a real browser: what a person sees, with the server and the call played by the test.

The files come from web/ under the server's own Content-Security-Policy; `fake_peer.js` stands for the network.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from browser_rig import ROOT, script
from rtbridge.server.page import CSP

pytestmark = pytest.mark.browser

ORIGIN = "http://127.0.0.1:9"  # never reached: every request is answered by the test
CALL = "/v1/realtime/calls/rtc_1"
SCENARIOS = {
    "data": [
        {
            "id": "simple_handoff",
            "title": "Haiku",
            "start": "greeter",
            "agents": [
                {"name": "greeter", "description": "Greets."},
                {"name": "haikuWriter", "description": "Writes."},
            ],
        },
        {"id": "other", "title": "Other", "start": "only", "agents": [{"name": "only", "description": ""}]},
    ],
    "demo": True,
}
OPENED = {"type": "rtbridge.call.opened", "scenario": "simple_handoff", "agent": "greeter", "demo": True}

Serve = Callable[..., Page]


@pytest.fixture
def serve(chromium: Browser, watch: Callable[[Page], Page]) -> Iterator[Serve]:
    """Open the page: `answers` replaces what the server says to a method and path."""
    context = chromium.new_context(permissions=["microphone"])

    def start(
        *,
        answers: dict[str, tuple[int, Any] | None] | None = None,
        query: str = "",
        width: int = 1280,
        requests: list[str] | None = None,
        before: str = "",
    ) -> Page:
        said: dict[str, tuple[int, Any] | None] = {
            "GET /v1/scenarios": (200, SCENARIOS),
            "OPTIONS /v1/realtime/calls": (204, ""),
            "POST /v1/realtime/calls": (201, "v=0"),
            f"DELETE {CALL}": (200, ""),
            **(answers or {}),
        }

        def respond(route: Route) -> None:
            path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
            asked = f"{route.request.method} {path}"
            if requests is not None:
                requests.append(asked)
            if asked in said:
                answer = said[asked]
                if answer is None:
                    return route.abort("connectionrefused")
                status, body = answer
                text = body if isinstance(body, str) else json.dumps(body)
                return route.fulfill(status=status, body=text, headers={"Location": CALL})
            file = ROOT / "web" / (path.strip("/") or "index.html")
            kind = "text/javascript" if file.suffix == ".js" else mimetypes.guess_type(file.name)[0]
            headers = {"Content-Security-Policy": CSP, "Content-Type": kind or ""}
            return route.fulfill(body=file.read_bytes(), headers=headers)

        page = watch(context.new_page())
        page.set_viewport_size({"width": width, "height": 800})
        page.route("**/*", respond)
        page.add_init_script(script("fake_peer.js") + before)
        page.goto(f"{ORIGIN}/{query}")
        expect(page.locator("#state")).not_to_have_attribute("data-state", "loading")
        return page

    yield start
    context.close()


def _state(page: Page) -> Locator:
    return page.locator("#state")


def _open_call(page: Page) -> None:
    page.get_by_role("button", name="Connect").click()
    expect(_state(page)).to_contain_text("Opening the audio path")
    page.evaluate("rig.open()")
    _tell(page, OPENED)
    expect(_state(page)).to_have_attribute("data-state", "listening")


def _tell(page: Page, *events: dict[str, Any]) -> None:
    page.evaluate("events => rig.tell(...events)", list(events))


def _said(item: str, role: str, previous: str | None, words: str) -> dict[str, Any]:
    content = [{"type": "output_text" if role == "assistant" else "input_text", "text": words}]
    return {
        "type": "conversation.item.done",
        "previous_item_id": previous,
        "item": {"id": item, "type": "message", "role": role, "content": content},
    }


def test_the_page_before_a_call_says_what_to_do_and_whom_one_will_meet(serve: Serve) -> None:
    page = serve()
    expect(_state(page)).to_have_attribute("data-state", "idle")
    expect(page.get_by_text("Click Connect and say hello.")).to_be_visible()
    expect(page.get_by_text("Demo voice, no OpenAI key")).to_be_visible()
    expect(page.locator("#empty dt")).to_have_text(["greeter", "haikuWriter"])
    expect(page.get_by_label("Message to the agent")).to_be_disabled()


def test_a_link_picks_scenario_and_agent_and_picking_changes_the_link(serve: Serve) -> None:
    page = serve(query="?scenario=simple_handoff&agent=haikuWriter")
    expect(page.get_by_label("Start with")).to_have_value("haikuWriter")
    page.get_by_label("Scenario").select_option("other")
    expect(page.get_by_label("Start with")).to_have_value("only")
    expect(page).to_have_url(f"{ORIGIN}/?scenario=other&agent=only")


def test_the_agent_is_switched_from_the_page_and_a_refusal_goes_back_with_words(serve: Serve) -> None:
    page = serve()
    _open_call(page)
    picker = page.get_by_label("Talk to")
    expect(picker).to_have_value("greeter")
    picker.select_option("haikuWriter")
    (sent,) = page.evaluate("rig.sent")
    assert (sent["type"], sent["agent"]) == ("rtbridge.agent.switch", "haikuWriter")
    error = {"code": "too_many_handoffs", "message": "4 handoffs are the most", "event_id": sent["event_id"]}
    _tell(page, {"type": "error", "error": error})
    expect(picker).to_have_value("greeter")
    expect(page.get_by_text("4 handoffs are the most")).to_be_visible()
    picker.select_option("haikuWriter")
    _tell(page, {"type": "rtbridge.agent.handed_off", "from": "greeter", "to": "haikuWriter", "took_ms": 9})
    expect(page.locator("#agent")).to_have_text("haikuWriter")
    expect(picker).to_have_value("haikuWriter")


def test_a_call_goes_from_connect_to_disconnect_by_keyboard_alone(serve: Serve) -> None:
    requests: list[str] = []
    page = serve(requests=requests)
    page.get_by_role("button", name="Connect").focus()
    page.keyboard.press("Enter")
    expect(_state(page)).to_contain_text("Opening the audio path")
    page.evaluate("rig.open()")
    _tell(page, OPENED)
    expect(page.get_by_role("button", name="Disconnect")).to_be_focused()
    words = page.get_by_label("Message to the agent")
    words.focus()
    page.keyboard.type("hello")
    page.keyboard.press("Enter")
    expect(words).to_have_value("")
    assert [event["type"] for event in page.evaluate("rig.sent")] == [
        "conversation.item.create",
        "response.create",
    ]
    _tell(page, {"type": "rtbridge.call.closed", "reason": "the server is stopping", "duration_ms": 5})
    expect(_state(page)).to_contain_text("because the server is stopping")
    expect(page.get_by_role("button", name="Connect")).to_be_focused()
    assert f"DELETE {CALL}" not in requests


def test_leaving_the_page_ends_the_call_with_a_request_that_outlives_it(serve: Serve) -> None:
    # Chromium shows requests of a page that is going away to nobody, so the page's own fetch is asked.
    page = serve(
        before="""
        const real = window.fetch;
        window.fetch = (path, init) => {
          if (init?.method === "DELETE") localStorage.setItem("left", `${path} ${init.keepalive}`);
          return real(path, init);
        };"""
    )
    _open_call(page)
    page.reload()
    assert page.evaluate("localStorage.getItem('left')") == f"{CALL} true"


def test_the_transcript_shows_order_agents_tools_and_what_was_not_heard(serve: Serve) -> None:
    page = serve()
    _open_call(page)
    tool = {"call_id": "c1", "name": "look", "arguments": '{"a":1}'}
    _tell(
        page,
        _said("a1", "assistant", None, "Hello there, how are you today?"),
        {"type": "rtbridge.barge_in.confirmed", "item_id": "a1", "heard_ms": 800},
        {
            **{"type": "rtbridge.item.heard", "item_id": "a1", "heard_ms": 800, "total_ms": 2000},
            **{"heard_text": "Hello there,", "unheard_text": " how are you today?"},
        },
        {"type": "rtbridge.tool.started", **tool},
        {"type": "rtbridge.tool.ended", **tool, "output": '{"b":2}', "took_ms": 12},
        {"type": "rtbridge.agent.handed_off", "from": "greeter", "to": "haikuWriter", "took_ms": 9},
        _said("a2", "assistant", "a1", "A topic?"),
        {
            **{"type": "rtbridge.turn.ended", "item_id": "a2", "agent": "haikuWriter", "respond_ms": 614},
            **{"endpoint_ms": 320, "request_ms": 4, "model_ms": 250, "gate_ms": 0, "playout_ms": 40},
            "ear_estimate_ms": 35,
        },
        _said("u1", "user", "a1", "yes"),
    )
    entries = page.locator("#transcript > li")
    expect(entries).to_have_count(5)
    roles = entries.evaluate_all("all => all.map(one => one.dataset.role)")
    assert roles == ["assistant", "tool", "handoff", "user", "assistant"]
    expect(page.locator("[data-item=a1] .unheard")).to_have_text(" Not heard: how are you today?")
    expect(page.locator("[data-item=a1] .chip")).to_have_text("interrupted, 0.8 of 2.0 s heard")
    expect(page.locator("[data-agent]")).to_have_attribute("data-agent", "haikuWriter")
    page.get_by_text("look").click()
    expect(page.locator(".tool pre").last).to_have_text('{\n  "b": 2\n}')
    page.get_by_text("answered in 614 ms").click()
    expect(page.locator(".latency dd")).to_have_text(["320 ms", "4 ms", "250 ms", "40 ms", "35 ms"])


def test_each_message_shows_how_it_was_judged_and_why_at_a_click(serve: Serve, artifacts: Path) -> None:
    page = serve()
    _open_call(page)
    facts = {
        "category": "OFFENSIVE",
        "rationale": "It insults the caller.",
        "text": "You idiot.",
        "latency_ms": 312,
    }
    judged = {"type": "rtbridge.guardrail.judged", "who": "agent"}
    _tell(
        page,
        _said("a1", "assistant", None, "Good morning!"),
        {
            **judged,
            "item_id": "a1",
            "state": "pass",
            "category": "NONE",
            "rationale": "A greeting.",
            "latency_ms": 95,
        },
        _said("u1", "user", "a1", "Where is my board?"),
        {
            **judged,
            "item_id": "u1",
            "state": "unchecked",
            "who": "caller",
            "rationale": "no answer within 1.5 s",
        },
        _said("a2", "assistant", "u1", "How should I know? You idiot."),
        {**judged, "item_id": "a2", "state": "fail", **facts},
        _said("a3", "assistant", "a2", "Let me look."),
        {**judged, "item_id": "a3", "state": "pending"},
    )
    words = [page.locator(f"[data-item={item}] .verdict summary span") for item in ("a1", "u1", "a2", "a3")]
    for shown, expected in zip(
        words, ["checked", "not checked", "flagged: offensive", "checking"], strict=True
    ):
        expect(shown).to_have_text(expected)
    page.get_by_text("flagged: offensive").click()
    expect(page.locator("[data-item=a2] .verdict dd")).to_have_text(
        ["offensive", "It insults the caller.", "You idiot.", "312 ms"]
    )
    page.screenshot(path=artifacts / "verdicts.png")


def test_markup_said_typed_or_returned_by_a_tool_stays_text(serve: Serve) -> None:
    page = serve()
    _open_call(page)
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    tool = {"call_id": "c1", "name": evil, "arguments": evil, "output": evil, "took_ms": 1}
    _tell(
        page,
        _said("a1", "assistant", None, evil),
        _said("u1", "user", "a1", evil),
        {"type": "rtbridge.tool.ended", **tool},
        {"type": "rtbridge.agent.handed_off", "from": evil, "to": evil, "took_ms": 1},
        {"type": "error", "error": {"message": evil}},
    )
    expect(page.locator("[data-item=u1] .text")).to_contain_text("<img src=x")
    expect(page.locator("#transcript > li")).to_have_count(5)
    expect(page.locator("main img, main script")).to_have_count(0)
    expect(page).to_have_title("rtbridge")


def test_the_transcript_follows_its_end_but_does_not_fight_a_reader(serve: Serve) -> None:
    page = serve(width=390)
    _open_call(page)
    _tell(page, *({"type": "rtbridge.notice", "message": f"line {n}"} for n in range(60)))
    expect(page.get_by_text("line 59")).to_be_in_viewport()
    page.locator("#scroll").evaluate("box => { box.scrollTop = 0; }")
    _tell(page, {"type": "rtbridge.notice", "message": "the last"})
    expect(page.get_by_text("the last")).not_to_be_in_viewport()
    page.get_by_role("button", name="Newest").click()
    expect(page.get_by_text("the last")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Newest")).to_be_hidden()


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"POST /v1/realtime/calls": None}, "The server does not answer"),
        (
            {"POST /v1/realtime/calls": (503, {"error": {"message": "All 32 lines are taken."}})},
            "All 32 lines are taken.",
        ),
        (
            {"POST /v1/realtime/calls": (404, {"error": {"message": "There is no such agent."}})},
            "There is no such agent.",
        ),
        ({"GET /v1/scenarios": None}, "The server does not answer"),
    ],
)
def test_a_server_that_is_down_or_refuses_is_told_in_words(
    serve: Serve, answers: dict[str, tuple[int, Any] | None], words: str
) -> None:
    page = serve(answers=answers)
    page.get_by_role("button", name="Connect").click()
    expect(_state(page)).to_have_attribute("data-state", "failed")
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("button", name="Connect")).to_be_enabled()


@pytest.mark.parametrize(
    ("error", "words"),
    [("NotAllowedError", "The microphone is blocked"), ("NotFoundError", "No microphone found")],
)
def test_a_microphone_that_cannot_be_had_is_told_in_words(serve: Serve, error: str, words: str) -> None:
    page = serve(
        before=f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{error}') }};"
    )
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("alert")).to_contain_text(words)


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_nothing_is_wider_than_the_screen(serve: Serve, width: int) -> None:
    page = serve(width=width)
    _open_call(page)
    _tell(
        page,
        _said("a1", "assistant", None, "word " * 80 + "x" * 300),
        {
            "type": "rtbridge.tool.ended",
            "call_id": "c",
            "name": "n" * 80,
            "arguments": "y" * 300,
            "output": "",
        },
    )
    expect(page.locator("#transcript > li")).to_have_count(2)
    widest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('body *')].map(one => one.getBoundingClientRect().right))"
    )
    assert widest <= width
