"""What HTTP tells of calls and their transcripts, and whom: the caller key that opened them, never a client secret.

A client secret lies in a browser and opens one call; what others said under the same key is not its business. Without
caller keys, programs of this machine and the bridge's own page may read, as with minting.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from rtbridge.errors import Forbidden, NotFound, Unauthorized
from rtbridge.history import CallRecord
from rtbridge.server.guard import From
from rtbridge.server.keys import Grant
from rtbridge.server.ports import Board


def check_reader(grant: Grant, where: From) -> None:
    """Refuse whoever may not read transcripts. Raises Unauthorized and Forbidden."""
    if grant.secret is not None:
        raise Unauthorized(
            "Calls are listed for a caller key, not for a client secret.", code="invalid_api_key"
        )
    if not grant.by_key and where not in (From.PROGRAM, From.SAME):
        raise Forbidden(
            "Without caller keys only this bridge's own page and local programs may read calls.",
            code="origin_may_not_read",
        )


def listed(board: Board, grant: Grant) -> web.Response:
    """Answer with the calls of a principal, running ones first, newest first."""
    return web.json_response({"object": "list", "data": [_call(one) for one in board.calls(grant.principal)]})


def transcript(board: Board, grant: Grant, call_id: str) -> web.Response:
    """Answer with what was heard in one call. Raises NotFound for one that is unknown or somebody else's."""
    for one in board.calls(grant.principal):
        if one.call_id == call_id:
            said = [{"who": who, "text": text} for who, text in one.said]
            return web.json_response({**_call(one), "truncated": one.cut, "transcript": said})
    raise NotFound("There is no such call.", code="call_not_found")


def _call(one: CallRecord) -> dict[str, Any]:
    return {
        "id": one.call_id,
        "object": "realtime.call",
        "scenario": one.scenario,
        "agent": one.agent,
        "live": one.ended is None,
        "ended": one.ended,
        "duration_ms": one.duration_ms,
        "messages": len(one.said),
    }
