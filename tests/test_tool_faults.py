"""Tools, supervisors and models that misbehave, in whole calls: what the model is told, and what the caller hears.

Rows T1, T2, T6 and T8 of the reliability table. (T3 is tests/agents/test_effects_kill.py.)
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from moderation_rig import SaidModel
from rtbridge.agents.deadline import GRACE_S
from rtbridge.agents.tools import MAX_OUTPUT_BYTES
from rtbridge.core import bounds, journal
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.replay.clock import on_virtual_time
from scripted_engine import last_text, speech
from session_rig import CallRig, scenario_in

AGENTS = '''"""Desks whose tools misbehave."""

import asyncio
import time

from agents import function_tool
from agents.realtime import RealtimeAgent, realtime_handoff
from rtbridge.agents.supervisor import Supervisor

guardrails = []


@function_tool
async def hang() -> str:
    """Never end."""
    await asyncio.Event().wait()


@function_tool
def block() -> str:
    """Work without letting go."""
    time.sleep(0.4)
    return "done"


async def end(how):
    if how == "raises":
        raise RuntimeError("canary 4711")
    return {
        "megabytes": "x" * 10_000_000,
        "many": [{"row": n, "text": "y" * 100} for n in range(100_000)],
        "object": object(),
        "bytes": b"\\xff" * 100,
        "keys": {("a", 1): float("inf")},
        "surrogate": "\\udc00",
        "nothing": None,
    }[how]


@function_tool
async def later(how: str) -> object:
    """End in one of many ways."""
    return await end(how)


@function_tool
def at_once(how: str) -> object:
    """End in one of many ways, in a thread."""
    return asyncio.run(end(how))


async def never(ctx):
    await asyncio.Event().wait()


boss = Supervisor("boss", "You decide.")
tools = [hang, block, later, at_once, boss.as_tool("Ask the boss.")]
lost = RealtimeAgent(name="lost", instructions="You are never reached.")
back = RealtimeAgent(name="back", instructions="You are the back office.", tools=tools)
front = RealtimeAgent(
    name="front", instructions="You are the front desk.", tools=tools,
    handoffs=[back, realtime_handoff(lost, on_handoff=never)],
)
back.handoffs.append(front)
start = front
'''


def model(act: Act, seen: list[str] | None = None) -> Callable[[Turn], Iterable[Act]]:
    """Answers a caller with `act`, and a result with the words that say so."""

    def answer(turn: Turn) -> Iterable[Act]:
        last = last_text(turn)
        if turn.response_instructions and "Say exactly" in turn.response_instructions:
            yield Say(turn.response_instructions.split('"')[1])
        elif last.startswith("result"):
            if seen is not None:
                seen.append(last.removeprefix("result "))
            yield Say("So it is.")
        elif turn.items:
            yield act
        else:
            yield Say("Hello.")

    return answer


def heard(rig: CallRig) -> list[str]:
    return [entry.heard_text for entry in rig.entries(journal.ItemHeard)]


async def asked(rig: CallRig, ms: int) -> None:
    """Let the caller ask something after the greeting, and wait."""
    await rig.leg.pass_ms(600)
    await rig.leg.pass_ms(ms, speech("hello there"))


# -- T1 ---------------------------------------------------------------------------------------------------
@on_virtual_time()
async def test_t1_a_tool_that_hangs_is_filled_in_at_1200_ms_and_is_unknown_to_the_model_at_8_s(
    tmp_path: Path,
) -> None:
    results: list[str] = []
    async with CallRig(scenario_in(tmp_path, AGENTS), model(Call("hang", "{}"), results)) as rig:
        await asked(rig, 12_000)
        started, filled, ended = (
            next(at for at, entry in rig.journal if isinstance(entry, kind))
            for kind in (journal.ToolStarted, journal.FillerAsked, journal.ToolEnded)
        )
        assert filled - started == 1200
        assert ended - started == 8000
        (result,) = results
        assert json.loads(result)["status"] == "unknown"
        assert heard(rig)[0] == "Hello."
        assert heard(rig)[-1] == "So it is."


@on_virtual_time()
async def test_t1_a_handoff_that_hangs_is_refused_at_8_s_and_the_old_agent_goes_on(tmp_path: Path) -> None:
    results: list[str] = []
    async with CallRig(scenario_in(tmp_path, AGENTS), model(Call("transfer_to_lost", "{}"), results)) as rig:
        await asked(rig, 12_000)
        assert "longer than 8 s" in json.loads(results[0])["error"]["message"]
        assert heard(rig)[-1] == "So it is."
        assert not rig.entries(journal.AgentHandedOff)
        await rig.leg.pass_ms(3000, speech("hello there"))
        assert len(rig.entries(journal.CallerSaid)) == 2


# -- T2 ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tool", ["later", "at_once"])
@pytest.mark.parametrize(
    "how", ["raises", "megabytes", "many", "object", "bytes", "keys", "surrogate", "nothing"]
)
async def test_t2_whatever_a_tool_returns_or_raises_is_one_bounded_answer(
    tmp_path: Path, tool: str, how: str
) -> None:
    results: list[str] = []
    act = Call(tool, json.dumps({"how": how}))
    async with CallRig(scenario_in(tmp_path, AGENTS), model(act, results)) as rig:
        await rig.leg.pass_ms(20)
        rig.leg.say(
            {
                "type": "conversation.item.create",
                "item": {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "go"}],
                },
            }
        )
        rig.leg.say({"type": "response.create"})
        async with asyncio.timeout(10):
            while not results:
                await rig.leg.pass_ms(20)
        (result,) = results
        assert 0 < len(result.encode()) <= MAX_OUTPUT_BYTES
        assert "canary" not in result
        assert ("error" in result) == (how in ("raises", "keys"))  # keys that are no text are no JSON
        assert ("truncated" in result) == (how in ("megabytes", "many"))


async def test_t2_a_tool_that_blocks_its_thread_holds_up_no_frame(tmp_path: Path) -> None:
    gaps: list[float] = []
    threads: set[str] = set()
    async with CallRig(scenario_in(tmp_path, AGENTS), model(Call("block", "{}"))) as rig:
        last = time.monotonic()
        for frame in range(110):
            await rig.leg.pass_ms(20, speech("hello there", 20) if frame < 20 else b"")
            now = time.monotonic()
            gaps.append(now - last)
            last = now
            threads |= {thread.name for thread in threading.enumerate()}
        (ended,) = rig.entries(journal.ToolEnded)
    assert ended.output == "done"
    assert ended.took_ms >= 400
    assert "tool" in threads
    assert max(gaps) < 0.3  # a loop that was blocked would show all of its 0.4 s


# -- T6 ---------------------------------------------------------------------------------------------------
class Boss(SaidModel):
    """A supervisor's model that takes its time, or fails."""

    def __init__(self, seconds: float, error: Exception | None = None) -> None:
        super().__init__("The boss agrees.")
        self.seconds, self.error, self.done = seconds, error, False

    async def answer(self, text: str) -> str:
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(self.seconds)  # one that does not listen: its answer still comes, too late
        if self.error is not None:
            raise self.error
        self.done = True
        return self.text


ASK_BOSS = Call("getNextResponseFromSupervisor", '{"relevantContextFromLastUserMessage": ""}')


async def supervised(tmp_path: Path, boss: Boss, ms: int) -> tuple[CallRig, list[str], dict[type[Any], int]]:
    results: list[str] = []
    scenario = scenario_in(tmp_path, AGENTS)
    async with CallRig(scenario, model(ASK_BOSS, results), text_model=lambda _name: boss) as rig:
        await asked(rig, ms)
    first: dict[type[Any], int] = {}
    for at, entry in rig.journal:
        first.setdefault(type(entry), at)
    return rig, results, first


@on_virtual_time()
async def test_t6_a_slow_supervisor_is_filled_in_and_answers(tmp_path: Path) -> None:
    rig, results, first = await supervised(tmp_path, Boss(4.0), 9000)
    assert json.loads(results[0]) == {"nextResponse": "The boss agrees."}
    assert first[journal.FillerAsked] - first[journal.ToolStarted] <= 1200
    assert heard(rig)[-1] == "So it is."


@on_virtual_time()
async def test_t6_one_that_fails_is_told_at_once_in_words_that_can_be_spoken(tmp_path: Path) -> None:
    rig, results, first = await supervised(tmp_path, Boss(0.5, RuntimeError("canary")), 6000)
    assert "cannot answer" in json.loads(results[0])["error"]
    assert "canary" not in str(rig.journal)
    assert first[journal.ToolEnded] - first[journal.ToolStarted] <= 6000
    assert heard(rig)[-1] == "So it is."


@on_virtual_time()
async def test_t6_one_that_is_too_slow_gives_way_within_6_s_and_its_late_answer_is_dropped(
    tmp_path: Path,
) -> None:
    boss = Boss(20.0)
    rig, results, first = await supervised(tmp_path, boss, 50_000)
    assert first[journal.FillerAsked] - first[journal.ToolStarted] <= 1200
    assert first[journal.ToolEnded] - first[journal.ToolStarted] <= 6000 + GRACE_S * 1000
    assert len(results) == len(rig.entries(journal.ToolEnded)) == 1
    assert "did not answer in time" in json.loads(results[0])["error"]
    assert "agrees" not in str(rig.journal)


# -- T8 ---------------------------------------------------------------------------------------------------
def obsessed(name: str, *, obedient: bool = True) -> Callable[[Turn], Iterable[Act]]:
    """A model that calls the same thing again and again, unless it is told to call nothing and obeys."""

    def answer(turn: Turn) -> Iterable[Act]:
        if turn.tool_choice == "none" and obedient:
            yield Say("I cannot get further with this now. Goodbye.")
        elif turn.items:
            to = "front" if turn.prompt_id == "desks/back" else "back"
            yield Call(name.format(to=to), '{"how": "nothing"}' if name == "later" else "{}")
        else:
            yield Say("Hello.")

    return answer


@on_virtual_time()
async def test_t8_a_storm_of_tools_ends_after_8_calls_in_a_turn_with_a_spoken_word(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path, AGENTS), obsessed("later")) as rig:
        for _ in range(2):
            await asked(rig, 6000)
    assert len(rig.entries(journal.ToolStarted)) == 2 * bounds.MAX_TOOL_CALLS == 16
    assert [entry.bound for entry in rig.entries(journal.BoundReached)] == ["tool_calls"] * 2
    assert heard(rig) == ["Hello.", *["I cannot get further with this now. Goodbye."] * 2]


@on_virtual_time()
async def test_t8_a_loop_of_handoffs_ends_after_4_in_a_minute_with_a_spoken_word(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path, AGENTS), obsessed("transfer_to_{to}")) as rig:
        await asked(rig, 6000)
    assert len(rig.entries(journal.AgentHandedOff)) == bounds.MAX_HANDOFFS == 4
    assert [entry.bound for entry in rig.entries(journal.BoundReached)] == ["handoffs"]
    assert heard(rig)[-1] == "I cannot get further with this now. Goodbye."


@on_virtual_time()
async def test_t8_a_model_that_cannot_be_stopped_has_its_call_ended(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path, AGENTS), obsessed("later", obedient=False)) as rig:
        await asked(rig, 6000)
        assert await rig.ended() == "the agent went on calling tools after it was told to end"
    assert len(rig.entries(journal.ToolStarted)) == bounds.MAX_TOOL_CALLS
