"""A handoff as a transaction: what completes it, what fails it, and when it is announced."""

from __future__ import annotations

import json

from rig import Part, Rig, Say, Use
from rtbridge.core import interruption, journal
from rtbridge.core.handover import Handover
from rtbridge.core.journal import AgentHandedOff
from rtbridge.core.plan import Plan

TRANSFERS = {f"transfer_to_{name}": name for name in ("poet", "cook")}
DESKS = Plan("rtc_1", "demo", "greeter", handoffs=TRANSFERS, word_times=True, greet=False)


def announced(handover: Handover, *held: str) -> list[AgentHandedOff]:
    """What is announced while these items are still to be heard."""
    return list(handover.announce(lambda item_id: item_id in held))


def test_a_handoff_switches_at_the_next_response_and_is_announced_when_the_old_agent_is_silent() -> None:
    handover = Handover()
    handover.begin("call_1", "poet", 10.0)
    assert handover.switch("greeter", 10.1, last_item_id=None) == "greeter"
    assert handover.configured("You are a poet.") == "poet"
    done = handover.answered("call_1")
    assert done is not None
    assert done.role == "You are a poet."
    assert announced(handover) == []
    assert handover.switch("greeter", 10.25, last_item_id="words of the greeter's") == "poet"
    assert announced(handover, "words of the greeter's") == []
    assert announced(handover) == [AgentHandedOff("greeter", "poet", 250)]
    assert announced(handover) == []


def test_a_result_before_the_session_fails_the_handoff() -> None:
    handover = Handover()
    handover.begin("call_1", "poet", 10.0)
    assert handover.answered("another") is None
    assert handover.answered("call_1") is None
    assert handover.pending is None
    assert handover.configured("late") is None
    assert handover.switch("greeter", 11.0, last_item_id=None) == "greeter"


def test_a_session_after_the_result_is_not_the_handoffs() -> None:
    handover = Handover()
    handover.begin("call_1", "poet", 10.0)
    handover.configured("You are a poet.")
    handover.answered("call_1")
    assert handover.configured("something else") is None


def test_handoffs_there_and_back_are_announced_in_order_each_after_its_old_agents_last_word() -> None:
    handover = Handover()
    for call_id, old, new, last in (("c1", "poet", "greeter", "p1"), ("c2", "greeter", "poet", "g1")):
        handover.begin(call_id, new, 10.0)
        handover.configured(f"You are a {new}.")
        handover.answered(call_id)
        assert handover.switch(old, 10.0, last_item_id=last) == new
    # The poet is to be heard in "p1", of before: that is not yet the poet of the second handoff.
    assert announced(handover, "p1", "g1") == []
    assert announced(handover, "g1") == [AgentHandedOff("poet", "greeter", 0)]
    assert announced(handover) == [AgentHandedOff("greeter", "poet", 0)]


def called(rig: Rig, *parts: Part) -> None:
    """Let the model answer a turn with these parts."""
    rig.far.answers.append(list(parts))
    rig.speak()
    rig.advance(400)


def test_of_two_handoffs_of_one_response_the_second_is_answered_and_not_run() -> None:
    rig = Rig(plan=DESKS)
    called(rig, Use("transfer_to_poet"), Use("transfer_to_cook"))
    (ended,) = rig.entries(journal.ToolEnded)
    assert isinstance(ended, journal.ToolEnded)
    assert ended.name == "transfer_to_cook"
    assert json.loads(ended.output)["error"]["type"] == "handoff_in_progress"
    assert [name for name, _, _ in rig.call.tools.values()] == ["transfer_to_poet"]
    done = [event for event in rig.to_agents if event["type"] == "response.output_item.done"]
    assert [event["item"]["name"] for event in done] == ["transfer_to_poet"]
    rig.hand_off()
    rig.advance(200)
    assert rig.call.agent == "poet"
    assert rig.far.errors == []


def test_what_the_old_agent_says_after_it_has_called_the_handoff_is_neither_heard_nor_kept() -> None:
    rig = Rig(plan=DESKS)
    called(rig, Say("I put you through.", 600), Use("transfer_to_poet"), Say("That was me.", 600))
    barred = rig.far.tags[2]
    rig.far.answers.append([Say("Roses are red.", 600)])
    rig.hand_off()
    rig.advance(3000)
    assert barred not in rig.heard
    assert barred not in rig.far.items
    assert not any("That" in str(event.get("delta")) for event in rig.to_caller)
    assert {rig.far.tags[1], rig.far.tags[3]} < set(rig.heard)
    assert rig.far.errors == []


def test_an_item_of_a_response_that_nobody_knows_is_not_barred() -> None:
    rig = Rig(plan=DESKS)
    interruption.bar(rig.call, "nobody's", "item_9")
    assert rig.sent("conversation.item.delete") == []


def test_a_handoff_that_nobody_carries_out_does_not_forbid_the_next_one() -> None:
    rig = Rig(plan=DESKS)
    called(rig, Use("transfer_to_poet"))
    rig.advance(11_000)
    called(rig, Use("transfer_to_cook"))
    assert rig.call.handover.pending is not None
    assert rig.call.handover.pending.to == "cook"
