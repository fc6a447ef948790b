"""Approval: a tool call that a person must allow before it runs (`needs_approval` of the Agents SDK).

It waits here for the first answer, from the operator or, where the scenario lets it, from the caller's page; whoever
comes second is told who was first. No answer in time is a no, and so is a call that is handed to another agent
meanwhile: what runs was asked for by the agent that speaks. A caller who talks changes nothing. Whatever becomes of
it, the model gets exactly one result, and a no says that nothing was done.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rtbridge.core import journal
from rtbridge.core.plan import Settle
from rtbridge.errors import Conflict, Forbidden, NotFound

if TYPE_CHECKING:
    from rtbridge.core.call import Call

OPERATOR: Final = "operator"
PAGE: Final = "page"
BRIDGE: Final = "bridge"
APPROVERS: Final = (OPERATOR, PAGE)
MAX_PENDING: Final = 32
MAX_SETTLED: Final = 256  # answers that are remembered, for whoever comes second
MAX_REASON_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class Request:
    """A tool call that waits."""

    call_id: str
    name: str
    arguments: str  # JSON text as the model wrote it
    agent: str


class Approvals:
    """The tool calls of one call that wait for a person, and what became of the others."""

    def __init__(self, approver: str, timeout_s: float) -> None:
        self.approver = approver
        self.timeout_s = timeout_s
        self.pending: dict[str, tuple[Request, float]] = {}  # by call_id, with when it expires (loop time)
        self._settled: dict[str, str] = {}  # call_id -> what became of it, in words

    def deadline(self) -> float | None:
        """Return when the next one expires."""
        return min((expires_s for _, expires_s in self.pending.values()), default=None)

    def settle(self, call_id: str, how: str) -> Request:
        """Take a pending one out and remember what became of it. Raises NotFound, or Conflict when it was settled."""
        known = self.pending.pop(call_id, None)
        if known is None and (before := self._settled.get(call_id)) is not None:
            raise Conflict(f"this tool call was {before}; nothing was changed", code="approval_settled")
        if known is None:
            raise NotFound(
                f"no tool call {call_id[:64]!r} waits for an approval",
                code="approval_not_found",
                param="call_id",
            )
        self._settled[call_id] = how
        while len(self._settled) > MAX_SETTLED:
            del self._settled[next(iter(self._settled))]
        return known[0]

    def listed(self, now: float) -> list[dict[str, Any]]:
        """Return what waits, oldest first, as JSON-ready values."""
        return [
            {
                "tool_call_id": request.call_id,
                "name": request.name,
                "arguments": request.arguments,
                "agent": request.agent,
                "expires_in_ms": max(0, round((expires_s - now) * 1000)),
            }
            for request, expires_s in self.pending.values()
        ]


def request(call: Call, wanted: Request, now: float) -> None:
    """Let a tool call wait for a person."""
    approvals = call.approvals
    if len(approvals.pending) >= MAX_PENDING:
        approvals.pending[wanted.call_id] = (wanted, now)
        _refuse(call, wanted.call_id, f"{MAX_PENDING} others wait for an approval", now)
        return
    approvals.pending[wanted.call_id] = (wanted, now + approvals.timeout_s)
    expires_in_ms = round(approvals.timeout_s * 1000)
    call.note(
        journal.ToolApprovalRequested(
            wanted.call_id, wanted.name, wanted.arguments, approvals.approver, expires_in_ms
        )
    )


def answer(call: Call, call_id: str, approve: bool, *, by: str, now: float, reason: str = "") -> None:
    """Take a person's answer. `reason` goes with a no, to the model and into the journal.

    Raises Forbidden for the page where the operator alone approves, NotFound and Conflict as `settle` does.
    """
    if by == PAGE and call.approvals.approver != PAGE:
        raise Forbidden(
            "the tools of this call are approved by the operator (rtbridge approvals), not from here",
            code="approval_not_allowed",
        )
    reason = " ".join(reason.split())[:MAX_REASON_CHARS]
    wanted = call.approvals.settle(call_id, f"{'approved' if approve else 'rejected'} by the {by}")
    if approve:
        call.note(journal.ToolApproved(call_id, by))
        call.act(Settle(call_id, approved=True))
        return
    call.note(journal.ToolRejected(call_id, by, reason or None))
    _tell_no(call, wanted, f"the {'operator' if by == OPERATOR else 'caller'} said no", now, reason=reason)


def expire(call: Call, now: float) -> None:
    """Take the silence of everybody for a no, where it has lasted long enough."""
    timeout_s = call.approvals.timeout_s
    for call_id, (_, expires_s) in list(call.approvals.pending.items()):
        if now >= expires_s:
            wanted = call.approvals.settle(call_id, f"not answered within {timeout_s:g} s")
            call.note(journal.ToolApprovalExpired(call_id, round(timeout_s * 1000)))
            _tell_no(call, wanted, f"nobody approved it within {timeout_s:g} s", now)


def withdraw(call: Call, why: str, now: float) -> None:
    """Let nothing wait any more: those who asked are gone."""
    for call_id in list(call.approvals.pending):
        _refuse(call, call_id, why, now)


def drop(call: Call) -> list[journal.Entry]:
    """Forget what waits when the call ends; return what there is to say about it."""
    why = "the call ended"
    dropped = list(call.approvals.pending)
    for call_id in dropped:
        call.approvals.settle(call_id, f"dropped: {why}")
    return [journal.ToolRejected(call_id, BRIDGE, why) for call_id in dropped]


def _refuse(call: Call, call_id: str, why: str, now: float) -> None:
    wanted = call.approvals.settle(call_id, f"dropped: {why}")
    call.note(journal.ToolRejected(call_id, BRIDGE, why))
    _tell_no(call, wanted, why, now)


def _tell_no(call: Call, wanted: Request, why: str, now: float, *, reason: str = "") -> None:
    message = (
        f"{wanted.name} was not done: it needs an approval, and {why}. Tell the caller so, and do not call it again "
        "unless they ask for it."
    )
    error = {"type": "not_approved", "message": message, **({"reason": reason} if reason else {})}
    call.tool_ended(wanted.call_id, json.dumps({"error": error}, ensure_ascii=False), now)
    call.act(Settle(wanted.call_id, approved=False))
