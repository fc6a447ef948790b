"""Moderation in a whole call: what the journal and the caller's page are told of each message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from moderation_rig import ListModel
from rtbridge.core import journal
from rtbridge.engine.parts import Act, Say, Turn
from rtbridge.replay.clock import on_virtual_time
from scripted_engine import last_text, speech
from session_rig import AGENTS, CallRig, scenario_in

RUDE = "Hello there. You are an idiot. Is there anything else?"


def rude_when_asked(turn: Turn) -> Iterable[Act]:
    yield Say(RUDE if "weather" in last_text(turn) else "Welcome to the desks.")


def judged(rig: CallRig, item_id: str) -> list[str]:
    return [one.state for one in rig.entries(journal.GuardrailJudged) if one.item_id == item_id]


@on_virtual_time()
async def test_each_message_is_pending_and_then_judged_in_journal_and_on_the_data_channel(
    tmp_path: Path,
) -> None:
    model = ListModel()
    async with CallRig(scenario_in(tmp_path), rude_when_asked, text_model=lambda name: model) as rig:
        await rig.leg.pass_ms(1500)
        await rig.leg.pass_ms(4500, speech("weather in Paris"))
    greeting, rude = (one.item_id for one in rig.entries(journal.AgentSaid))
    (asked,) = (one.item_id for one in rig.entries(journal.CallerSaid))
    assert judged(rig, greeting) == judged(rig, asked) == ["pending", "pass"]
    assert judged(rig, rude) == ["pending", "fail"]
    failed = next(one for one in rig.leg.events_told("rtbridge.guardrail.judged") if one["state"] == "fail")
    assert {key: failed[key] for key in ("item_id", "category", "text", "who")} == {
        "item_id": rude,
        "category": "OFFENSIVE",
        "text": "You are an idiot.",
        "who": "agent",
    }
    assert failed["rationale"]
    (noted,) = (one for one in rig.entries(journal.GuardrailJudged) if one.state == "fail")
    assert failed["latency_ms"] == noted.latency_ms >= 0
    assert "weather in Paris" in [text for _, text in model.asked]


@on_virtual_time()
async def test_the_classifier_of_a_call_is_told_the_scenarios_company_and_how_long_it_took_is_told(
    tmp_path: Path,
) -> None:
    async def think(text: str) -> None:
        await asyncio.sleep(0.25)

    model = ListModel(think)
    scenario = scenario_in(tmp_path, AGENTS + 'company = "Snowy Peak Boards"\n')
    async with CallRig(scenario, rude_when_asked, text_model=lambda name: model) as rig:
        await rig.leg.pass_ms(2000)
    assert {"Snowy Peak Boards" in system for system, _ in model.asked} == {True}
    (told,) = (one for one in rig.leg.events_told("rtbridge.guardrail.judged") if one["state"] == "pass")
    assert (told["category"], told["latency_ms"]) == ("NONE", 250)


@on_virtual_time()
async def test_a_call_without_a_text_endpoint_says_that_nothing_was_checked(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path), rude_when_asked) as rig:
        await rig.leg.pass_ms(2000)
    (greeting,) = (one.item_id for one in rig.entries(journal.AgentSaid))
    assert judged(rig, greeting) == ["pending", "unchecked"]


@on_virtual_time()
async def test_a_classifier_that_hangs_holds_up_nobody_and_is_told_as_unchecked(tmp_path: Path) -> None:
    async def hang(text: str) -> None:
        await asyncio.sleep(3600)

    model = ListModel(hang)
    async with CallRig(scenario_in(tmp_path), rude_when_asked, text_model=lambda name: model) as rig:
        await rig.leg.pass_ms(3000)
    (greeting,) = (one.item_id for one in rig.entries(journal.AgentSaid))
    assert judged(rig, greeting) == ["pending", "unchecked"]
    assert [one.heard_text for one in rig.entries(journal.ItemHeard)] == ["Welcome to the desks."]


@on_virtual_time()
async def test_a_scenario_that_wants_no_guardrails_has_none(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path, AGENTS + "guardrails = []\n"), rude_when_asked) as rig:
        await rig.leg.pass_ms(2000)
    assert rig.entries(journal.AgentSaid)
    assert not rig.entries(journal.GuardrailJudged)
