"""Switching: another agent takes over because somebody at the page wants it, within the call (handover.py).

What is being said is cut as by a barge-in, and from there on the old agent says nothing more: its open tool calls
finish, and their results are kept in the conversation without an answer to each. The conversation and what the call
knows (who the caller is, what was verified) stay. What the caller says meanwhile is kept, and the new agent's first
response answers it. Any agent may be switched to: the gates of `on_handoff` are for the model's handoffs, and what is
allowed is decided in the call's context, whoever speaks.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from rtbridge.core import bounds, journal
from rtbridge.core.dialect import Refused
from rtbridge.core.handover import Pending
from rtbridge.core.turns import Cause

if TYPE_CHECKING:
    from rtbridge.core.call import Call


def switch(call: Call, event: dict[str, Any], now: float) -> None:
    """Begin what `rtbridge.agent.switch` asks for. Raises Refused, in words, and then nothing has changed."""
    agent = event.get("agent")
    if not isinstance(agent, str) or agent not in call.plan.agents:
        there = ", ".join(call.plan.agents)
        raise _refused(
            event, "agent_not_found", f"there is no agent {str(agent)[:64]!r} here; there are: {there}"
        )
    if not call.live:
        raise _refused(
            event, "call_not_ready", "the call has not begun yet; switch after rtbridge.call.opened"
        )
    if (pending := call.handover.pending) is not None:
        words = f"a handoff to {pending.to!r} is under way; switch when rtbridge.agent.handed_off has come"
        raise _refused(event, "handoff_in_progress", words)
    if agent == call.agent:
        raise _refused(event, "agent_speaks_already", f"{agent!r} is the one who speaks")
    if wait_s := call.bounds.switch_wait(now):
        words = (
            f"{bounds.MAX_HANDOFFS} handoffs within a minute are the most; try again in {math.ceil(wait_s)} s"
        )
        raise _refused(event, "too_many_handoffs", words)
    call.handover.begin(None, agent, now)
    call.arbiter.bar(now)
    call.move(Cause.CANCELLED, now)
    call.arbiter.responses.disown_calls()
    call.stopwatch.turn_over(now, voice_end_s=None)
    call.switch_agent(agent)


def carried_out(call: Call, switched: Pending, now: float) -> None:
    """Have the new agent speak first: its session is handed in.

    The conversation gets the handoff as the model's own handoffs stand in it, a call and its output: without a mark,
    a model goes on in the voice of the agent whose words it reads (trap 18).
    """
    tools = (tool for tool, agent in call.plan.handoffs.items() if agent == switched.to)
    name, call_id = next(tools, f"transfer_to_{switched.to}"), call.new_id("call")
    made = {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"}
    output = json.dumps({"assistant": switched.to})
    call.arbiter.add_item(made, now)
    call.arbiter.add_item({"type": "function_call_output", "call_id": call_id, "output": output}, now)
    call.arbiter.take_over(switched.role, now)


def failed(call: Call, agent: str, why: str, now: float) -> None:
    """Let the old agent go on: the new one's session could not be made."""
    call.handover.failed()
    call.note(journal.AgentSwitchFailed(agent, why))
    call.arbiter.unbar()
    call.arbiter.want("retry", now)


def _refused(event: dict[str, Any], code: str, message: str) -> Refused:
    return Refused(code, message, kind="rtbridge.agent.switch", event_id=event.get("event_id"), param="agent")
