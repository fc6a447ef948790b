"""Approvals over HTTP: what waits for the operator, and the operator's word on it.

The operator is whoever holds the caller key that the call belongs to, or, on a keyless bridge, a program on this
machine. A client secret is not enough, and neither is a page without a key, not even our own: what a caller may not
approve over the data channel, the page in their browser may not approve here.
"""

from __future__ import annotations

from typing import Any, Final

from rtbridge.core.approval import MAX_REASON_CHARS, OPERATOR
from rtbridge.errors import BadRequest, Forbidden
from rtbridge.server.calls import Calls
from rtbridge.server.guard import From
from rtbridge.server.keys import Grant
from rtbridge.server.ports import Board

_KNOWN: Final = {"approve", "message"}


class Approvals:
    """The operator's side of one server."""

    def __init__(self, board: Board, calls: Calls) -> None:
        self._board = board
        self._calls = calls

    def listed(self, grant: Grant, where: From) -> dict[str, Any]:
        """Return what waits in the calls of this grant. Raises Forbidden when it is not an operator's."""
        _check_operator(grant, where)
        waiting = [
            {"call_id": call_id, **one}
            for call_id in self._calls.of(grant)
            for one in self._board.approvals(call_id)
        ]
        return {"object": "list", "data": waiting}

    def answer(
        self, grant: Grant, where: From, call_id: str, tool_call_id: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        """Take {"approve": true} or {"approve": false, "message": why}.

        Raises Forbidden, BadRequest, NotFound (call or tool call), Conflict when somebody has answered before.
        """
        _check_operator(grant, where)
        approve, message = _read(body)
        self._calls.check_owned(call_id, grant)
        self._board.approve(call_id, tool_call_id, approve, by=OPERATOR, reason=message)
        return {
            "call_id": call_id,
            "tool_call_id": tool_call_id,
            "state": "approved" if approve else "rejected",
        }


def _check_operator(grant: Grant, where: From) -> None:
    if grant.secret is not None:
        raise Forbidden(
            "A client secret is for calling; approvals are given with the caller key it was minted with.",
            code="operator_key_required",
        )
    if not grant.by_key and where is not From.PROGRAM:
        raise Forbidden(
            "Without caller keys only programs on this machine may approve, like `rtbridge approve`.",
            code="origin_may_not_approve",
        )


def _read(body: dict[str, Any]) -> tuple[bool, str]:
    if unknown := sorted(set(body) - _KNOWN):
        raise BadRequest(
            f"{unknown[0][:64]!r} is not known here; send approve and, with a no, message.",
            code="unknown_parameter",
            param=unknown[0][:64],
        )
    approve, message = body.get("approve"), body.get("message", "")
    if not isinstance(approve, bool):
        raise BadRequest("approve must be true or false.", code="invalid_value", param="approve")
    if not isinstance(message, str) or len(message) > MAX_REASON_CHARS or (message and approve):
        raise BadRequest(
            f"message is a text of at most {MAX_REASON_CHARS} characters that goes with a rejection.",
            code="invalid_value",
            param="message",
        )
    return approve, message
