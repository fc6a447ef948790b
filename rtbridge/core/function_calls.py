"""Function calls of the model: which are run, which are answered without being run, and which are forgotten.

A call is run when its response still counts, when no bound is reached, and, of handoffs, when none goes on already.
Whatever is not run is answered all the same, so that the model can go on; only a stale one is taken out, unanswered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtbridge.core import bounds, handover, journal

if TYPE_CHECKING:
    from rtbridge.core.call import Call

MAX_OPEN_CALLS = 256  # tool calls without a result


def called(call: Call, item: dict[str, Any], response_id: str, now: float) -> bool:
    """Take a finished `function_call` item (event response.output_item.done); return whether the agents run it."""
    if item.get("status") not in (None, "completed"):
        return False
    if call.is_stale(response_id):
        # The caller spoke before the model had decided: it shall decide again, with their words.
        if isinstance(item.get("id"), str):
            call.arbiter.delete(item["id"])
        return False
    call_id, name = item.get("call_id"), item.get("name")
    if not (isinstance(call_id, str) and call_id and isinstance(name, str) and name):
        words = "a function call without call_id or name was not run"
        call.note(journal.UpstreamErred("invalid_function_call", words, benign=False))
        return False
    call.arbiter.responses.tool_called(response_id, call_id)
    arguments = str(item.get("arguments") or "")
    if name in call.plan.handoffs and call.handover.pending is not None:
        output = handover.second(call.handover.pending.to)
        call.note(journal.ToolEnded(call_id, name, arguments, output, 0))
        call.arbiter.tool_output(call_id, output, now, cause="tool")
        return False
    if (over := call.bounds.over(response_id, handoff=name in call.plan.handoffs, now=now)) is not None:
        call.note(journal.BoundReached(*over, call_id, name))
        call.arbiter.tool_output(call_id, bounds.refusal(*over), now, cause=bounds.ENDING)
        if call.bounds.hopeless:
            call.hang_up("the agent went on calling tools after it was told to end")
        return False
    call.tools[call_id] = (name, arguments, now)
    while len(call.tools) > MAX_OPEN_CALLS:
        del call.tools[next(iter(call.tools))]
    if name in call.plan.handoffs:
        call.handover.begin(call_id, call.plan.handoffs[name], now, response_id=response_id)
        call.arbiter.bar(now)
    else:
        call.note(journal.ToolStarted(call_id, name, arguments))
    return True
