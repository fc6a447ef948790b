"""Approval in core: who may answer, what an answer does once, and what becomes of a call that nobody answers for."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from rig import FarUpstream, Rig, Say, Use
from rtbridge.core import approval, asks, journal
from rtbridge.core.approval import MAX_PENDING, MAX_SETTLED, OPERATOR, Approvals, Request
from rtbridge.core.plan import Plan, Settle
from rtbridge.errors import Conflict, NotFound

ARGUMENTS = '{"cents": 900}'
NEWS = (
    journal.ToolApprovalRequested,
    journal.ToolApproved,
    journal.ToolRejected,
    journal.ToolApprovalExpired,
)


def waiting(
    approver: str = "page", *, timeout_s: float = 30.0, tools: int = 1, answer: str = "It is done."
) -> Rig:
    """Return a call whose model has called refund(), which needs an approval."""
    rig = Rig(
        far=FarUpstream(),
        plan=Plan(
            "rtc_1",
            "demo",
            "greeter",
            agents=("greeter", "poet"),
            handoffs={"transfer_to_poet": "poet"},
            word_times=True,
            greet=False,
            approver=approver,
            approval_timeout_s=timeout_s,
        ),
    )
    rig.far.answers.extend([[Use("refund", ARGUMENTS)] * tools, [Say(answer, 1000)]])
    rig.speak(300)
    rig.advance(400)
    assert len(rig.call.tools) == tools
    for call_id in rig.call.tools:
        rig.ask(asks.NeedApproval(call_id, "refund", ARGUMENTS))
    return rig


def only_call(rig: Rig) -> str:
    return next(iter(rig.call.tools))


def outputs(rig: Rig) -> list[dict[str, Any]]:
    return [
        json.loads(event["item"]["output"])
        for event in rig.sent("conversation.item.create")
        if event["item"]["type"] == "function_call_output"
    ]


def fillers(rig: Rig) -> list[str]:
    return [entry.text for entry in rig.journal if isinstance(entry, journal.FillerAsked)]


def errors(rig: Rig) -> list[dict[str, Any]]:
    return [event["error"] for event in rig.told("error")]


def by_operator(rig: Rig, call_id: str, approve: bool, **more: str) -> None:
    approval.answer(rig.call, call_id, approve, by=OPERATOR, now=rig.now, **more)
    rig.call.settle(rig.now)
    rig.act()


def test_a_request_is_told_with_its_arguments_and_its_time_and_nothing_runs() -> None:
    rig = waiting("operator", timeout_s=12.0)
    call_id = only_call(rig)
    assert rig.entries(*NEWS) == [
        journal.ToolApprovalRequested(call_id, "refund", ARGUMENTS, "operator", 12_000)
    ]
    rig.advance(2000)
    assert rig.call.approvals.listed(rig.now) == [
        {
            "tool_call_id": call_id,
            "name": "refund",
            "arguments": ARGUMENTS,
            "agent": "greeter",
            "expires_in_ms": 10_000,
        }
    ]
    assert rig.settled == []
    assert outputs(rig) == []


def test_the_page_approves_where_it_may_and_the_tool_runs() -> None:
    rig = waiting("page")
    call_id = only_call(rig)
    rig.client({"type": "rtbridge.tool.approve", "event_id": "c_1", "call_id": call_id})
    assert rig.entries(*NEWS)[1:] == [journal.ToolApproved(call_id, "page")]
    assert rig.settled == [Settle(call_id, approved=True)]
    assert rig.call.approvals.deadline() is None
    rig.ask(asks.ToolOutput(call_id, '{"ok": true}'))
    rig.advance(2000)
    assert outputs(rig) == [{"ok": True}]
    assert rig.causes().count("tool") == 1
    assert errors(rig) == []


def test_the_page_rejects_with_a_reason_and_the_model_is_told_that_nothing_was_done() -> None:
    rig = waiting("page")
    call_id = only_call(rig)
    rig.client({"type": "rtbridge.tool.reject", "call_id": call_id, "message": "not\nnow"})
    assert rig.entries(*NEWS)[1:] == [journal.ToolRejected(call_id, "page", "not now")]
    assert rig.settled == [Settle(call_id, approved=False)]
    (output,) = outputs(rig)
    assert output["error"]["type"] == "not_approved"
    assert output["error"]["reason"] == "not now"
    assert "the caller said no" in output["error"]["message"]
    rig.advance(2000)
    assert rig.causes().count("tool") == 1


def test_a_caller_may_not_approve_what_the_operator_ought_to() -> None:
    rig = waiting("operator")
    call_id = only_call(rig)
    for kind in ("rtbridge.tool.approve", "rtbridge.tool.reject"):
        rig.client({"type": kind, "event_id": "c_1", "call_id": call_id})
    rig.client({"type": "rtbridge.tool.approve", "event_id": "c_2", "call_id": "call_guess"})
    assert [(one["code"], one["event_id"]) for one in errors(rig)] == [
        ("approval_not_allowed", "c_1"),
        ("approval_not_allowed", "c_1"),
        ("approval_not_allowed", "c_2"),
    ]
    assert rig.settled == []
    assert list(rig.call.approvals.pending) == [call_id]


def test_the_operator_may_always_answer() -> None:
    for approver in ("operator", "page"):
        rig = waiting(approver)
        call_id = only_call(rig)
        by_operator(rig, call_id, False, reason="over the limit")
        assert rig.entries(*NEWS)[1:] == [journal.ToolRejected(call_id, "operator", "over the limit")]
        assert "the operator said no" in outputs(rig)[0]["error"]["message"]


def test_whoever_answers_second_is_told_who_was_first() -> None:
    rig = waiting("page")
    call_id = only_call(rig)
    by_operator(rig, call_id, True)
    rig.client({"type": "rtbridge.tool.reject", "event_id": "c_9", "call_id": call_id})
    (error,) = errors(rig)
    assert error["code"] == "approval_settled"
    assert error["event_id"] == "c_9"
    assert "approved by the operator" in error["message"]
    with pytest.raises(Conflict, match="approved by the operator"):
        by_operator(rig, call_id, True)
    assert rig.settled == [Settle(call_id, approved=True)]


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({"type": "rtbridge.tool.approve", "call_id": "call_guess"}, "approval_not_found", "call_id"),
        ({"type": "rtbridge.tool.approve"}, "missing_required_parameter", "call_id"),
        ({"type": "rtbridge.tool.approve", "call_id": 7}, "missing_required_parameter", "call_id"),
        ({"type": "rtbridge.tool.approve", "call_id": "x", "message": "yes"}, "not_allowed", "message"),
        ({"type": "rtbridge.tool.reject", "call_id": "x", "message": ["no"]}, "invalid_value", "message"),
        (
            {"type": "rtbridge.tool.reject", "call_id": "x", "message": "n" * 16_001},
            "invalid_value",
            "message",
        ),
    ],
)
def test_an_answer_that_cannot_be_read_or_is_about_nothing_is_an_error_with_its_event_id(
    event: dict[str, Any], code: str, param: str
) -> None:
    rig = waiting("page")
    rig.client({**event, "event_id": "c_1"})
    (error,) = errors(rig)
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "c_1")
    assert len(rig.call.approvals.pending) == 1


def test_nobody_answers_in_time_and_the_model_is_told_that_nothing_was_done() -> None:
    rig = waiting("page", timeout_s=5.0)
    call_id = only_call(rig)
    rig.advance(4960)
    assert len(rig.entries(*NEWS)) == 1
    rig.advance(80)
    assert rig.entries(*NEWS)[1:] == [journal.ToolApprovalExpired(call_id, 5000)]
    assert rig.settled == [Settle(call_id, approved=False)]
    (output,) = outputs(rig)
    assert "nobody approved it within 5 s" in output["error"]["message"]
    rig.advance(3000)
    assert rig.causes().count("tool") == 1
    rig.client({"type": "rtbridge.tool.approve", "call_id": call_id})
    assert "not answered within 5 s" in errors(rig)[0]["message"]
    assert len(rig.settled) == 1


def test_a_wait_of_30_s_is_never_silent_for_2500_ms_nor_says_the_same_twice_in_a_row() -> None:
    rig = waiting("operator")
    rig.far.birth_delay_ms = 300
    start = len(rig.heard)
    rig.advance(32_000)
    run = longest = 0
    for tag in rig.heard[start:]:
        run = 0 if tag is not None else run + 20
        longest = max(longest, run)
        if tag is not None and rig.far.items.get(tag, None) is not None:
            break  # the answer
    said = fillers(rig)
    assert longest <= 2500
    assert said[0] == "I need a go-ahead for that, one moment please."
    assert all(one != two for one, two in itertools.pairwise(said))
    assert len(said) <= 12
    assert rig.entries(*NEWS)[1:] == [journal.ToolApprovalExpired(rig.settled[0].call_id, 30_000)]
    assert rig.far.errors == []


def test_a_barge_in_keeps_what_waits_and_the_result_comes_with_a_later_answer() -> None:
    rig = waiting("page", answer="Sure, what else?")
    call_id = only_call(rig)
    rig.advance(1800)
    rig.speak(600, text="and my other order?")
    rig.advance(2000)
    assert list(rig.call.approvals.pending) == [call_id]
    assert rig.causes()[-1] in ("speech", "filler")
    rig.client({"type": "rtbridge.tool.approve", "call_id": call_id})
    rig.start_speaking("u3")
    rig.ask(asks.ToolOutput(call_id, '{"ok": true}'))
    creates = rig.creates
    rig.advance(600)
    assert rig.creates == creates
    rig.stop_speaking("u3")
    rig.advance(3000)
    assert outputs(rig) == [{"ok": True}]
    assert rig.far.errors in ([], ["response_cancel_not_active"])


def test_a_handoff_withdraws_what_waits_and_the_new_agent_speaks_once() -> None:
    rig = waiting("page", answer="Sure.")
    call_id = only_call(rig)
    rig.far.answers.clear()
    rig.far.answers.extend([[Use("transfer_to_poet")], [Say("I am the poet.", 1000)]])
    rig.speak(600, text="the poet please")
    rig.advance(400)
    assert rig.call.handover.pending is not None
    assert list(rig.call.approvals.pending) == [call_id]
    rig.hand_off()
    rig.advance(3000)
    (gone,) = rig.entries(journal.ToolRejected)
    assert gone == journal.ToolRejected(call_id, "bridge", "the call was handed to poet")
    assert rig.settled == [Settle(call_id, approved=False)]
    assert "handed to poet" in outputs(rig)[0]["error"]["message"]
    assert rig.causes().count("handoff") == 1
    assert rig.causes()[-1] == "handoff"
    with pytest.raises(Conflict, match="handed to poet"):
        by_operator(rig, call_id, True)
    assert rig.far.errors in ([], ["response_cancel_not_active"])


def test_a_switch_from_the_page_withdraws_what_waits_too() -> None:
    rig = waiting("page")
    call_id = only_call(rig)
    rig.client({"type": "rtbridge.agent.switch", "agent": "poet"})
    assert list(rig.call.approvals.pending) == [call_id]
    rig.ask(asks.ConfigureSession({"type": "realtime", "instructions": "You are a poet."}, "poet"))
    rig.advance(3000)
    assert rig.entries(journal.ToolRejected) == [
        journal.ToolRejected(call_id, "bridge", "the call was handed to poet")
    ]
    assert rig.settled == [Settle(call_id, approved=False)]
    assert rig.causes()[-1] == "handoff"
    assert rig.causes().count("tool") == 0
    assert "not_approved" in json.dumps(outputs(rig))
    assert rig.far.errors in ([], ["response_cancel_not_active"])


def test_the_end_of_a_call_drops_what_waits() -> None:
    rig = waiting("operator")
    call_id = only_call(rig)
    assert approval.drop(rig.call) == [journal.ToolRejected(call_id, "bridge", "the call ended")]
    with pytest.raises(Conflict, match="the call ended"):
        by_operator(rig, call_id, True)
    assert rig.settled == []


def test_more_than_32_that_wait_are_refused_at_once() -> None:
    rig = waiting("operator")
    for number in range(MAX_PENDING):
        rig.ask(asks.NeedApproval(f"more_{number}", "refund", "{}"))
    assert len(rig.call.approvals.pending) == MAX_PENDING
    (last,) = rig.entries(journal.ToolRejected)
    assert isinstance(last, journal.ToolRejected)
    assert (last.call_id, last.by) == (f"more_{MAX_PENDING - 1}", "bridge")


def test_answers_are_remembered_for_a_while_and_not_for_ever() -> None:
    approvals = Approvals("page", 30.0)
    for number in range(MAX_SETTLED + 1):
        approvals.pending[f"call_{number}"] = (Request(f"call_{number}", "refund", "{}", "a"), 1.0)
        approvals.settle(f"call_{number}", "approved by the page")
    with pytest.raises(NotFound):
        approvals.settle("call_0", "again")
    with pytest.raises(Conflict):
        approvals.settle("call_1", "again")
