"""Moderation in a whole call: what the journal and the caller's page are told of each message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from moderation_rig import ListModel
from rtbridge.core import journal
from rtbridge.core.gate import UNCHECKED_PHRASE
from rtbridge.engine.parts import Act, Say, Turn
from rtbridge.replay.clock import on_virtual_time
from rtbridge.settings import Settings
from scripted_engine import last_text, speech
from session_rig import AGENTS, CallRig, scenario_in

RUDE = "Hello there. You are an idiot. Is there anything else?"


def rude_when_asked(turn: Turn) -> Iterable[Act]:
    if "Say exactly" in (turn.response_instructions or ""):
        yield Say(str(turn.response_instructions).split('"')[1])
        return
    yield Say(RUDE if "weather" in last_text(turn) else "Welcome to the desks.")


def judged(rig: CallRig, item_id: str) -> list[str]:
    return [one.state for one in rig.entries(journal.GuardrailJudged) if one.item_id == item_id]


def insulted(turn: Turn) -> Iterable[Act]:
    yield Say("You are an idiot, and I say so.")


def corrected(turn: Turn) -> Iterable[Act]:
    told = [item for item in turn.items if item.get("role") == "system"]
    yield Say("It is fine weather there.") if told else next(iter(rude_when_asked(turn)))


@on_virtual_time()
async def test_a_sentence_that_fails_is_never_heard_or_shown_and_the_model_answers_again(
    tmp_path: Path,
) -> None:
    model = ListModel()
    scenario = scenario_in(tmp_path, guarded=True)
    async with CallRig(scenario, corrected, text_model=lambda name: model) as rig:
        await rig.leg.pass_ms(1500)
        await rig.leg.pass_ms(5500, speech("weather in Paris"))
    greeting, again = (one.item_id for one in rig.entries(journal.AgentSaid))
    (asked,) = (one.item_id for one in rig.entries(journal.CallerSaid))
    assert judged(rig, greeting) == judged(rig, asked) == judged(rig, again) == ["pending", "pass"]
    (noted,) = (one for one in rig.entries(journal.GuardrailJudged) if one.state == "fail")
    rude = noted.item_id
    assert judged(rig, rude) == ["pending", "fail"]
    failed = next(one for one in rig.leg.events_told("rtbridge.guardrail.judged") if one["state"] == "fail")
    assert {key: failed[key] for key in ("item_id", "category", "text", "who")} == {
        "item_id": rude,
        "category": "OFFENSIVE",
        "text": "You are an idiot.",
        "who": "agent",
    }
    assert failed["rationale"]
    assert failed["latency_ms"] == noted.latency_ms >= 0
    assert "weather in Paris" in [text for _, text in model.asked]
    assert [one.heard_text for one in rig.entries(journal.ItemHeard)] == [
        "Welcome to the desks.",
        "Hello there.",
        "It is fine weather there.",
    ]
    (tripped,) = rig.entries(journal.GuardrailTripped)
    assert (tripped.item_id, tripped.state, tripped.heard_ms, tripped.action) == (
        rude,
        "fail",
        480,
        "corrected",
    )
    wire = [one for one in rig.leg.told if one["type"].startswith(("response.", "conversation."))]
    assert "idiot" not in str(wire)


@on_virtual_time()
async def test_an_agent_that_is_observed_is_heard_at_once_and_one_that_is_off_is_not_checked(
    tmp_path: Path,
) -> None:
    async def think(text: str) -> None:
        await asyncio.sleep(0.6)

    policies = """
from rtbridge.agents.agent_settings import AgentSettings

settings = {"front": AgentSettings(guardrail="observe"), "billing": AgentSettings(guardrail="off")}
"""
    scenario = scenario_in(tmp_path, AGENTS + policies, guarded=True)
    for agent, states in (("front", ["pending", "fail"]), ("billing", [])):
        rig = CallRig(scenario, insulted, agent=agent, text_model=lambda _: ListModel(think))
        async with rig:
            await rig.leg.pass_ms(700)
        greeting = rig.entries(journal.ItemBegun)[0].item_id
        assert judged(rig, greeting) == states
        assert any(rig.leg.heard)
        assert len(rig.entries(journal.GuardrailTripped)) == (agent == "front")


@on_virtual_time()
async def test_the_classifier_of_a_call_is_told_the_scenarios_company_and_how_long_it_took_is_told(
    tmp_path: Path,
) -> None:
    async def think(text: str) -> None:
        await asyncio.sleep(0.25)

    model = ListModel(think)
    scenario = scenario_in(tmp_path, AGENTS + 'company = "Snowy Peak Boards"\n', guarded=True)
    async with CallRig(scenario, rude_when_asked, text_model=lambda name: model) as rig:
        await rig.leg.pass_ms(2000)
    assert {"Snowy Peak Boards" in system for system, _ in model.asked} == {True}
    (told,) = (one for one in rig.leg.events_told("rtbridge.guardrail.judged") if one["state"] == "pass")
    assert (told["category"], told["latency_ms"]) == ("NONE", 250)


@on_virtual_time()
async def test_a_call_without_a_text_endpoint_plays_nothing_unchecked_unless_that_was_set(
    tmp_path: Path,
) -> None:
    scenario = scenario_in(tmp_path, guarded=True)
    async with CallRig(scenario, rude_when_asked, text_model=None) as rig:
        await rig.leg.pass_ms(6000)
    greeting, phrase = (one.item_id for one in rig.entries(journal.ItemBegun))
    assert judged(rig, greeting) == ["pending", "unchecked"]
    assert [one.item_id for one in rig.entries(journal.ItemHeard)] == [phrase]
    settings = Settings(max_call_s=60, moderation_open=True)
    async with CallRig(scenario, rude_when_asked, text_model=None, settings=settings) as rig:
        await rig.leg.pass_ms(2000)
    assert [one.heard_text for one in rig.entries(journal.ItemHeard)] == ["Welcome to the desks."]


@on_virtual_time()
async def test_in_place_of_words_whose_check_hangs_a_safe_phrase_begins_in_time(tmp_path: Path) -> None:
    async def hang(text: str) -> None:
        await asyncio.sleep(3600)

    model = ListModel(hang)
    scenario = scenario_in(tmp_path, guarded=True)
    async with CallRig(scenario, rude_when_asked, text_model=lambda name: model) as rig:
        await rig.leg.pass_ms(6000)
    greeting, phrase = (one.item_id for one in rig.entries(journal.ItemBegun))
    assert judged(rig, greeting) == ["pending", "unchecked"]
    (heard,) = rig.entries(journal.ItemHeard)
    assert (heard.item_id, heard.heard_text) == (phrase, UNCHECKED_PHRASE)
    began_ms = next(at for at, entry in rig.journal if isinstance(entry, journal.ItemBegun))
    silent = next(at for at, sample in enumerate(rig.leg.heard) if sample) // 48
    assert silent - began_ms <= 1500


@on_virtual_time()
async def test_an_answer_can_wait_for_the_verdict_on_what_the_caller_said(tmp_path: Path) -> None:
    async def think(text: str) -> None:
        await asyncio.sleep(0.8 * ("Paris" in text))

    settings = Settings(max_call_s=60, moderation_first=True)
    scenario = scenario_in(tmp_path, guarded=True)
    model = ListModel(think)
    rig = CallRig(scenario, corrected, text_model=lambda _: model, settings=settings)
    async with rig:
        await rig.leg.pass_ms(1500)
        await rig.leg.pass_ms(4500, speech("weather in Paris"))
    said_ms = next(at for at, entry in rig.journal if isinstance(entry, journal.CallerSaid))
    asked_ms = [at for at, entry in rig.journal if isinstance(entry, journal.ResponseRequested)]
    assert asked_ms[1] - said_ms == 800


@on_virtual_time()
async def test_a_scenario_that_wants_no_guardrails_has_none(tmp_path: Path) -> None:
    async with CallRig(scenario_in(tmp_path), rude_when_asked) as rig:
        await rig.leg.pass_ms(2000)
    assert rig.entries(journal.AgentSaid)
    assert not rig.entries(journal.GuardrailJudged)
