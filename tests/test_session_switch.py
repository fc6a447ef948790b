"""Switching the agent within a call, through session, SDK, core and a scripted engine, on the virtual clock."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rtbridge.agents.scenario import default_root, load_scenario
from rtbridge.core import journal
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.replay.clock import on_virtual_time
from scripted_engine import last_text, speech
from session_rig import CallRig, scenario_in
from test_session import polite

DESKS = '''"""Three desks, one that cannot be reached by functions alone."""

import asyncio

from agents import function_tool
from agents.realtime import RealtimeAgent

done = []


@function_tool
async def look_up(order: str) -> str:
    """Look an order up, slowly."""
    await asyncio.sleep(3)
    return f"{order} is on its way"


@function_tool
def balance() -> str:
    """Tell the balance."""
    return "12 dollars"


async def broken(ctx, agent):
    raise ValueError("secret inside")


async def stuck(ctx, agent):
    await asyncio.Event().wait()


def told(ctx, agent):
    return f"You are billing, and the context says {ctx.context.agent}."


billing = RealtimeAgent(name="billing", instructions=told, tools=[balance])
crash = RealtimeAgent(name="crash", instructions=broken)
hang = RealtimeAgent(name="hang", instructions=stuck)
front = RealtimeAgent(
    name="front", instructions="You are the front desk.", tools=[look_up], handoffs=[billing, crash, hang]
)
start = front
'''


def switch(agent: str) -> dict[str, Any]:
    return {"type": "rtbridge.agent.switch", "event_id": "c_switch", "agent": agent}


def desks(turn: Turn) -> Iterable[Act]:
    """Says who it is; looks slowly up what is asked for; tells the balance when asked for it."""
    heard = last_text(turn)
    if heard == "weather in Paris":
        yield Call("look_up", '{"order": "A7"}')
    elif heard == "hello there" and "billing" in turn.instructions:
        yield Call("balance", "{}")
    else:
        yield Say(f"{turn.instructions} {heard}".strip())


@on_virtual_time()
async def test_the_page_switches_the_agent_within_the_call_and_the_conversation_stays(tmp_path: Path) -> None:
    turns: list[Turn] = []

    def answer(turn: Turn) -> Iterable[Act]:
        turns.append(turn)
        return polite(turn)

    async with CallRig(scenario_in(tmp_path), answer) as rig:
        await rig.leg.pass_ms(1500)
        await rig.leg.pass_ms(3000, speech("hello there"))
        rig.leg.say(switch("billing"))
        await rig.leg.pass_ms(2500)
    (told,) = rig.leg.events_told("rtbridge.agent.handed_off")
    assert (told["from"], told["to"]) == ("front", "billing")
    assert told["took_ms"] < 100
    first = turns[-1]
    assert (first.instructions, first.response_instructions) == ("You are billing.", "You are billing.")
    texts = [str(item.get("content")) for item in first.items if item["type"] == "message"]
    assert any("hello there" in text for text in texts)
    assert [item["type"] for item in first.items][-2:] == ["function_call", "function_call_output"]
    assert [entry.cause for entry in rig.entries(journal.ResponseRequested)] == [
        "greeting",
        "speech",
        "handoff",
    ]
    assert rig.entries(journal.AgentSaid)[-1].agent == "billing"
    assert rig.entries(journal.UpstreamErred) == []


@on_virtual_time()
async def test_the_new_agents_tools_run_and_an_open_call_of_the_old_one_finishes_unanswered(
    tmp_path: Path,
) -> None:
    async with CallRig(scenario_in(tmp_path, DESKS), desks) as rig:
        await rig.leg.pass_ms(3000)
        await rig.leg.pass_ms(1500, speech("weather in Paris"))
        rig.leg.say(switch("billing"))
        await rig.leg.pass_ms(6000)
        context = rig.session.call.speech.transcript
        assert sum(1 for entry in context if entry.kind == "function_call_output") == 2
        await rig.leg.pass_ms(4000, speech("hello there"))
    ended = [(entry.name, entry.output) for entry in rig.entries(journal.ToolEnded)]
    assert ended == [("look_up", "A7 is on its way"), ("balance", "12 dollars")]
    causes = [entry.cause for entry in rig.entries(journal.ResponseRequested)]
    assert causes == ["greeting", "speech", "handoff", "speech", "tool"]
    said = [entry.text for entry in rig.entries(journal.AgentSaid)]
    assert said[-1].strip() == "You are billing, and the context says billing. result 12 dollars"
    assert rig.entries(journal.UpstreamErred) == []


@on_virtual_time()
async def test_an_agent_whose_instructions_fail_or_hang_is_not_switched_to_and_the_page_is_told(
    tmp_path: Path,
) -> None:
    async with CallRig(scenario_in(tmp_path, DESKS), desks) as rig:
        await rig.leg.pass_ms(3000)
        rig.leg.say(switch("crash"))
        await rig.leg.pass_ms(3000)
        rig.leg.say(switch("hang"))
        await rig.leg.pass_ms(8000)
        rig.leg.say(switch("nobody"))
        await rig.leg.pass_ms(100)
        assert rig.session.call.agent == "front"
        await rig.leg.pass_ms(7000, speech("weather in Paris"))  # front's tools still run
    told = [event["why"] for event in rig.leg.events_told("rtbridge.agent.switch_failed")]
    assert told == [
        "the session of 'crash' could not be made: ValueError",
        "the session of 'hang' was not made within 5 s",
    ]
    (error,) = rig.leg.events_told("error")
    assert error["error"]["message"].endswith("there are: front, billing, crash, hang")
    assert {entry.agent for entry in rig.entries(journal.AgentSaid)} == {"front"}
    assert [entry.output for entry in rig.entries(journal.ToolEnded)] == ["A7 is on its way"]


# -- verification outlives a switch -----------------------------------------------------------------------
PHONE = "(206) 555-0123"
READ_BACK = {
    "my number": "I have 2 0 6, 5 5 5, 0 1 2 3. Is that right?",
    "my birthday": "That's May 1, 1990, right?",
    "my card": "The last four of your card are 4 3 2 1. Yes?",
}
IDENTITY = {
    "phone_number": PHONE,
    "date_of_birth": "1990-05-01",
    "last_4_digits": "4321",
    "last_4_digits_type": "credit_card",
}


def retail(turn: Turn) -> Iterable[Act]:
    """Reads back, verifies when told to, and looks up orders whenever a tool for that is there."""
    heard = last_text(turn)
    if heard in READ_BACK:
        yield Say(READ_BACK[heard])
    elif heard == "verify me":
        yield Call("authenticate_user_information", json.dumps(IDENTITY))
    elif heard == "my orders":
        yield Call("lookupOrders", json.dumps({"phoneNumber": PHONE}))
    else:
        yield Say("Alright.")


async def typed(rig: CallRig, *texts: str) -> None:
    for text in texts:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        rig.leg.say({"type": "conversation.item.create", "item": item})
        rig.leg.say({"type": "response.create"})
        await rig.leg.pass_ms(5000)


VERIFY = ("my number", "Yes.", "my birthday", "Yes.", "my card", "Yes.", "verify me")


@on_virtual_time()
async def test_who_is_verified_in_authentication_stays_so_when_the_page_switches_to_returns() -> None:
    async with CallRig(load_scenario(default_root() / "customer_service_retail"), retail) as rig:
        await rig.leg.pass_ms(2000)
        await typed(rig, *VERIFY)
        rig.leg.say(switch("returns"))
        await rig.leg.pass_ms(3000)
        await typed(rig, "my orders")
    verified, orders = rig.entries(journal.ToolEnded)
    assert json.loads(verified.output) == {"success": True}
    assert (orders.name, [order["order_id"] for order in json.loads(orders.output)["orders"]]) == (
        "lookupOrders",
        ["SNP-20230914-001", "SNP-20230820-002"],
    )
    assert [(entry.from_, entry.to) for entry in rig.entries(journal.AgentHandedOff)] == [
        ("authentication", "returns")
    ]


@on_virtual_time()
async def test_a_switch_before_verification_changes_who_speaks_and_not_what_is_allowed() -> None:
    async with CallRig(load_scenario(default_root() / "customer_service_retail"), retail) as rig:
        await rig.leg.pass_ms(2000)
        rig.leg.say(switch("returns"))
        await rig.leg.pass_ms(3000)
        await typed(rig, "my orders")
        assert rig.session.call.agent == "returns"
    (orders,) = rig.entries(journal.ToolEnded)
    refused = json.loads(orders.output)["error"]
    assert refused["type"] == "refused"
    assert "not verified" in refused["message"]
