"""A client cancels an answer whose words are being checked: what is cleared by then is heard, and nothing waits."""

from __future__ import annotations

import pytest

from guard_rig import GOOD, TALK, guarded, heard_ms, item_of, shown, verdict
from rig import Rig, Say
from rtbridge.core import journal
from rtbridge.core.turns import State


def cancelled(rig: Rig, after_ms: int) -> None:
    rig.speak(400)
    rig.advance(after_ms)
    rig.client({"type": "response.cancel"})
    rig.advance(200)


@pytest.mark.parametrize("state", ["pass", "fail", "unchecked"])
def test_an_answer_of_which_nothing_is_cleared_is_not_waited_for(state: str) -> None:
    rig = guarded([Say(TALK, 4000)], speedup=2)
    cancelled(rig, 1400)
    assert item_of(rig) not in rig.far.items
    assert rig.turn() is State.LISTENING
    verdict(rig, state, 0, 18)
    rig.advance(4000)
    assert heard_ms(rig) == 0
    assert not shown(rig)
    assert rig.turn() is State.LISTENING
    assert rig.causes() == ["speech"]  # nor does the model answer again what nobody wants to hear
    assert not rig.far.errors


def test_what_was_cleared_plays_to_its_end_and_the_upstream_knows_where_that_is() -> None:
    rig = guarded([Say(TALK, 4000)], speedup=2)
    rig.speak(400)
    rig.advance(1400)
    verdict(rig, "pass", 0, 18)
    rig.client({"type": "response.cancel"})
    rig.advance(4000)
    assert heard_ms(rig) == 1600
    assert rig.far.items[item_of(rig)].truncated_ms == 1600
    assert shown(rig).strip() == GOOD.strip()
    assert rig.turn() is State.LISTENING
    assert not rig.far.errors


def test_what_was_all_cleared_is_cut_where_the_cancel_cut_it_and_only_once() -> None:
    rig = guarded([Say(TALK, 4000)], speedup=2)
    rig.speak(400)
    rig.advance(1400)
    verdict(rig, "pass", 0, len(TALK))
    rig.client({"type": "response.cancel"})
    rig.advance(4000)
    assert 2000 < heard_ms(rig) < 4000
    assert rig.far.items[item_of(rig)].truncated_ms == heard_ms(rig)
    assert len(rig.entries(journal.ItemTruncated)) == 1
    assert rig.turn() is State.LISTENING
    assert not rig.far.errors
