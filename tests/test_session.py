"""One call through session, SDK, core and a scripted engine, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from rtbridge.core import journal
from rtbridge.core.leg import LegGone, LegResumed, LegSuspended
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.replay.clock import on_virtual_time
from scripted_engine import last_text, speech
from session_rig import CallRig, scenario_in


def polite(turn: Turn) -> Iterable[Act]:
    """Greets, hands billing over, looks orders up, and repeats the rest."""
    heard = last_text(turn)
    if not turn.items:
        yield Say("Welcome to the desks.")
    elif heard == "billing please":
        yield Call("transfer_to_billing", "{}")
    elif heard == "weather in Paris":
        yield Say("One moment.")
        yield Call("look_up", '{"order": "A7"}')
    elif heard.startswith("result"):
        yield Say(f"{turn.instructions} {heard}")
    else:
        yield Say(f"You said {heard}.")


@on_virtual_time()
async def test_the_agent_speaks_first_and_nobody_planted_a_user_message(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path), polite) as rig:
        await rig.leg.pass_ms(2000)
    assert [entry.cause for entry in rig.entries(journal.ResponseRequested)] == ["greeting"]
    assert [entry.heard_text for entry in rig.entries(journal.ItemHeard)] == ["Welcome to the desks."]
    assert [event["item"]["role"] for event in rig.leg.events_told("conversation.item.added")] == [
        "assistant"
    ]


@on_virtual_time()
async def test_a_spoken_turn_is_answered_and_timed(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path), polite) as rig:
        await rig.leg.pass_ms(1500)
        await rig.leg.pass_ms(3000, speech("hello there", 600))
    (turn,) = rig.entries(journal.TurnEnded)
    assert turn.respond_ms is not None
    assert 480 <= turn.respond_ms <= 560
    assert [entry.text for entry in rig.entries(journal.CallerSaid)] == ["hello there"]
    assert rig.leg.told[0]["type"] == "session.created"


@on_virtual_time()
async def test_what_the_offer_wished_for_is_answered_like_the_first_session_update(tmp_path: Path) -> None:
    wish = {"instructions": "Be rude.", "audio": {"input": {"turn_detection": None}}}
    async with CallRig(scenario_in(tmp_path), polite, wish=wish) as rig:
        await rig.leg.pass_ms(2000)
        await rig.leg.pass_ms(2000, speech("hello there", 600))
    (updated,) = rig.leg.events_told("session.updated")
    assert updated["session"]["audio"]["input"]["turn_detection"] is None
    assert updated["session"]["instructions"] != "Be rude."
    (notice,) = rig.leg.events_told("rtbridge.notice")
    assert "instructions" in str(notice)
    assert rig.entries(journal.CallerSaid) == []  # with no detection in force, nobody found a turn


@on_virtual_time()
async def test_a_tool_is_run_and_its_result_spoken(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path), polite) as rig:
        await rig.leg.pass_ms(1500)
        await rig.leg.pass_ms(4500, speech("weather in Paris"))
    (ended,) = rig.entries(journal.ToolEnded)
    assert (ended.name, ended.arguments, ended.output) == ("look_up", '{"order": "A7"}', "A7 is on its way")
    heard = [entry.heard_text for entry in rig.entries(journal.ItemHeard)]
    assert heard[1:] == ["One moment.", "You are the front desk. result A7 is on its way"]
    assert all(
        "function_call" not in str(event)
        for event in rig.leg.told
        if not event["type"].startswith("rtbridge.")
    )


@on_virtual_time()
async def test_a_handoff_changes_who_speaks_once_the_new_session_is_in_force(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path), polite) as rig:
        await rig.leg.pass_ms(1500)
        await rig.leg.pass_ms(4500, speech("billing please"))
    (handed,) = rig.entries(journal.AgentHandedOff)
    assert (handed.from_, handed.to) == ("front", "billing")
    last = rig.entries(journal.AgentSaid)[-1]
    assert last.agent == "billing"
    assert last.text.startswith("You are billing.")
    assert rig.leg.events_told("rtbridge.agent.handed_off")[0]["to"] == "billing"


@on_virtual_time()
async def test_the_engine_is_told_whose_lines_to_speak_and_another_upstream_is_not(tmp_path: Path) -> None:
    prompts: list[str | None] = []

    def note(turn: Turn) -> Iterable[Act]:
        prompts.append(turn.prompt_id)
        yield Say("Hello.")

    for is_engine in (True, False):
        async with CallRig(scenario_in(tmp_path), note, agent="billing", is_engine=is_engine) as rig:
            await rig.leg.pass_ms(200)
    assert prompts == ["desks/billing", None]


@on_virtual_time()
async def test_typed_text_is_answered_by_voice(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path), polite) as rig:
        await rig.leg.pass_ms(1500)
        content = [{"type": "input_text", "text": "good morning"}]
        rig.leg.say(
            {
                "type": "conversation.item.create",
                "item": {"type": "message", "role": "user", "content": content},
            }
        )
        rig.leg.say({"type": "response.create"})
        await rig.leg.pass_ms(2500)
    assert [(entry.text, entry.typed) for entry in rig.entries(journal.CallerSaid)] == [
        ("good morning", True)
    ]
    assert rig.entries(journal.ItemHeard)[-1].heard_text == "You said good morning."


@on_virtual_time()
async def test_a_barge_in_leaves_only_heard_words_in_the_next_turn(tmp_path: Path) -> None:
    turns: list[list[str]] = []

    def answer(turn: Turn) -> Iterable[Act]:
        turns.append([str(item.get("content")) for item in turn.items])
        yield Say("one two three four five six seven eight nine ten") if not turn.items else Say("Sorry.")

    async with CallRig(scenario_in(tmp_path), answer) as rig:
        await rig.leg.pass_ms(1000)
        await rig.leg.pass_ms(2500, speech("hello there"))
    assert "four" in turns[1][0]
    assert "six" not in turns[1][0]
    (cut,) = rig.entries(journal.ItemTruncated)
    assert 1000 <= cut.heard_ms <= 1060


@on_virtual_time()
async def test_a_suspended_caller_hears_the_rest_when_they_are_back(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path), polite) as rig:
        await rig.leg.pass_ms(300)
        rig.leg.inbox.put_nowait(LegSuspended("no media for 3 s"))
        await rig.leg.pass_ms(2000)
        assert not rig.entries(journal.ItemHeard)
        rig.leg.inbox.put_nowait(LegResumed(2000))
        await rig.leg.pass_ms(1500)
    (heard,) = rig.entries(journal.ItemHeard)
    assert heard.heard_ms == heard.total_ms == 960


@on_virtual_time(limit_s=200)
async def test_a_call_ends_at_its_longest_allowed_time(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path), polite) as rig:
        assert await rig.ended() == "the call reached its longest allowed time"
        assert asyncio.get_running_loop().time() == pytest.approx(60, abs=1)
    assert rig.leg.closed


@on_virtual_time(limit_s=200)
async def test_a_deadline_that_the_loop_keeps_half_a_nanosecond_early_is_kept_once(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path), polite) as rig:
        rig.session.call.opened_s += 4.9e-10  # asyncio fires a timer up to its clock's resolution early
        assert await rig.ended() == "the call reached its longest allowed time"


@on_virtual_time()
async def test_an_upstream_that_goes_away_ends_the_call_with_a_reason_the_page_shows(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path), polite) as rig:
        await rig.leg.pass_ms(200)
        client = rig.upstream._client
        assert client is not None
        await client.close()
        reason = await rig.ended()
    assert "ended" in reason
    assert rig.leg.events_told("rtbridge.call.closed")[0]["reason"] == reason
    assert rig.entries(journal.UpstreamFailed)


@on_virtual_time()
async def test_a_hangup_closes_both_legs_and_leaves_no_task(tmp_path: Path) -> None:
    before = len(asyncio.all_tasks())
    async with CallRig(scenario_in(tmp_path), polite) as rig:
        await rig.leg.pass_ms(200)
        rig.session.hangup("deleted")
        rig.session.hangup("again")
        assert await rig.ended() == "deleted"
        assert rig.leg.closed
    assert len(asyncio.all_tasks()) == before
    assert [entry.reason for entry in rig.entries(journal.CallClosed)] == ["deleted"]


@on_virtual_time()
async def test_the_caller_hanging_up_ends_the_call_with_their_reason(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path), polite) as rig:
        rig.leg.inbox.put_nowait(LegGone("the caller closed the connection"))
        assert await rig.ended() == "the caller closed the connection"


@on_virtual_time()
async def test_a_tool_that_raises_becomes_a_result_and_the_call_goes_on(tmp_path: Path) -> None:
    def answer(turn: Turn) -> Iterable[Act]:
        if last_text(turn).startswith("result"):
            yield Say("That did not work.")
        else:
            yield Call("look_up", '{"order": "bad"}')

    async with CallRig(scenario_in(tmp_path), answer) as rig:
        await rig.leg.pass_ms(2000)
    (ended,) = rig.entries(journal.ToolEnded)
    assert "tool_failed" in ended.output
    assert "secret" not in ended.output
    assert rig.entries(journal.ItemHeard)[-1].heard_text == "That did not work."


SLOW_TOOL = '''"""A slow desk."""

import asyncio

from agents import function_tool
from agents.realtime import RealtimeAgent


@function_tool
async def look_up(order: str) -> str:
    """Look an order up."""
    await asyncio.sleep(3)
    return "found"


fillers = ["Bear with me."]
start = RealtimeAgent(name="front", instructions="You are slow.", tools=[look_up])
'''


@on_virtual_time()
async def test_a_slow_tool_is_covered_by_a_filler_that_makes_way_for_the_answer(tmp_path: Path) -> None:
    def answer(turn: Turn) -> Iterable[Act]:
        if turn.response_instructions:
            yield Say(turn.response_instructions.split('"')[1])
        elif last_text(turn).startswith("result"):
            yield Say("Here it is.")
        elif turn.items:
            yield Call("look_up", '{"order": "A7"}')
        else:
            yield Say("Hello.")

    async with CallRig(scenario_in(tmp_path, SLOW_TOOL), answer) as rig:
        await rig.leg.pass_ms(600)
        await rig.leg.pass_ms(8000, speech("hello there"))
    assert [entry.text for entry in rig.entries(journal.FillerAsked)] == ["Bear with me."]
    heard = [entry.heard_text for entry in rig.entries(journal.ItemHeard)]
    assert heard == ["Hello.", "Bear with me.", "Here it is."]
