"""The lanes of a report: spans out of the journal, each with its beginning and its end."""

from __future__ import annotations

from typing import Any

from replay_rig import item_heard, logged, played_through, story, turn
from rtbridge.replay import report_lanes as lanes
from rtbridge.replay.evidence import look
from rtbridge.replay.result import Logged
from rtbridge.replay.story import Anchor

END_MS = 5000


def drawn(*journal: Logged, **of_turn: Any) -> tuple[list[lanes.Span], list[lanes.Span]]:
    asked = turn("ask", after=Anchor.CALL_START, delay_ms=0, **of_turn)
    result = played_through(story(asked), [(1000, 1800)], journal)
    seen = look(result)
    return lanes.caller_lane(result, seen), lanes.agent_lane(result, seen)


def times(spans: list[lanes.Span]) -> list[tuple[float, float]]:
    return [(span["start_ms"], span["end_ms"]) for span in spans]


def test_a_turn_of_the_caller_is_where_it_is_audible_with_what_was_understood() -> None:
    said = [logged(900, "caller.said", item_id="u", text=text) for text in ("Hello", "there?")]
    ((span,), _) = drawn(*said)
    assert (span["kind"], span["turn"], span["source"], span["text"]) == (
        "said",
        "ask",
        "ask",
        "Hello there?",
    )
    assert (span["start_ms"], span["end_ms"]) == (0.0, 400.0)


def test_typed_words_are_a_moment_and_a_noise_has_no_words() -> None:
    ((typed,), _) = drawn(logged(0, "caller.said", item_id="u", text="hi", typed=True), typed="hi")
    assert (typed["kind"], typed["text"], typed["start_ms"]) == ("typed", "hi", typed["end_ms"])
    ((noise,), _) = drawn(logged(900, "caller.said", item_id="u", text="cough"), is_noise=True)
    assert (noise["kind"], noise["text"]) == ("noise", "")


def test_an_item_is_told_by_what_was_heard_of_it_and_what_was_not() -> None:
    _, (cut, never) = drawn(
        item_heard(1000, 800, "One two", unheard="three", total_ms=2000),
        logged(1900, "agent.said", item_id="item_2", agent="greeter", text="Never played."),
        logged(1900, "agent.said", item_id="item_1", agent="greeter", text="One two three"),
        logged(1900, "agent.said", item_id="item_3", agent="greeter", text=""),
    )
    assert (cut["start_ms"], cut["end_ms"], cut["total_ms"]) == (1000, 1800, 2000)
    assert (cut["text"], cut["unheard"]) == ("One two", "three")
    assert (never["item_id"], never["text"], never["unheard"]) == ("item_2", "", "Never played.")


def test_a_tool_runs_until_its_result_and_a_supervisors_own_lie_below() -> None:
    called = {"name": "ask", "arguments": "{}"}
    spans = lanes.tool_lane(
        [
            logged(100, "tool.started", call_id="c1", **called),
            logged(200, "tool.started", call_id="c1.1", by="supervisor", **called),
            logged(300, "tool.ended", call_id="c1.1", output="inner", took_ms=100, by="supervisor", **called),
            logged(900, "tool.ended", call_id="c1", output="outer", took_ms=800, **called),
            logged(950, "tool.started", call_id="c2", **called),
        ],
        END_MS,
    )
    assert times(spans) == [(100, 900), (200, 300), (950, END_MS)]
    assert [span["depth"] for span in spans] == [0, 1, 0]
    assert [span["output"] for span in spans] == ["outer", "inner", None]


def test_a_call_that_waits_for_a_person_is_a_span_with_the_answer() -> None:
    def asked(at_ms: int, call: str) -> Logged:
        more = {"arguments": "{}", "approver": "operator", "expires_in_ms": 900}
        return logged(at_ms, "tool.approval_requested", call_id=call, name="refund", **more)

    spans = lanes.tool_lane(
        [
            *(asked(n * 100, f"c{n}") for n in range(4)),
            logged(900, "tool.approved", call_id="c0", by="operator"),
            logged(1000, "tool.rejected", call_id="c1", by="page", reason="too much"),
            logged(1100, "tool.approval_expired", call_id="c2", after_ms=900),
        ],
        END_MS,
    )
    assert times(spans) == [(0, 900), (100, 1000), (200, 1100), (300, END_MS)]
    assert {span["name"] for span in spans} == {"approval of refund"}
    answers = ["approved by the operator", "rejected by the page: too much", "nobody answered", None]
    assert [span["output"] for span in spans] == answers


def test_a_check_is_pending_until_its_verdict() -> None:
    def judged(at_ms: int, item: str, state: str, **more: Any) -> Logged:
        return logged(at_ms, "guardrail.judged", item_id=item, state=state, **more)

    spans = lanes.guardrail_lane(
        [
            judged(100, "a", "pending", who="agent"),
            judged(150, "b", "pending", who="caller"),
            judged(400, "a", "fail", who="agent", category="OFF_BRAND", text="Bah.", latency_ms=300),
        ],
        END_MS,
    )
    assert times(spans) == [(100, 400), (150, END_MS)]
    assert [(span["state"], span["who"]) for span in spans] == [("fail", "agent"), ("pending", "caller")]
    assert (spans[0]["category"], spans[0]["text"]) == ("OFF_BRAND", "Bah.")


def test_one_agent_is_in_charge_at_any_time() -> None:
    spans = lanes.charge_lane(
        [
            logged(0, "call.opened", agent="greeter"),
            logged(2000, "agent.handed_off", from_="greeter", to="writer", took_ms=7),
        ],
        END_MS,
    )
    assert times(spans) == [(0, 2000), (2000, END_MS)]
    assert [(span["from"], span["agent"]) for span in spans] == [(None, "greeter"), ("greeter", "writer")]
    assert lanes.charge_lane([], END_MS) == []


def test_the_states_of_the_turn_follow_each_other_without_those_that_took_no_time() -> None:
    def changed(at_ms: int, before: str, after: str) -> Logged:
        return logged(at_ms, "turn.changed", from_=before, to=after, cause="x")

    journal = [changed(100, "listening", "thinking"), changed(100, "thinking", "agent_speaking")]
    spans = lanes.turn_lane([*journal, changed(900, "agent_speaking", "listening")], END_MS)
    assert [(span["state"], span["start_ms"], span["end_ms"]) for span in spans] == [
        ("listening", 0, 100),
        ("agent_speaking", 100, 900),
        ("listening", 900, END_MS),
    ]
    assert lanes.turn_lane([], END_MS) == []


def test_the_network_lane_tells_trouble_from_news_and_how_long_a_caller_was_gone() -> None:
    spans = lanes.network_lane(
        [
            logged(0, "upstream.opened", url="memory:engine", took_ms=0),
            logged(50, "media.resumed", gap_ms=9),
            logged(100, "media.suspended", reason="no RTP"),
            logged(700, "media.resumed", gap_ms=600),
            logged(800, "upstream.erred", code="x", message="a race", benign=True),
            logged(900, "upstream.erred", code="x", message="a fault", benign=False),
            logged(950, "turn.changed", from_="a", to="b", cause="c"),
        ]
    )
    assert [(span["text"], span["trouble"]) for span in spans] == [
        ("memory:engine", False),
        ("9 ms", False),
        ("no RTP", True),
        ("600 ms", False),
        ("a race", False),
        ("a fault", True),
    ]
    assert (spans[2]["start_ms"], spans[2]["end_ms"]) == (100, 700)
