"""A tool that needs a person's approval, in a whole call on the virtual clock: page, operator, nobody, and the end."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from rtbridge.core import journal
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.errors import Conflict, Forbidden, NotFound
from rtbridge.replay.clock import on_virtual_time
from rtbridge.settings import Settings
from scripted_engine import last_text, speech
from session_rig import CallRig, scenario_in

AGENTS = '''"""A till."""

from pathlib import Path

from agents import function_tool
from agents.realtime import RealtimeAgent
from rtbridge.agents.effects import effect


@effect("effectful")
@function_tool(needs_approval=NEEDS)
def refund(cents: int) -> str:
    """Give money back."""
    with (Path(__file__).parent / "till").open("a") as till:
        till.write(f"{cents}\\n")
    return f"refunded {cents}"


start = RealtimeAgent(name="till", instructions="You are the till.", tools=[refund])
'''


def rig_in(
    folder: Path, *, needs: str = "True", more: str = "approval = 'page'\n", **settings: object
) -> CallRig:
    scenario = scenario_in(folder, AGENTS.replace("NEEDS", needs) + more)
    return CallRig(scenario, cashier, settings=Settings(max_call_s=90, **settings))  # type: ignore[arg-type]


def cashier(turn: Turn) -> Iterable[Act]:
    """Refunds whenever the caller says yes."""
    heard = last_text(turn)
    if heard == "yes please":
        yield Call("refund", '{"cents": 900}')
    elif heard.startswith("result"):
        yield Say("Done." if "refunded" in heard else "Sorry, not done.")
    else:
        yield Say("Welcome." if not turn.items else "Noted.")


def refunds(folder: Path) -> list[str]:
    till = folder / "desks" / "till"
    return till.read_text().split() if till.exists() else []


async def asked(rig: CallRig) -> str:
    """Say yes and wait for the request; return the tool call's id."""
    await rig.leg.pass_ms(1000)
    await rig.leg.pass_ms(1600, speech("yes please"))
    (requested,) = rig.entries(journal.ToolApprovalRequested)
    call_id: str = requested.call_id
    return call_id


def heard(rig: CallRig) -> str:
    return " ".join(entry.heard_text for entry in rig.entries(journal.ItemHeard))


@on_virtual_time()
async def test_a_call_approved_from_the_page_runs_once_and_is_spoken_of(tmp_path: Path) -> None:
    async with rig_in(tmp_path) as rig:
        call_id = await asked(rig)
        assert refunds(tmp_path) == []
        (told,) = rig.leg.events_told("rtbridge.tool.approval_requested")
        assert (told["call_id"], told["name"], told["approver"]) == (call_id, "refund", "page")
        assert json.loads(told["arguments"]) == {"cents": 900}
        assert told["expires_in_ms"] == 30_000
        for event_id in ("c_1", "c_2"):
            rig.leg.say({"type": "rtbridge.tool.approve", "event_id": event_id, "call_id": call_id})
        await rig.leg.pass_ms(2500)
    assert refunds(tmp_path) == ["900"]
    assert rig.entries(journal.ToolApproved) == [journal.ToolApproved(call_id, "page")]
    (error,) = rig.leg.events_told("error")
    assert error["error"]["event_id"] == "c_2"
    assert "approved by the page" in error["error"]["message"]
    assert heard(rig).endswith("Done.")


@on_virtual_time()
async def test_the_same_refund_approved_twice_is_given_once(tmp_path: Path) -> None:
    async with rig_in(tmp_path) as rig:
        rig.leg.say({"type": "rtbridge.tool.approve", "call_id": await asked(rig)})
        await rig.leg.pass_ms(2500)
        await rig.leg.pass_ms(2000, speech("yes please"))
        first, second = rig.entries(journal.ToolApprovalRequested)
        assert first.call_id != second.call_id
        rig.leg.say({"type": "rtbridge.tool.approve", "call_id": second.call_id})
        await rig.leg.pass_ms(2500)
    assert refunds(tmp_path) == ["900"]
    assert [entry.output for entry in rig.entries(journal.ToolEnded)] == ["refunded 900", "refunded 900"]


@on_virtual_time()
async def test_what_the_operator_approves_the_page_cannot(tmp_path: Path) -> None:
    async with rig_in(tmp_path, more="") as rig:
        call_id = await asked(rig)
        rig.leg.say({"type": "rtbridge.tool.approve", "event_id": "c_1", "call_id": call_id})
        await rig.leg.pass_ms(1000)
        assert [event["error"]["code"] for event in rig.leg.events_told("error")] == ["approval_not_allowed"]
        assert refunds(tmp_path) == []
        (waiting,) = rig.session.approvals()
        assert (waiting["tool_call_id"], waiting["name"], waiting["agent"]) == (call_id, "refund", "till")
        assert 27_000 < waiting["expires_in_ms"] < 30_000
        with pytest.raises(Forbidden):
            rig.session.approve(call_id, True, by="page")
        with pytest.raises(NotFound):
            rig.session.approve("call_guess", True, by="operator")
        rig.session.approve(call_id, True, by="operator")
        await rig.leg.pass_ms(2500)
        with pytest.raises(Conflict):
            rig.session.approve(call_id, False, by="operator")
        assert rig.session.approvals() == []
    assert refunds(tmp_path) == ["900"]


@on_virtual_time()
async def test_a_setting_lets_the_page_approve_where_the_scenario_names_nobody(tmp_path: Path) -> None:
    async with rig_in(tmp_path, more="", approval="page") as rig:
        await asked(rig)
        assert rig.leg.events_told("rtbridge.tool.approval_requested")[0]["approver"] == "page"
    async with rig_in(tmp_path, more="approval = 'operator'\n", approval="page") as rig:
        await asked(rig)
        assert rig.leg.events_told("rtbridge.tool.approval_requested")[0]["approver"] == "operator"


@on_virtual_time()
async def test_nobody_answers_for_30_s_and_the_caller_hears_that_it_was_not_done(tmp_path: Path) -> None:
    async with rig_in(tmp_path) as rig:
        call_id = await asked(rig)
        begin = len(rig.leg.heard)
        await rig.leg.pass_ms(32_000)
        spoken = bytes(rig.leg.heard[begin:])
    (expired,) = rig.entries(journal.ToolApprovalExpired)
    assert (expired.call_id, expired.after_ms) == (call_id, 30_000)
    at_ms = {type(entry): at for at, entry in rig.journal}
    waited = next(at for at, entry in rig.journal if isinstance(entry, journal.ToolApprovalRequested))
    assert at_ms[journal.ToolApprovalExpired] - waited == 30_000
    assert refunds(tmp_path) == []
    assert heard(rig).endswith("Sorry, not done.")
    # 2.5 s of silence are 120,000 bytes of zeros.
    answer = spoken[: spoken.rindex(b"\x58\x1b")]
    assert bytes(120_000) not in answer
    said = [entry.text for entry in rig.entries(journal.FillerAsked)]
    assert len(said) >= 5
    assert all(one != two for one, two in itertools.pairwise(said))


@on_virtual_time()
async def test_a_short_timeout_is_a_setting(tmp_path: Path) -> None:
    async with rig_in(tmp_path, approval_timeout_s=2.0) as rig:
        await asked(rig)
        await rig.leg.pass_ms(3000)
    assert [entry.after_ms for entry in rig.entries(journal.ToolApprovalExpired)] == [2000]


@on_virtual_time()
async def test_a_caller_who_talks_meanwhile_is_answered_and_the_call_still_waits(tmp_path: Path) -> None:
    async with rig_in(tmp_path) as rig:
        call_id = await asked(rig)
        await rig.leg.pass_ms(1400)
        await rig.leg.pass_ms(2500, speech("hello there"))
        assert "Noted." in heard(rig)
        assert [one["tool_call_id"] for one in rig.session.approvals()] == [call_id]
        rig.leg.say({"type": "rtbridge.tool.reject", "call_id": call_id, "message": "changed my mind"})
        await rig.leg.pass_ms(2500)
    assert rig.entries(journal.ToolRejected) == [journal.ToolRejected(call_id, "page", "changed my mind")]
    assert refunds(tmp_path) == []
    assert heard(rig).endswith("Sorry, not done.")
    (ended,) = rig.entries(journal.ToolEnded)
    assert json.loads(ended.output)["error"]["reason"] == "changed my mind"


@on_virtual_time()
async def test_a_hang_up_drops_what_waits_and_nothing_runs(tmp_path: Path) -> None:
    async with rig_in(tmp_path) as rig:
        call_id = await asked(rig)
    last = [entry for _, entry in rig.journal][-2:]
    assert last[0] == journal.ToolRejected(call_id, "bridge", "the call ended")
    assert isinstance(last[1], journal.CallClosed)
    assert refunds(tmp_path) == []


@on_virtual_time()
async def test_a_needs_approval_that_raises_runs_nothing_and_is_answered_with_an_error(
    tmp_path: Path,
) -> None:
    async with rig_in(tmp_path, needs="lambda ctx, arguments, call_id: 1 / 0") as rig:
        await rig.leg.pass_ms(1000)
        await rig.leg.pass_ms(3500, speech("yes please"))
    assert rig.entries(journal.ToolApprovalRequested) == []
    (ended,) = rig.entries(journal.ToolEnded)
    assert json.loads(ended.output)["error"]["type"] == "tool_failed"
    assert refunds(tmp_path) == []
