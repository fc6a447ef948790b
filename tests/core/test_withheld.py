"""What the caller's page may read, and when callers are answered, while guardrails watch over a call."""

from __future__ import annotations

import pytest

from far_upstream import Part
from guard_rig import (
    BAD,
    GOOD,
    TALK,
    asked_aside,
    guarded,
    heard_ms,
    item_of,
    shown,
    verdict,
)
from rig import Rig, Say, Wire
from rtbridge.core import asks, journal, withheld
from rtbridge.core.gate import UNCHECKED_PHRASE
from rtbridge.core.turns import State


# -- what the caller said -----------------------------------------------------------------------------------
def hears_first(*answers: list[Part]) -> Rig:
    rig = guarded(*answers, policy="off", hears_first=True)
    rig.speak(400, text="You fool")
    rig.advance(200)
    return rig


def about_caller(rig: Rig, state: str) -> None:
    (said,) = (one.item_id for one in rig.journal if isinstance(one, journal.CallerSaid))
    rig.ask(asks.Judged(said, state, 0, 8, who="caller", why="OFFENSIVE" if state == "fail" else ""))


def test_an_answer_can_wait_until_the_callers_words_are_cleared() -> None:
    rig = hears_first([Say(GOOD, 1600)])
    assert rig.causes() == []
    about_caller(rig, "pass")
    rig.advance(2000)
    assert rig.causes() == ["speech"]
    assert heard_ms(rig) == 1600


def test_a_caller_whose_words_fail_is_answered_by_a_model_that_was_told() -> None:
    rig = hears_first([Say("I cannot help with that.", 1200)])
    about_caller(rig, "fail")
    rig.advance(2000)
    (told,) = (one["item"] for one in rig.sent("conversation.item.create"))
    assert told["role"] == "system"
    assert rig.causes() == ["speech"]
    assert heard_ms(rig) == 1200


@pytest.mark.parametrize("is_told", [True, False])
def test_a_caller_whose_words_were_not_checked_is_not_answered_by_the_model(is_told: bool) -> None:
    rig = hears_first([Say(GOOD, 1600)])
    if is_told:
        about_caller(rig, "unchecked")
        about_caller(rig, "unchecked")
    rig.advance(10_000)
    assert rig.causes() == ["filler"]
    assert UNCHECKED_PHRASE in asked_aside(rig)
    assert heard_ms(rig, item_of(rig)) > 0
    assert rig.turn() is State.LISTENING


def test_sounds_without_words_and_typed_words_are_answered_like_others() -> None:
    rig = guarded([Say(GOOD, 1600)], [Say(GOOD, 1600)], policy="off", hears_first=True)
    rig.speak(400, text="")
    rig.advance(2000)
    assert rig.causes() == ["speech"]
    rig.write("hello", "typed_1")
    rig.advance(100)
    assert rig.causes() == ["speech"]
    rig.ask(asks.Judged("typed_1", "pass", 0, 5, who="caller"))
    rig.advance(100)
    assert rig.causes() == ["speech", "client"]


def test_a_commit_that_names_no_item_is_answered_at_once() -> None:
    rig = guarded([Say(GOOD, 1600)], policy="off", hears_first=True)
    rig.upstream({"type": "input_audio_buffer.speech_started"})
    rig.upstream({"type": "input_audio_buffer.speech_stopped"})
    rig.upstream({"type": "input_audio_buffer.committed"})
    assert rig.causes() == ["speech"]


# -- the page -----------------------------------------------------------------------------------------------
def kinds(rig: Rig) -> list[str]:
    return [event["type"] for event in rig.to_caller if event["type"].startswith("response.")]


def test_events_of_a_response_leave_in_their_order_whatever_waits() -> None:
    free = guarded([Say(TALK, 4000)], policy="off")
    free.speak(400)
    free.advance(3000)
    held = guarded([Say(TALK, 4000)])
    held.speak(400)
    held.advance(300)
    verdict(held, "pass", 0, 18)
    verdict(held, "pass", 18, 50)
    held.advance(3000)
    assert kinds(held) == kinds(free)


def test_events_that_wait_for_too_long_are_bounded() -> None:
    rig = guarded([Say(" ".join(["word"] * 5000), 20_000)], speedup=2000)
    rig.speak(400)
    rig.advance(200)
    assert len(rig.call.withheld.waiting) == 4096
    assert not shown(rig)


def test_a_text_answer_is_shown_as_far_as_it_is_cleared() -> None:
    rig = guarded([])
    rig.far.answers.clear()
    rig.speak(400)
    ids: Wire = {"response_id": "resp_x", "item_id": "text_1"}
    rig.upstream({"type": "response.created", "response": {"id": "resp_x"}})
    for delta in (GOOD, BAD):
        rig.upstream({"type": "response.output_text.delta", **ids, "delta": delta})
    assert not rig.told("response.output_text.delta")
    verdict(rig, "pass", 0, 18, "text_1")
    assert [one["delta"] for one in rig.told("response.output_text.delta")] == [GOOD]
    verdict(rig, "fail", 18, 36, "text_1")
    content = [{"type": "output_text", "text": TALK}]
    item: Wire = {"id": "text_1", "type": "message", "role": "assistant", "content": content}
    done = {"id": "resp_x", "status": "cancelled", "output": [item]}
    rig.upstream({"type": "response.output_item.done", "response_id": "resp_x", "item": item})
    rig.upstream({"type": "response.done", "response": done})
    assert "idiot" not in str(rig.to_caller)
    assert rig.told("response.done")[-1]["response"]["output"][0]["content"][0]["text"] == GOOD


def test_of_what_was_not_heard_the_page_reads_what_was_cleared_and_the_log_all() -> None:
    rig = guarded([Say(TALK, 4000)])
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "pass", 0, 18)
    rig.advance(800)
    rig.start_speaking("u2")
    (entry,) = (one for one in rig.journal if isinstance(one, journal.ItemHeard))
    assert entry.unheard_text.endswith(TALK[18:])
    told = withheld.as_told(rig.call, entry)
    assert f"{told['heard_text']} {told['unheard_text']}" == GOOD.strip()
    free = guarded([Say(TALK, 4000)], policy="observe")
    free.speak(400)
    free.advance(800)
    free.start_speaking("u2")
    (entry,) = (one for one in free.journal if isinstance(one, journal.ItemHeard))
    assert withheld.as_told(free.call, entry) == entry.as_dict()
    assert withheld.as_told(free.call, journal.ItemDeleted("i")) == {"item_id": "i"}
