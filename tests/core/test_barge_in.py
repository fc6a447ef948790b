"""Interruptions at random moments: what was playing is cut where it was, and nothing unheard stays upstream."""

from __future__ import annotations

import random

import pytest

from rig import FarUpstream, Part, Rig, Say, Use
from rtbridge.core import asks, journal

ANSWERS: dict[str, list[Part]] = {
    "one item": [Say("I can certainly help you with that, one moment please, here it comes.", 4000)],
    "two items": [Say("Let me have a look.", 1200), Say("Your order left the house this morning.", 3000)],
    "filler, then a tool's answer": [Say("One moment, please.", 1400), Use("look_up")],
    "short": [Say("Yes.", 300)],
}


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(200))
def test_a_random_interruption_cuts_what_was_playing_where_it_was(seed: int) -> None:
    chance = random.Random(seed)
    far = FarUpstream(speedup=chance.choice([1.2, 3, 8]), cancel_delay_ms=chance.choice([0, 60, 150, 400]))
    rig = Rig(far=far)
    kind = chance.choice(list(ANSWERS))
    far.answers.append(list(ANSWERS[kind]))
    if kind.startswith("filler"):
        far.answers.append([Say("It left the house this morning, in a big blue van.", 3500)])
    rig.speak(400)
    wait_ms = chance.randrange(40, 5200, 20)
    tool_ms = chance.randrange(100, 2500, 20)
    for at in range(0, wait_ms, 20):
        rig.advance(20)
        if at >= tool_ms and rig.call.tools:
            rig.ask(asks.ToolOutput(next(iter(rig.call.tools)), "{}"))

    playing = rig.call.speech.playout.playing
    frames_before = len(rig.heard)
    truncates, deletes = (
        len(rig.sent("conversation.item.truncate")),
        len(rig.sent("conversation.item.delete")),
    )
    rig.start_speaking("u2")
    rig.advance(700)

    assert [tag for tag in rig.heard[frames_before:] if tag is not None][1:] == [], (
        "old audio after the flush"
    )
    cut = rig.sent("conversation.item.truncate")[truncates:]
    if playing is not None and playing.pulled:
        assert [event["item_id"] for event in cut] == [playing.item_id]
        heard_ms = rig.heard.count(playing.item_id) * 20
        assert heard_ms - 20 <= cut[0]["audio_end_ms"] <= heard_ms
    else:
        assert cut == []
    rig.stop_speaking("u2", "stop, please")
    rig.advance(1500)
    for item_id, item in far.items.items():
        if item.role != "assistant" or not item.done:
            continue
        heard_ms = rig.heard.count(item_id) * 20
        in_context_ms = item.audio_ms if item.truncated_ms is None else item.truncated_ms
        queued = rig.call.speech.playout.holds(item_id)
        assert queued or in_context_ms <= heard_ms, (
            f"{item_id}: {in_context_ms} ms in context, {heard_ms} ms heard"
        )
    assert far.errors == [] or set(far.errors) == {"response_cancel_not_active"}
    assert len(rig.sent("conversation.item.delete")) - deletes <= 2
    assert rig.entries(journal.TurnIgnored) == []
