"""Whole calls at random: speech, typing, tools, handoffs, stops and a moody upstream in any order.

Whatever happens, the upstream is never asked wrongly, nobody is left without an answer, and peace returns.
"""

from __future__ import annotations

import random

import pytest

from conftest import Count
from random_caller import ANSWERS, MOODS, PLAN, Caller
from rig import FarUpstream, Rig, Say
from rtbridge.core import dtmf, journal
from rtbridge.core.races import ALREADY_ACTIVE, BENIGN
from rtbridge.core.turns import State


def one_call(seed: int, *, keys: bool = False) -> None:
    chance = random.Random(seed)
    far = FarUpstream(
        speedup=chance.choice([1.1, 3, 8]),
        cancel_delay_ms=chance.choice([0, 0, 40, 300]),
        ack_delay_ms=chance.choice([0, 0, 40, 300]),
        birth_delay_ms=chance.choice([0, 0, 60, 400]),
        keeps_tool_choice=True,
    )
    rig = Rig(far=far, plan=PLAN)
    moody = seed % 3 == 0
    for _ in range(60):
        far.answers.append(list(chance.choice(MOODS if moody and chance.random() < 0.15 else ANSWERS)))
    caller = Caller(rig, chance, moody, keys=keys)
    at = 0
    while at < 5_000 or caller.speaking:
        caller.step(at, more=at < 5_000)
        at += 20
    far.answers.clear()
    far.answers.extend([[Say("Yes.", 300)]] * 20)
    arbiter = rig.call.arbiter
    while (
        caller.tools
        or caller.switches
        or rig.turn() is not State.LISTENING
        or arbiter.busy
        or not arbiter.configured
        or rig.call.keypad.deadline() is not None
    ):
        assert at < 90_000, f"no peace: {rig.turn()}, {arbiter.active}, {rig.call.tools}"
        caller.step(at, more=False)
        at += 20

    told = [item.text for item in far.items.values() if item.text.startswith(dtmf.PRESSED)]
    assert "".join(told).replace(dtmf.PRESSED, "").replace(".", "").replace(" ", "") == caller.pressed
    assert set(far.errors) <= BENIGN - {ALREADY_ACTIVE} or (moody and set(far.errors) <= BENIGN)
    assert rig.entries(journal.TurnIgnored) == []
    assert rig.call.speech.playout.playing is None
    assert far.active is None
    assert not rig.hangups
    for call_id in caller.known:
        assert call_id not in rig.call.tools
    answered = {item_id for context in far.contexts for item_id in context}
    for item_id, due in caller.turns.items():
        assert item_id in far.items
        assert item_id in answered or not due, f"{item_id} was never answered"
    for item_id, item in far.items.items():
        if item.role == "assistant" and item.done:
            heard_ms = rig.heard.count(item_id) * 20
            kept_ms = item.audio_ms if item.truncated_ms is None else item.truncated_ms
            assert kept_ms <= heard_ms, f"{item_id}: {kept_ms} ms in context, {heard_ms} ms heard"


@pytest.mark.no_cover
def test_any_schedule_of_a_call_ends_in_peace_with_everybody_answered(count: Count) -> None:
    for seed in range(count(120, 10_000)):
        try:
            one_call(seed)
        except AssertionError as failure:
            failure.add_note(f"seed {seed}")
            raise


@pytest.mark.no_cover
def test_keys_pressed_at_any_time_reach_the_agent_once_and_in_order(count: Count) -> None:
    for seed in range(count(100, 2_000)):
        try:
            one_call(seed, keys=True)
        except AssertionError as failure:
            failure.add_note(f"seed {seed}")
            raise
