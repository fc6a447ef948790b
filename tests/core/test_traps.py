"""Traps of the protocol that touch a plain call, a tool call or a handoff, by number:

2 late deltas after a barge-in · 3 two items in a response, filler then answer · 4 truncation at zero or over length ·
5 an interruption where nothing played · 7 response.create while the caller speaks · 8 the active-response error ·
9 parallel tools · 10 an unknown tool · 14 previous_item_id · 15 items are never retrieved · 18 the new agent speaks
as the old one · 20 failed and incomplete responses are silent · 21 a response.done that is missing or malformed.
"""

from __future__ import annotations

from typing import Any

import pytest

from rig import Fail, FarUpstream, Hang, Refuse, Rig, Say, Use
from rtbridge.core import asks, journal
from rtbridge.core.turns import State

Wire = dict[str, Any]


def notices(rig: Rig) -> list[str]:
    return [entry.message for entry in rig.journal if isinstance(entry, journal.Notice)]


def agent_items(rig: Rig) -> list[str]:
    return [item_id for item_id, item in rig.far.items.items() if item.role == "assistant"]


def test_trap_2_late_deltas_after_a_barge_in_never_play_and_are_not_told() -> None:
    rig = Rig(far=FarUpstream(cancel_delay_ms=400, speedup=1.5))
    rig.far.answers.append([Say("one two three four five six seven eight", 4000)])
    rig.speak()
    rig.advance(500)
    rig.start_speaking("u2")
    at, told = len(rig.heard), len(rig.told("response.output_audio_transcript.delta"))
    rig.advance(600)
    assert set(rig.heard[at:]) == {None}
    assert len(rig.told("response.output_audio_transcript.delta")) == told
    (entry,) = [entry for entry in rig.call.speech.transcript if entry.role == "assistant"]
    assert entry.text
    assert entry.unheard


def test_trap_2_an_item_that_a_cancelled_answer_begins_late_is_not_heard_either() -> None:
    rig = Rig(far=FarUpstream(cancel_delay_ms=600, speedup=1.5))
    rig.far.answers.append([Say("one two three", 1000), Say("four five six", 3000)])
    rig.speak()
    rig.advance(500)
    rig.start_speaking("u2")
    rig.stop_speaking("u2")
    at = len(rig.heard)
    rig.advance(500)
    assert len(agent_items(rig)) == 2, "the second was begun after the cancel"
    assert set(rig.heard[at:]) == {None}
    assert rig.far.errors == []


def test_trap_3_of_two_items_the_one_that_plays_is_cut_and_the_one_behind_it_deleted() -> None:
    rig = Rig()
    rig.far.answers.append([Say("First.", 1000), Say("Second.", 1000)])
    rig.speak()
    rig.advance(600)
    first, second = agent_items(rig)
    rig.start_speaking("u2")
    rig.advance(100)
    (cut,) = rig.sent("conversation.item.truncate")
    assert (cut["item_id"], cut["audio_end_ms"]) == (first, rig.heard.count(first) * 20)
    assert [event["item_id"] for event in rig.sent("conversation.item.delete")] == [second]
    assert second not in rig.far.items


def test_trap_3_filler_then_answer_an_interruption_in_the_answer_leaves_the_filler_alone() -> None:
    rig = Rig()
    rig.far.answers.extend(
        [[Say("One moment.", 500), Use("look_up")], [Say("It is on its way to you.", 2000)]]
    )
    rig.speak()
    rig.advance(300)
    rig.run_tools()
    rig.advance(700)
    filler, answer = agent_items(rig)
    rig.start_speaking("u2")
    rig.advance(60)
    assert [event["item_id"] for event in rig.sent("conversation.item.truncate")] == [answer]
    assert rig.heard.count(filler) * 20 == 500


def test_trap_4_nothing_played_is_deleted_and_never_truncated_at_zero() -> None:
    rig = Rig()
    rig.speak()
    rig.upstream(*rig.far.generate(40))
    assert rig.call.speech.playout.queued_samples > 0
    rig.start_speaking("u2")
    rig.advance(40)
    assert rig.sent("conversation.item.truncate") == []
    assert agent_items(rig) == []
    assert rig.far.errors == []


def test_trap_4_what_is_on_its_way_to_the_caller_is_heard_and_never_more_than_was_pulled() -> None:
    rig = Rig()
    rig.far.answers.append([Say("A few words of mine.", 2000)])
    rig.speak()
    rig.advance(500)
    rig.call.rtt_ms = 160
    pulled_ms = len([tag for tag in rig.heard if tag]) * 20
    rig.start_speaking("u2")
    (cut,) = rig.sent("conversation.item.truncate")
    assert cut["audio_end_ms"] == pulled_ms
    (barge_in,) = [entry for entry in rig.journal if isinstance(entry, journal.BargeInConfirmed)]
    assert barge_in.heard_ms == pulled_ms


def test_trap_5_speech_long_after_an_answer_interrupts_nothing() -> None:
    rig = Rig()
    rig.speak()
    rig.advance(2000)
    rig.speak()
    assert rig.sent("conversation.item.truncate") == []
    assert rig.sent("response.cancel") == []
    assert rig.entries(journal.BargeInConfirmed) == []
    assert rig.told("output_audio_buffer.cleared") == []


def test_trap_6_speech_before_the_first_audio_cancels_the_answer_that_was_asked_for() -> None:
    rig = Rig(far=FarUpstream(birth_delay_ms=300))
    rig.speak()
    rig.advance(100)
    rig.start_speaking("u2")
    rig.advance(1500)
    assert set(rig.heard) == {None}
    assert len(rig.sent("response.cancel")) == 1
    rig.stop_speaking("u2")
    rig.advance(1500)
    assert rig.creates == 2
    assert set(rig.heard) != {None}


def test_trap_7_a_tool_that_is_done_while_the_caller_speaks_is_answered_with_their_words() -> None:
    rig = Rig()
    rig.far.answers.append([Say("One moment.", 300), Use("look_up")])
    rig.speak()
    rig.advance(900)
    rig.start_speaking("u2")
    rig.run_tools("blue")
    rig.advance(200)
    assert rig.creates == 1
    rig.stop_speaking("u2")
    rig.advance(900)
    assert rig.creates == 2
    assert "blue" in [rig.far.items[one].text for one in rig.far.contexts[1]]
    assert "u2" in rig.far.contexts[1]
    assert rig.far.errors == []


def test_a_tool_that_is_done_after_the_next_answer_has_begun_is_answered_after_it() -> None:
    rig = Rig(far=FarUpstream(speedup=1.1))
    rig.far.answers.extend([[Use("look_up")], [Say("Still looking.", 800)], [Say("It is blue.", 500)]])
    rig.speak()
    rig.advance(100)
    rig.speak(200, text="hurry")
    rig.advance(200)
    rig.run_tools("blue")
    rig.advance(2200)
    assert rig.causes() == ["speech", "speech", "tool"]
    assert [rig.heard.count(item) * 20 for item in agent_items(rig)] == [800, 500]


def test_trap_8_a_refused_create_is_retried_once_the_other_response_is_done() -> None:
    rig = Rig()
    rig.far.answers.append([Refuse("conversation_already_has_active_response")])
    rig.speak()
    assert rig.turn() is State.THINKING
    rig.upstream({"type": "response.done", "response": {"id": "a stranger's", "status": "completed"}})
    rig.advance(900)
    assert rig.creates == 2
    assert set(rig.heard) != {None}


def test_trap_9_parallel_tools_are_answered_once() -> None:
    rig = Rig()
    rig.far.answers.append([Use("look_up"), Use("price")])
    rig.speak()
    rig.advance(100)
    first, second = list(rig.call.tools)
    rig.ask(asks.ToolOutput(second, "2"))
    rig.advance(500)
    assert (rig.creates, rig.turn()) == (1, State.THINKING)
    rig.ask(asks.ToolOutput(first, "1"))
    assert rig.creates == 2
    ended = [entry for entry in rig.journal if isinstance(entry, journal.ToolEnded)]
    assert [(entry.name, entry.took_ms) for entry in ended][1][0] == "look_up"
    assert ended[1].took_ms >= 500


def test_trap_10_an_unknown_tool_is_no_dead_air() -> None:
    rig = Rig()
    rig.ask(asks.ToolOutput("call_nobody_knows", "Tool nope not found"))
    assert rig.creates == 1
    assert rig.turn() is State.THINKING


def test_trap_14_late_items_stand_where_previous_item_id_puts_them() -> None:
    rig = Rig()
    for item_id, previous in (("u1", None), ("a1", "u1"), ("u0", "root"), ("late", "u1")):
        item = {"id": item_id, "type": "message", "role": "user"}
        rig.upstream({"type": "conversation.item.added", "item": item, "previous_item_id": previous})
    assert [entry.item_id for entry in rig.call.speech.transcript] == ["u0", "u1", "late", "a1"]
    rig.upstream({"type": "conversation.item.deleted", "item_id": "late"})
    assert rig.told("conversation.item.deleted")


def test_trap_15_items_are_never_retrieved() -> None:
    rig = Rig()
    rig.speak()
    rig.advance(1000)
    rig.speak()
    rig.advance(1000)
    assert {event["type"] for event in rig.far.received} == {"session.update", "response.create"}


def test_trap_18_a_handoff_is_acknowledged_before_its_output_and_gives_one_create_in_the_new_role() -> None:
    rig = Rig(far=FarUpstream(ack_delay_ms=200))
    rig.advance(300)
    rig.far.answers.append([Say("I will put you through.", 600), Use("transfer_to_poet")])
    rig.speak()
    while rig.call.handover.pending is None:
        rig.advance(20)
    before = len(rig.far.received)
    rig.hand_off("You are a poet.")
    rig.advance(100)
    assert [event["type"] for event in rig.far.received[before:]] == ["session.update"]
    rig.advance(600)
    assert [event["type"] for event in rig.far.received[before + 1 :]] == [
        "conversation.item.create",
        "response.create",
    ]
    assert rig.far.received[-1]["response"] == {"instructions": "You are a poet."}
    (handed,) = [entry for entry in rig.journal if isinstance(entry, journal.AgentHandedOff)]
    assert (handed.from_, handed.to, rig.call.agent) == ("greeter", "poet", "poet")
    rig.advance(1000)
    said = [entry.agent for entry in rig.journal if isinstance(entry, journal.AgentSaid)]
    assert said == ["greeter", "poet"]
    assert rig.entries(journal.ToolStarted, journal.ToolEnded) == []


def test_words_during_a_handoff_are_kept_and_answered_by_the_new_agent() -> None:
    rig = Rig(far=FarUpstream(ack_delay_ms=400))
    rig.advance(500)
    rig.far.answers.append([Use("transfer_to_poet")])
    rig.speak()
    rig.advance(100)
    rig.hand_off("You are a poet.")
    rig.start_speaking("u2")
    rig.advance(600)
    rig.stop_speaking("u2", "about the sea")
    rig.advance(900)
    assert "u2" in rig.far.contexts[-1]
    assert rig.creates == 2
    assert rig.sent("response.create")[-1]["response"] == {"instructions": "You are a poet."}
    assert rig.call.agent == "poet"


def test_a_handoff_that_failed_is_a_tools_result_for_the_old_agent() -> None:
    rig = Rig()
    rig.far.answers.append([Use("transfer_to_poet")])
    rig.speak()
    rig.advance(100)
    rig.run_tools("it failed")
    assert rig.call.agent == "greeter"
    assert rig.creates == 2
    assert "response" not in rig.sent("response.create")[-1]


def test_a_call_made_by_a_cancelled_response_is_not_run_and_leaves_the_context() -> None:
    rig = Rig(far=FarUpstream(cancel_delay_ms=300, speedup=1))
    rig.far.answers.append([Say("One moment.", 200), Use("look_up")])
    rig.speak()
    rig.advance(100)
    rig.start_speaking("u2")
    rig.advance(500)
    assert rig.call.tools == {}
    assert [item for item in rig.far.items.values() if item.kind == "function_call"] == []
    done = [event["item"]["type"] for event in rig.to_agents if event["type"] == "response.output_item.done"]
    assert "function_call" not in done


def test_trap_20_a_failed_response_is_asked_for_again_once_and_then_told() -> None:
    rig = Rig()
    rig.far.answers.extend([[Fail()], [Fail()]])
    rig.speak()
    rig.advance(200)
    assert rig.causes() == ["speech", "retry"]
    assert notices(rig) == ["The model could not answer: server_error"]
    assert rig.turn() is State.LISTENING
    rig.speak()
    rig.advance(900)
    rig.far.answers.append([Fail()])
    rig.speak()
    rig.advance(200)
    assert rig.causes()[-1] == "retry", "a good answer in between earns a new attempt"


@pytest.mark.parametrize("code", ["insufficient_quota", "rate_limit_exceeded", "invalid_request_error"])
def test_trap_20_what_asking_again_cannot_mend_is_told_at_once(code: str) -> None:
    rig = Rig()
    rig.far.answers.append([Fail(code)])
    rig.speak()
    rig.advance(200)
    assert rig.creates == 1
    assert code in notices(rig)[0]
    assert rig.turn() is State.LISTENING


def test_trap_20_an_answer_that_was_cut_short_is_told_with_its_reason() -> None:
    rig = Rig()
    rig.far.answers.append([Say("And th", 200), Fail(status="incomplete")])
    rig.speak()
    rig.advance(600)
    assert notices(rig) == ["The answer was cut short: max_output_tokens"]


def test_trap_21_a_response_that_never_ends_ends_in_a_cancel_and_the_next_turn_is_answered() -> None:
    rig = Rig(far=FarUpstream(deaf_to_cancel=True))
    rig.far.answers.append([Say("Well", 200), Hang()])
    rig.speak()
    rig.advance(25_000)
    words = [entry.message for entry in rig.journal if isinstance(entry, journal.UpstreamErred)]
    assert words == ["the response fell silent", "response.cancel was not answered"]
    assert rig.turn() is State.LISTENING
    rig.far.active = None
    rig.speak()
    rig.advance(900)
    assert rig.creates == 2


def test_a_call_without_an_id_that_a_cancelled_response_makes_is_let_be() -> None:
    rig = Rig()
    rig.far.answers.append([Hang()])
    rig.speak()
    rig.advance(100)
    response = rig.call.arbiter.active
    assert response is not None
    rig.call.arbiter.cancel(rig.now)
    item = {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": "{}"}
    rig.upstream({"type": "response.output_item.done", "response_id": response.response_id, "item": item})
    assert rig.call.tools == {}
    assert rig.sent("conversation.item.delete") == []
