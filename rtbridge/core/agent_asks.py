"""What the agents' side asks for, one wish at a time: sessions, tool results, approvals, words, silence.

The third of the call's three doors, beside server_events.py and client_events.py. The wishes are plain data
(asks.py), made by upstream/model.py; the doing is the call's.
"""

from __future__ import annotations

from rtbridge.core import approval, asks, detection, guarding, history, push_to_talk, switching
from rtbridge.core.call import Call
from rtbridge.core.dialect import dig
from rtbridge.core.requests import merged
from rtbridge.core.turns import Cause


def handle_ask(call: Call, ask: asks.Ask, now: float) -> None:
    """Take what the Agents SDK's side asks for."""
    match ask:
        case asks.ConfigureSession(session, agent, model):
            _configure(call, session, agent, now)
            if model and model != call.plan.model:
                kept = f"a call keeps the model it began with, {call.plan.model or 'the server chose it'}"
                call.note_once(f"{agent} asks for the model {model}: {kept}")
        case asks.ToolOutput(call_id, output):
            _tool_output(call, call_id, output, now)
        case asks.NeedApproval(call_id, name, arguments):
            approval.request(call, approval.Request(call_id, name, arguments, call.agent), now)
        case asks.UserText(text):
            part = {"type": "input_text", "text": text}
            call.type_text({"type": "message", "role": "user", "content": [part]}, now)
            call.request("text", now)
        case asks.KeepHistory(item_ids):
            call.handover.leave_behind(history.dropped(call.speech.transcript, item_ids))
        case asks.Judged():
            guarding.judged(call, ask, now)
        case asks.SwitchFailed(agent, why):
            switching.failed(call, agent, why, now)
        case _:  # StopSpeaking
            call.move(Cause.CANCELLED, now)
    call.settle(now)


def _configure(call: Call, session: asks.Wire, agent: str, now: float) -> None:
    given = session.get("audio", {}).get("input", {})
    if "turn_detection" in given or not call.detection.chosen:
        call.choose_detection(given.get("turn_detection", detection.DEFAULT), by_caller=False)
        push_to_talk.follow_detection(call, now)
    call.session = merged(call.session, session)
    agent = call.handover.configured(session.get("instructions"), agent) or agent or call.agent
    wanted = dict(session)
    if call.plan.demo:
        wanted["prompt"] = {"id": f"{call.plan.scenario}/{agent}"}
        wanted = _with_early_words(wanted)
    call.arbiter.configure(merged(wanted, call.detection.upstream()), now)
    if (switched := call.handover.switched()) is not None:
        approval.withdraw(call, f"the call was handed to {switched.to}", now)
        switching.carried_out(call, switched, now)


def _with_early_words(session: asks.Wire) -> asks.Wire:
    """Ask for the caller's words while they speak: they tell "okay" from "no" over the agent's words (deciding.py)."""
    given = dig(session, "audio", "input")
    if not isinstance(given.get("transcription"), dict):
        return session
    heard = {**given, "transcription": {**given["transcription"], "delay": "minimal"}}
    return {**session, "audio": {**session["audio"], "input": heard}}


def _tool_output(call: Call, call_id: str, output: str, now: float) -> None:
    pending = call.handover.pending
    if pending is not None and pending.call_id == call_id:  # carried out or failed, it bars nothing more
        call.arbiter.unbar()
    handoff = call.handover.answered(call_id)
    if handoff is None:
        call.tool_ended(call_id, output, now)
        return
    call.tools.pop(call_id, None)
    # Before the handoff's own result: all results are then there when the new agent is asked for its first words.
    approval.withdraw(call, f"the call was handed to {handoff.to}", now)
    history.forget(call, handoff.drops)
    call.arbiter.tool_output(call_id, output, now, cause="handoff", role=handoff.role)
