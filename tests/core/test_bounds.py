"""No tool storm and no handoff loop: 8 calls a turn, 4 handoffs a minute, then a polite end."""

from __future__ import annotations

import json

from rig import Fail, Rig, Say, Use
from rtbridge.core import bounds, journal
from rtbridge.core.bounds import Bounds
from rtbridge.core.plan import Plan
from rtbridge.core.requests import Want, create_response

SORRY = Say("I am sorry, I cannot get further with this.", 800)


def storm(rig: Rig, calls: int) -> None:
    """Let the model call a tool in each of its next answers and then say sorry; the tools return at once."""
    for _ in range(calls):
        rig.far.answers.append([Use("look_up")])
    rig.far.answers.append([SORRY])
    rig.speak()
    for _ in range(calls):
        rig.advance(40)
        rig.run_tools()
    rig.advance(1500)


def reached(rig: Rig) -> list[tuple[str, int, str]]:
    found = rig.entries(journal.BoundReached)
    return [(one.bound, one.limit, one.name) for one in found if isinstance(one, journal.BoundReached)]


def test_the_ninth_tool_call_of_a_turn_is_not_run_and_the_model_is_asked_to_end_without_tools() -> None:
    rig = Rig()
    storm(rig, 9)
    assert len(rig.entries(journal.ToolStarted)) == 8
    assert reached(rig) == [("tool_calls", 8, "look_up")]
    assert (
        sum(
            event.get("item", {}).get("name") == "look_up"
            for event in rig.to_agents
            if "done" in event["type"]
        )
        == 8
    )
    outputs = [
        event["item"]["output"]
        for event in rig.sent("conversation.item.create")
        if event["item"]["type"] == "function_call_output"
    ]
    assert outputs[:8] == ["done"] * 8
    assert "8 tool calls since the caller last spoke" in json.loads(outputs[8])["error"]
    assert rig.causes()[-1] == "ending"
    assert rig.sent("response.create")[-1]["response"] == {"tool_choice": "none"}
    assert rig.hangups == []
    assert rig.far.errors == []
    assert set(rig.heard[-70:]) != {None}


def test_the_callers_next_words_give_the_model_its_tools_back_spoken_or_typed() -> None:
    rig = Rig()
    storm(rig, 9)
    storm(rig, 8)
    rig.far.answers.append([Use("look_up")])
    rig.write("And now?")
    rig.advance(100)
    assert len(rig.entries(journal.ToolStarted)) == 17
    assert len(reached(rig)) == 1


def test_of_parallel_calls_the_first_eight_are_run_and_all_are_answered() -> None:
    rig = Rig()
    rig.far.answers.append([Use("look_up")] * 11)
    rig.speak()
    rig.advance(200)
    assert len(rig.call.tools) == 8
    assert len(reached(rig)) == 3
    assert rig.creates == 1
    rig.run_tools()
    assert rig.creates == 2


def test_a_model_that_goes_on_calling_has_its_call_ended() -> None:
    rig = Rig()
    storm(rig, 8 + bounds.MAX_REFUSING)
    assert rig.hangups == []
    storm(rig, 8 + bounds.MAX_REFUSING + 1)
    assert rig.hangups == ["the agent went on calling tools after it was told to end"]


def test_the_fifth_handoff_of_a_minute_is_not_begun_and_a_minute_later_there_is_one_again() -> None:
    both = {"transfer_to_poet": "poet", "transfer_to_greeter": "greeter"}
    rig = Rig(plan=Plan("rtc_1", "demo", "greeter", handoffs=both, word_times=True, greet=False))
    names = ["transfer_to_poet", "transfer_to_greeter"] * 2
    rig.far.answers.extend([[Use(name)] for name in [*names, "transfer_to_poet"]])
    rig.far.answers.append([SORRY])
    rig.speak()
    for name in names:
        rig.advance(40)
        rig.hand_off(f"You are {name}.")
    rig.advance(1500)
    assert reached(rig) == [("handoffs", 4, "transfer_to_poet")]
    assert rig.call.agent == "greeter"
    assert rig.call.handover.pending is None
    assert rig.causes()[-1] == "ending"
    rig.advance(60_000)
    rig.far.answers.append([Use("transfer_to_poet")])
    rig.speak()
    rig.advance(40)
    assert rig.call.handover.pending is not None


def test_an_end_stays_one_when_another_tool_returns_later_and_when_it_is_asked_for_again() -> None:
    rig = Rig()
    for _ in range(7):
        rig.far.answers.append([Use("look_up")])
    rig.far.answers.append([Use("look_up"), Use("look_up")])
    rig.far.answers.extend([[Fail()], [SORRY]])
    rig.speak()
    for _ in range(8):
        rig.advance(40)
        rig.run_tools()
    rig.advance(1500)
    assert reached(rig) == [("tool_calls", 8, "look_up")]
    assert rig.causes()[-2:] == ["ending", "ending"]
    choices = [event.get("response", {}).get("tool_choice") for event in rig.sent("response.create")]
    assert choices[-2:] == ["none", "none"]


def test_handoffs_are_counted_over_any_minute_and_calls_over_a_turn() -> None:
    counted = Bounds()
    assert [counted.over("r", handoff=True, now=float(at)) for at in (0, 10, 20, 30)] == [None] * 4
    assert counted.over("r", handoff=True, now=59.9) == ("handoffs", 4)
    assert counted.over("r", handoff=True, now=60.0) is None
    assert counted.over("r", handoff=True, now=69.9) == ("handoffs", 4)
    assert [counted.over("r", handoff=False, now=70.0) for _ in range(8)] == [None] * 8
    assert counted.over("s", handoff=False, now=70.0) == ("tool_calls", 8)
    assert not counted.hopeless
    counted.turn_over()
    assert counted.over("s", handoff=False, now=70.0) is None


def test_a_new_agents_instructions_and_the_end_of_tools_go_together() -> None:
    asked = create_response("e", Want(bounds.ENDING, instructions="You are a poet."))
    assert asked["response"] == {"instructions": "You are a poet.", "tool_choice": "none"}
    assert "4 handoffs within a minute" in bounds.refusal("handoffs", 4)
