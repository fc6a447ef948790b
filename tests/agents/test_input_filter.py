"""An input_filter on a handoff: what the new agent's model still reads, through session, SDK, core and engine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from agents.realtime import RealtimeAgent

from rtbridge.agents.input_filter import filtered_handoff
from rtbridge.core import journal
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.errors import ScenarioError
from rtbridge.replay.clock import on_virtual_time
from scripted_engine import last_text, speech
from session_rig import AGENTS, CallRig, scenario_in

WRAPPED = "from rtbridge.agents.input_filter import filtered_handoff\nfrom rtbridge.core.history import HistoryItem\n"


def desks(keep: str) -> str:
    """Two desks whose handoff keeps what `keep` returns."""
    text = AGENTS.replace("from agents import", WRAPPED + "from agents import", 1)
    return text.replace("front = ", f"{keep}\n\n\nfront = ").replace(
        "handoffs=[billing]", "handoffs=[filtered_handoff(billing, keep)]"
    )


def answer(turn: Turn) -> Iterable[Act]:
    """Looks up, hands over, says something."""
    heard = last_text(turn)
    if heard == "weather in Paris":
        yield Call("look_up", '{"order": "A7"}')
    elif heard == "billing please":
        yield Call("transfer_to_billing", "{}")
    else:
        yield Say("Fine.")


async def handed_over(folder: Path, keep: str) -> tuple[CallRig, Turn]:
    """Look an order up, ask for billing, and return what billing's first response was given."""
    turns: list[Turn] = []

    def watched(turn: Turn) -> Iterable[Act]:
        turns.append(turn)
        return answer(turn)

    async with CallRig(scenario_in(folder, desks(keep)), watched) as rig:
        await rig.leg.pass_ms(1500)
        await rig.leg.pass_ms(3500, speech("weather in Paris"))
        await rig.leg.pass_ms(3500, speech("billing please"))
    assert [entry.to for entry in rig.entries(journal.AgentHandedOff)] == ["billing"]
    assert rig.entries(journal.UpstreamErred) == []
    first = next(turn for turn in turns if turn.instructions == "You are billing.")
    return rig, first


def kinds(turn: Turn) -> list[str]:
    return [str(item.get("role") or item["type"]) for item in turn.items]


@on_virtual_time()
async def test_the_new_agent_reads_what_the_filter_keeps_and_the_call_remembers_the_rest(
    tmp_path: Path,
) -> None:
    keep = "def keep(items):\n    return [item for item in items if item.role == 'user'][-1:]"
    rig, first = await handed_over(tmp_path, keep)
    assert kinds(first) == ["user", "function_call", "function_call_output"]
    assert "billing please" in str(first.items[0]["content"])
    said = [entry.text for entry in rig.session.call.speech.transcript if entry.role == "user"]
    assert said == ["weather in Paris", "billing please"]
    assert rig.leg.events_told("conversation.item.deleted") == []


@on_virtual_time()
async def test_half_of_a_tool_call_goes_with_the_other_half(tmp_path: Path) -> None:
    keep = "def keep(items):\n    return [item for item in items if item.kind != 'function_call']"
    _, first = await handed_over(tmp_path, keep)
    assert kinds(first).count("function_call_output") == 1  # the handoff's own


@on_virtual_time()
async def test_a_filter_sees_messages_as_heard_and_calls_with_their_outputs(tmp_path: Path) -> None:
    wanted = (
        "Fine.",
        "weather in Paris",
        'look_up({"order": "A7"})',
        "A7 is on its way",
        "Fine.",
        "billing please",
    )
    keep = (
        f"def keep(items):\n    assert tuple(i.text.strip() for i in items) == {wanted!r}\n    return items"
    )
    rig, first = await handed_over(tmp_path, keep)
    assert rig.entries(journal.Notice) == []
    assert kinds(first).count("function_call_output") == 2


@pytest.mark.parametrize(
    ("keep", "what"),
    [
        ("def keep(items):\n    raise ValueError('secret')", "raised ValueError"),
        ("def keep(items):\n    return ['item_1']", "returned what it was not given"),
        ("def keep(items):\n    return None", "returned what it was not given"),
        (
            "def keep(items):\n    return [HistoryItem('x', 'message', 'user', '', 'made up')]",
            "returned what it was not given",
        ),
    ],
)
@on_virtual_time()
async def test_a_filter_that_fails_is_not_obeyed_and_the_journal_says_so(
    tmp_path: Path, keep: str, what: str
) -> None:
    rig, first = await handed_over(tmp_path, keep)
    notices: list[Any] = rig.entries(journal.Notice)
    assert [entry.message for entry in notices] == [
        f"the input_filter of the handoff to billing {what}: the whole history goes along"
    ]
    assert kinds(first).count("user") == 2


def test_a_filter_that_is_no_plain_function_is_refused_when_the_scenario_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="an input_filter is a plain function"):
        scenario_in(tmp_path, desks("async def keep(items):\n    return items"))
    with pytest.raises(TypeError):
        filtered_handoff(RealtimeAgent(name="billing"), "last")  # type: ignore[arg-type]
