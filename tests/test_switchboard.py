"""Admission, failure borders and draining of the switchboard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from rtbridge.core import journal
from rtbridge.core.leg import LegEvent, LegGone, LegUp
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.errors import NotFound, TooManyRequests, Unavailable
from rtbridge.replay.clock import on_virtual_time
from rtbridge.settings import Settings
from rtbridge.switchboard import Switchboard
from rtbridge.upstream.port import Capabilities, Upstream
from scripted_engine import scripted
from session_rig import TestLeg, scenario_in

Entries = list[tuple[str, journal.Entry]]


def reasons(entries: Entries) -> list[str]:
    return [entry.reason for _, entry in entries if isinstance(entry, journal.CallClosed)]


def board(
    tmp_path: Path,
    entries: Entries | None = None,
    *,
    answer: Callable[[Turn], list[Act]] = lambda turn: [],
    **settings: Any,
) -> Switchboard:
    def record(call_id: str, at_ms: int, entry: journal.Entry) -> None:
        if entries is not None:
            entries.append((call_id, entry))

    def dial() -> Upstream:
        return MemoryUpstream(scripted(answer), capabilities=Capabilities())

    scenario = scenario_in(tmp_path)
    return Switchboard(
        settings=Settings(**settings), scenarios={scenario.id: scenario}, dial=dial, record=record
    )


@on_virtual_time()
async def test_an_unknown_scenario_or_agent_is_named_with_what_there_is(tmp_path: Path) -> None:
    async with board(tmp_path) as switchboard:
        with pytest.raises(NotFound, match="no scenario 'desk'; there are: desks"):
            switchboard.reserve(scenario="desk", agent=None)
        with pytest.raises(NotFound, match="no agent 'bill'; it has: front, billing"):
            switchboard.reserve(scenario="desks", agent="bill")
        assert switchboard.reserve(scenario="desks", agent="billing").agent == "billing"


@on_virtual_time()
async def test_a_full_board_refuses_until_a_place_is_given_back(tmp_path: Path) -> None:
    entries: Entries = []
    async with board(tmp_path, entries, max_calls=1) as switchboard:
        place = switchboard.reserve(scenario="desks", agent=None)
        with pytest.raises(Unavailable, match="All 1 lines are busy"):
            switchboard.reserve(scenario="desks", agent=None)
        place.release()
        place.release()
        switchboard.open(switchboard.reserve(scenario="desks", agent=None), leg := TestLeg())
        with pytest.raises(Unavailable):
            switchboard.reserve(scenario="desks", agent=None)
        leg.inbox.put_nowait(LegGone("done"))
        await switchboard.drain()
        assert switchboard.live == 0
        assert reasons(entries) == ["done"]
        with pytest.raises(Unavailable, match="stopping"):
            switchboard.reserve(scenario="desks", agent=None)


@on_virtual_time()
async def test_one_principal_has_its_share_and_no_more(tmp_path: Path) -> None:
    async with board(tmp_path, max_calls_per_principal=1) as switchboard:
        switchboard.reserve(scenario="desks", agent=None, principal="ann")
        with pytest.raises(TooManyRequests, match="1 calls running"):
            switchboard.reserve(scenario="desks", agent=None, principal="ann")
        switchboard.reserve(scenario="desks", agent=None, principal="bob")


@on_virtual_time()
async def test_a_bug_in_one_call_ends_that_call_and_no_other(tmp_path: Path) -> None:
    class Broken(TestLeg):
        async def events(self) -> AsyncIterator[LegEvent]:
            async for event in super().events():
                yield event
                raise ZeroDivisionError("a bug")

    entries: Entries = []
    async with board(tmp_path, entries) as switchboard:
        sick, well = Broken(), TestLeg()
        sick_id = switchboard.open(switchboard.reserve(scenario="desks", agent=None), sick)
        well_id = switchboard.open(switchboard.reserve(scenario="desks", agent=None), well)
        sick.inbox.put_nowait(LegUp())
        well.inbox.put_nowait(LegUp())
        await asyncio.sleep(1)
        assert switchboard.leg(sick_id) is None
        assert switchboard.leg(well_id) is well
        assert sick.closed
        assert reasons(entries) == ["internal error"]
        assert [entry.event for call, entry in entries if call == sick_id][-1] == "call.closed"
        assert switchboard.hangup(well_id, "deleted")
        assert not switchboard.hangup("rtc_unknown", "deleted")


@on_virtual_time()
async def test_leaving_the_switchboard_hangs_up_what_still_runs(tmp_path: Path) -> None:
    entries: Entries = []
    async with board(tmp_path, entries) as switchboard:
        switchboard.open(switchboard.reserve(scenario="desks", agent=None), leg := TestLeg())
        await asyncio.sleep(0.1)
    assert leg.closed
    assert reasons(entries) == ["the server is stopping"]
    assert leg.events_told("rtbridge.call.closed")[0]["reason"] == "the server is stopping"


@on_virtual_time()
async def test_call_ids_cannot_be_guessed(tmp_path: Path) -> None:
    async with board(tmp_path) as switchboard:
        ids = {
            switchboard.open(switchboard.reserve(scenario="desks", agent=None), TestLeg()) for _ in range(8)
        }
        assert len(ids) == 8
        assert all(call_id.startswith("rtc_") and len(call_id) >= 4 + 22 for call_id in ids)


ORDERING = '''"""A desk that takes orders."""

from agents import function_tool
from agents.realtime import RealtimeAgent
from rtbridge.agents.effects import effect

done = []


@effect("effectful", scope=lambda context, given: "customer 7")
@function_tool
async def order(item: str) -> int:
    """Order an item."""
    done.append(item)
    return len(done)


start = RealtimeAgent(name="front", instructions="Take orders.", tools=[order])
'''


@on_virtual_time()
async def test_an_effect_in_a_customers_name_is_done_once_however_often_they_call(tmp_path: Path) -> None:
    """With the book in memory too: all calls of a bridge share it."""
    entries: Entries = []

    def answer(turn: Turn) -> Iterable[Act]:
        return [Say("Done.")] if turn.items else [Call("order", '{"item": "board"}')]

    scenario = scenario_in(tmp_path, ORDERING)
    switchboard = Switchboard(
        settings=Settings(),
        scenarios={scenario.id: scenario},
        dial=lambda: MemoryUpstream(scripted(answer), capabilities=Capabilities()),
        record=lambda call_id, _at_ms, entry: entries.append((call_id, entry)),
    )
    async with switchboard:
        for _ in range(3):
            leg = TestLeg()
            switchboard.open(switchboard.reserve(scenario="desks", agent=None), leg)
            leg.inbox.put_nowait(LegUp())
            await leg.pass_ms(500)
            leg.inbox.put_nowait(LegGone("bye"))
        await switchboard.drain()
    outputs = [entry.output for _, entry in entries if isinstance(entry, journal.ToolEnded)]
    assert outputs == ["1", "1", "1"]
    assert len({call_id for call_id, _ in entries}) == 3


@on_virtual_time()
async def test_calls_are_told_to_their_principal_while_they_run_and_after(tmp_path: Path) -> None:
    def greet(turn: Turn) -> list[Act]:
        return [Say("Welcome.")]

    async with board(tmp_path, call_history=1, answer=greet) as switchboard:
        legs = []
        for principal in ("ann", "ann", "bob"):
            legs.append(TestLeg())
            switchboard.open(switchboard.reserve(scenario="desks", agent=None, principal=principal), legs[-1])
        legs[0].inbox.put_nowait(LegUp())
        await asyncio.sleep(0)
        await legs[0].pass_ms(2000)
        second, first = switchboard.calls("ann")
        assert (first.said, first.ended, first.cut) == ((("front", "Welcome."),), None, False)
        assert first.duration_ms == 2000
        assert second.said == ()
        for leg in legs:
            leg.inbox.put_nowait(LegGone("done"))
            await asyncio.sleep(0.1)
        assert switchboard.calls("ann") == []  # one call is kept, and bob's was the last
        (kept,) = switchboard.calls("bob")
        assert (kept.ended, kept.scenario, kept.agent) == ("done", "desks", "front")
