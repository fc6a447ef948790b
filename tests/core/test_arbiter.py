"""What is sent upstream and when, on plain numbers. Traps of the field that live here, by name:

7 response.create while the caller speaks · 8 the active-response error drops the follow-up · 9 parallel tools give
several responses · 10 an unknown tool is dead air · 18 the new agent speaks as the old one · 21 a response.done that
never comes blocks every create.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from rtbridge.core import arbiter as module
from rtbridge.core import configuration, responses
from rtbridge.core.arbiter import Arbiter
from rtbridge.core.races import ALREADY_ACTIVE

Wire = dict[str, Any]
SESSION = {"type": "realtime", "instructions": "Be brief."}


def made(*, configured: bool = True) -> Arbiter:
    ids = itertools.count(1)
    arbiter = Arbiter(new_id=lambda prefix: f"{prefix}{next(ids)}")
    if configured:
        arbiter.configure(SESSION, 0)
        arbiter.session_updated(0)
        list(arbiter.take())
    return arbiter


def kinds(arbiter: Arbiter) -> list[str]:
    return [event["type"] for event in arbiter.take()]


def create(arbiter: Arbiter) -> Wire:
    (event,) = [event for event in arbiter.take() if event["type"] == "response.create"]
    return event


def spoken_turn(arbiter: Arbiter, now: float = 1) -> None:
    arbiter.speech_started()
    arbiter.turn_over()
    arbiter.committed(now)


def test_a_session_update_carries_the_session_and_nothing_goes_out_before_its_acknowledgement() -> None:
    arbiter = made(configured=False)
    arbiter.add_item({"type": "message"}, 0)
    arbiter.forward({"type": "input_audio_buffer.commit"})
    arbiter.want("greeting", 0)
    assert kinds(arbiter) == []
    arbiter.configure(SESSION, 0)
    assert kinds(arbiter) == ["session.update"]
    assert not arbiter.configured
    arbiter.session_updated(1)
    assert kinds(arbiter) == ["conversation.item.create", "input_audio_buffer.commit", "response.create"]
    arbiter.session_updated(1)  # one too many
    assert arbiter.configured


def test_wants_that_wait_together_become_one_create() -> None:
    arbiter = made()
    arbiter.want("text", 0)
    arbiter.response_created("r1", 0)
    for cause in ("text", "client", "tool"):
        arbiter.want(cause, 0)
    assert kinds(arbiter) == ["response.create"]
    arbiter.response_done("r1", 1)
    assert kinds(arbiter) == ["response.create"]
    assert arbiter.take_requested() == ["text", "tool"]


def test_trap_7_a_create_is_held_from_speech_started_to_committed() -> None:
    arbiter = made()
    arbiter.speech_started()
    arbiter.want("tool", 0)
    assert kinds(arbiter) == []
    arbiter.turn_over()
    arbiter.advance(0)
    assert kinds(arbiter) == []
    arbiter.committed(1)
    assert kinds(arbiter) == ["response.create"]


def test_a_create_that_was_held_goes_when_the_callers_words_are_dropped() -> None:
    arbiter = made()
    arbiter.speech_started()
    arbiter.want("tool", 0)
    arbiter.speech_dropped(1)
    assert kinds(arbiter) == ["response.create"]


def test_a_client_that_commits_by_itself_or_said_create_response_false_asks_by_itself() -> None:
    arbiter = made()
    arbiter.committed(1)
    assert not arbiter.busy
    arbiter.auto_create = False
    spoken_turn(arbiter)
    assert kinds(arbiter) == []


def test_trap_8_a_refused_create_is_asked_again_when_the_other_response_is_done() -> None:
    arbiter = made()
    arbiter.want("speech", 0)
    refused = create(arbiter)
    assert arbiter.erred(ALREADY_ACTIVE, refused["event_id"], 1)
    assert arbiter.busy
    assert kinds(arbiter) == []
    arbiter.response_done("a stranger's", 2)
    assert kinds(arbiter) == ["response.create"]


def test_a_refusal_without_event_id_is_about_the_create_that_is_out() -> None:
    arbiter = made()
    arbiter.want("speech", 0)
    create(arbiter)
    assert arbiter.erred(ALREADY_ACTIVE, None, 1)
    arbiter.response_done("x", 2)
    assert kinds(arbiter) == ["response.create"]
    arbiter.response_created("mine", 2)
    assert arbiter.erred(ALREADY_ACTIVE, None, 3)
    arbiter.response_done("mine", 3)
    assert kinds(arbiter) == []


def test_a_create_whose_place_a_strangers_response_took_is_asked_again() -> None:
    arbiter = made()
    arbiter.want("speech", 0)
    ours = create(arbiter)
    arbiter.response_created("the upstream's own", 0)
    assert arbiter.erred(ALREADY_ACTIVE, ours["event_id"], 0)
    arbiter.response_done("the upstream's own", 1)
    assert kinds(arbiter) == ["response.create"]


def test_a_stranger_that_was_said_to_be_active_and_never_ends_is_not_waited_for_forever() -> None:
    arbiter = made()
    arbiter.want("speech", 0)
    arbiter.erred(ALREADY_ACTIVE, create(arbiter)["event_id"], 1)
    assert arbiter.deadline() == 1 + module.CREATED_WITHIN_S
    assert arbiter.expire(5) == []
    assert arbiter.expire(9) == ["a response that was said to be active did not end"]
    assert kinds(arbiter) == ["response.create"]


def test_any_other_refusal_of_a_create_ends_the_waiting() -> None:
    arbiter = made()
    arbiter.want("speech", 0)
    assert not arbiter.erred("server_error", create(arbiter)["event_id"], 1)
    assert not arbiter.busy
    assert not arbiter.erred("server_error", "somebody else's", 1)
    assert not arbiter.erred("server_error", None, 1)


def test_an_interrupted_create_is_cancelled_at_birth_and_what_was_wanted_meanwhile_follows() -> None:
    arbiter = made()
    arbiter.want("speech", 0)
    create(arbiter)
    assert arbiter.cancel(0)
    spoken_turn(arbiter)
    assert kinds(arbiter) == []
    response = arbiter.response_created("r1", 2)
    assert response.cancelled
    assert [event["response_id"] for event in arbiter.take()] == ["r1"]
    arbiter.response_done("r1", 3)
    assert kinds(arbiter) == ["response.create"]


def test_an_interrupted_create_that_is_refused_is_not_asked_again() -> None:
    arbiter = made()
    arbiter.want("speech", 0)
    refused = create(arbiter)
    arbiter.cancel(0)
    arbiter.erred(ALREADY_ACTIVE, refused["event_id"], 1)
    arbiter.response_done("x", 2)
    assert kinds(arbiter) == []


def test_cancel_is_sent_once_and_says_whether_there_was_anything() -> None:
    arbiter = made()
    assert not arbiter.cancel(0)
    arbiter.want("speech", 0)
    arbiter.response_created("r1", 0)
    create(arbiter)
    assert arbiter.cancel(0)
    assert arbiter.cancel(0)
    assert kinds(arbiter) == ["response.cancel"]


def test_trap_6_a_response_that_nobody_asked_for_does_not_talk_over_the_caller() -> None:
    arbiter = made()
    arbiter.speech_started()
    assert arbiter.response_created("uncalled for", 0).cancelled
    arbiter.response_done("uncalled for", 0)
    arbiter.speech_dropped(0)
    assert not arbiter.response_created("in silence", 0).cancelled


def test_unheard_items_of_a_live_response_are_deleted_when_it_is_done_and_before_the_next_create() -> None:
    arbiter = made()
    arbiter.want("speech", 0)
    arbiter.response_created("r1", 0)
    arbiter.responses.item_added("r1", "a")
    arbiter.responses.item_added("r1", "a")
    arbiter.responses.item_added("nobody's", "b")
    create(arbiter)
    arbiter.want("text", 0)
    arbiter.delete("a")
    arbiter.delete("old")
    assert [event["item_id"] for event in arbiter.take()] == ["old"]
    arbiter.response_done("r1", 1)
    assert kinds(arbiter) == ["conversation.item.delete", "response.create"]


def test_trap_9_the_outputs_of_one_response_join_into_one_create() -> None:
    arbiter = made()
    arbiter.want("speech", 0)
    arbiter.response_created("r1", 0)
    arbiter.responses.tool_called("r1", "fast")
    arbiter.responses.tool_called("r1", "slow")
    arbiter.responses.tool_called("long forgotten", "x")
    arbiter.response_done("r1", 1)
    create(arbiter)
    arbiter.tool_output("fast", "1", 2, cause="tool")
    assert kinds(arbiter) == ["conversation.item.create"]
    assert arbiter.busy
    arbiter.tool_output("slow", "2", 9, cause="tool")
    assert kinds(arbiter) == ["conversation.item.create", "response.create"]


def test_trap_10_the_result_of_a_tool_that_nobody_knows_makes_the_model_go_on() -> None:
    arbiter = made()
    arbiter.tool_output("call_x", "Tool nope not found", 0, cause="tool")
    assert kinds(arbiter) == ["conversation.item.create", "response.create"]


def test_trap_18_a_handoff_is_session_acknowledged_then_output_then_one_create_in_the_new_role() -> None:
    arbiter = made()
    arbiter.want("speech", 0)
    arbiter.response_created("r1", 0)
    arbiter.responses.tool_called("r1", "t")
    arbiter.responses.tool_called("r1", "look_up")
    create(arbiter)
    arbiter.configure({"instructions": "You are a poet."}, 1)
    arbiter.tool_output("t", "{}", 1, cause="handoff", role="You are a poet.")
    assert kinds(arbiter) == [], "the old agent's response is still active"
    arbiter.response_done("r1", 2)
    assert kinds(arbiter) == ["session.update"]
    arbiter.session_updated(3)
    assert kinds(arbiter) == ["conversation.item.create"], "the other tool's result is missing"
    arbiter.tool_output("look_up", "{}", 4, cause="tool")
    output, asked = arbiter.take()
    assert output["item"]["call_id"] == "look_up"
    assert asked["response"] == {"instructions": "You are a poet."}
    arbiter.response_created("r2", 5)
    arbiter.response_done("r2", 6)
    arbiter.want("text", 6)
    assert "response" not in create(arbiter)


def test_the_new_role_stays_with_the_first_response_that_says_something() -> None:
    arbiter = made()
    arbiter.tool_output("t", "{}", 0, cause="handoff", role="Poet.")
    assert create(arbiter)["response"] == {"instructions": "Poet."}
    arbiter.cancel(0)  # the caller speaks
    arbiter.response_created("r1", 1)
    arbiter.response_done("r1", 2)
    spoken_turn(arbiter, 3)
    assert create(arbiter)["response"] == {"instructions": "Poet."}
    arbiter.response_created("r2", 4)
    arbiter.responses.item_added("r2", "a")
    arbiter.cancel(5)
    arbiter.response_done("r2", 6)
    arbiter.want("text", 6)
    assert "response" not in create(arbiter)


def test_a_waiting_handoff_stays_a_handoff_whatever_joins_it() -> None:
    arbiter = made()
    arbiter.speech_started()
    arbiter.tool_output("t", "{}", 0, cause="handoff", role="Poet.")
    arbiter.turn_over()
    arbiter.committed(1)
    assert arbiter.take_requested() == ["handoff"]


def test_a_failed_response_is_asked_for_again_in_its_role() -> None:
    arbiter = made()
    arbiter.tool_output("t", "{}", 0, cause="handoff", role="Poet.")
    create(arbiter)
    failed = arbiter.response_created("r1", 1)
    arbiter.want_again(failed.want, 2)
    arbiter.want_again(failed.want, 2)
    arbiter.response_done("r1", 2)
    assert create(arbiter)["response"] == {"instructions": "Poet."}
    assert arbiter.take_requested() == ["handoff", "retry"]


def test_an_unanswered_session_update_is_not_waited_for_forever() -> None:
    arbiter = made(configured=False)
    arbiter.configure(SESSION, 10)
    arbiter.want("greeting", 10)
    assert arbiter.deadline() == 10 + configuration.UPDATED_WITHIN_S
    assert arbiter.expire(14.9) == []
    assert arbiter.expire(15) == ["session.update was not acknowledged"]
    assert kinds(arbiter) == ["session.update", "response.create"]


def test_a_refused_session_update_is_acknowledged_by_its_error() -> None:
    arbiter = made()
    arbiter.configure({"voice": "x"}, 0)
    (update,) = arbiter.take()
    assert arbiter.configuration.is_owed(update["event_id"])
    assert not arbiter.erred("cannot_update_voice", update["event_id"], 1)
    assert arbiter.configured


def test_an_unanswered_create_is_asked_again_once() -> None:
    arbiter = made()
    arbiter.want("speech", 10)
    assert arbiter.deadline() == 10 + module.CREATED_WITHIN_S
    assert arbiter.expire(18) == ["response.create was not answered"]
    assert kinds(arbiter) == ["response.create", "response.create"]
    assert arbiter.expire(26) == ["response.create was not answered"]
    assert not arbiter.busy


def test_an_unanswered_create_that_was_interrupted_is_not_asked_again() -> None:
    arbiter = made()
    arbiter.want("speech", 10)
    arbiter.cancel(11)
    arbiter.expire(18)
    assert not arbiter.busy
    assert not arbiter.response_created("late", 19).cancelled


def test_trap_21_a_response_that_falls_silent_is_cancelled_and_given_up() -> None:
    arbiter = made()
    arbiter.want("speech", 0)
    arbiter.response_created("r1", 0)
    arbiter.responses.item_added("r1", "a")
    create(arbiter)
    arbiter.heard_from("r1", 10)
    arbiter.heard_from("somebody else", 29)
    assert arbiter.deadline() == 10 + module.SILENT_FOR_S
    assert arbiter.lost(30) is None
    assert arbiter.expire(29.9) == []
    assert arbiter.expire(30) == ["the response fell silent"]
    assert kinds(arbiter) == ["response.cancel"]
    assert arbiter.deadline() == 30 + module.CANCELLED_WITHIN_S
    lost = arbiter.lost(33)
    assert lost is not None
    assert lost.response_id == "r1"
    arbiter.response_done("r1", 33)
    assert not arbiter.busy
    assert arbiter.deadline() is None


def test_a_response_that_never_said_anything_is_asked_for_once_more() -> None:
    arbiter = made()
    arbiter.want("speech", 0)
    for name, again in (("r1", True), ("r2", False)):
        arbiter.response_created(name, 0)
        arbiter.expire(20)
        arbiter.response_done(name, 20)
        assert ("response.create" in kinds(arbiter)[-1:]) == again


def test_only_the_latest_responses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MAX_REMEMBERED", 2)
    arbiter = made()
    for name in ("a", "b", "c"):
        arbiter.response_created(name, 0)
        arbiter.response_done(name, 0)
    assert arbiter.response("a") is None
    assert arbiter.response("c") is not None


def test_what_waits_for_a_session_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD", 2)
    arbiter = made(configured=False)
    arbiter.forward({"type": "x"})
    assert not arbiter.crowded
    arbiter.forward({"type": "x"})
    assert arbiter.crowded
