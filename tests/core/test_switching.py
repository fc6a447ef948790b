"""Another agent takes over because the page wants it: a transaction, with nothing lost and nothing said twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rig import SESSION, FarUpstream, Rig, Say, Use
from rtbridge.core import arbiter, asks, journal
from rtbridge.core.plan import Plan
from rtbridge.core.requests import Response, Want
from rtbridge.core.responses import Responses
from rtbridge.core.turns import State

Wire = dict[str, Any]
PLAN = Plan(
    "rtc_1",
    "demo",
    "greeter",
    agents=("greeter", "poet", "clerk"),
    handoffs={"transfer_to_poet": "poet"},
    word_times=True,
    greet=False,
)
SWITCH: Wire = {"type": "rtbridge.agent.switch", "event_id": "c_switch", "agent": "poet"}
POET: Wire = {**SESSION, "instructions": "You are a poet."}


def rig_with(far: FarUpstream | None = None, **plan: Any) -> Rig:
    return Rig(far=far, plan=replace(PLAN, **plan))


def hand_in(rig: Rig, agent: str = "poet") -> None:
    """Let the agents hand in the new agent's session."""
    rig.ask(asks.ConfigureSession({**SESSION, "instructions": f"You are a {agent}."}, agent))


def refusal(rig: Rig) -> tuple[str, str]:
    error = rig.told("error")[-1]["error"]
    assert error["event_id"] == "c_switch"
    assert rig.entries(journal.CallerRefused)
    return error["code"], error["message"]


def handed_off(rig: Rig) -> list[Any]:
    return rig.entries(journal.AgentHandedOff)


def test_a_switch_cuts_the_old_agent_configures_then_asks_for_one_response_and_is_announced() -> None:
    rig = rig_with(FarUpstream(ack_delay_ms=60))
    rig.advance(100)
    rig.far.answers.append([Say("A long answer that nobody needs any more.", 4000)])
    rig.speak()
    rig.advance(1000)
    rig.client(SWITCH)
    (switch,) = rig.switches
    assert switch == "poet"
    (item,) = [item for item in rig.far.items.values() if item.role == "assistant"]
    heard_ms = 20 * sum(1 for tag in rig.heard if tag)
    assert item.truncated_ms == heard_ms
    assert rig.entries(journal.ItemTruncated)
    rig.advance(200)
    assert (rig.creates, handed_off(rig)) == (1, [])
    rig.far.answers.append([Say("I am the poet.", 600)])
    hand_in(rig)
    assert (rig.creates, rig.far.session["instructions"]) == (1, "You are a poet.")
    rig.advance(40)
    assert (rig.creates, handed_off(rig)) == (1, [])  # not before it is acknowledged
    rig.advance(1500)
    assert rig.creates == 2
    assert rig.sent("response.create")[-1]["response"] == {"instructions": "You are a poet."}
    (entry,) = handed_off(rig)
    assert (entry.from_, entry.to) == ("greeter", "poet")
    assert 200 <= entry.took_ms <= 280
    said = [entry for entry in rig.journal if isinstance(entry, journal.AgentSaid)]
    assert said[-1].agent == "poet"
    assert rig.causes() == ["speech", "handoff"]
    (answered,) = [entry for entry in rig.journal if isinstance(entry, journal.TurnEnded)][-1:]
    assert answered.agent == "poet"
    assert rig.far.errors == []


def test_the_conversation_gets_the_handoff_as_the_models_own_stand_in_it() -> None:
    rig = rig_with()
    rig.client(SWITCH)
    hand_in(rig)
    call, output = (event["item"] for event in rig.sent("conversation.item.create"))
    assert (call["type"], call["name"]) == ("function_call", "transfer_to_poet")
    assert (output["type"], output["output"]) == ("function_call_output", '{"assistant": "poet"}')
    assert call["call_id"] == output["call_id"]
    rig.advance(1500)
    rig.client({**SWITCH, "agent": "clerk"})
    hand_in(rig, "clerk")
    assert rig.sent("conversation.item.create")[-2]["item"]["name"] == "transfer_to_clerk"


def test_a_switch_before_anything_was_heard_deletes_what_was_queued() -> None:
    rig = rig_with()
    rig.far.answers.append([Say("Never heard.", 3000)])
    rig.speak()
    rig.upstream(*rig.far.generate(40))
    rig.client(SWITCH)
    assert [item for item in rig.far.items.values() if item.role == "assistant"] == []
    assert rig.entries(journal.ItemDeleted)


@pytest.mark.parametrize("before_the_session", [True, False])
def test_what_the_caller_says_during_a_switch_is_kept_and_answered_once_by_the_new_agent(
    before_the_session: bool,
) -> None:
    rig = rig_with()
    rig.client(SWITCH)
    rig.start_speaking()
    if not before_the_session:
        hand_in(rig)
    rig.advance(400)
    rig.stop_speaking(text="and make it short")
    if before_the_session:
        rig.advance(1000)
        assert rig.creates == 0  # the old agent says nothing more
        hand_in(rig)
    rig.advance(2000)
    assert rig.creates == 1
    assert [entry.agent for entry in rig.journal if isinstance(entry, journal.AgentSaid)] == ["poet"]
    assert "u" in rig.far.contexts[0]
    assert rig.far.errors == []


def test_open_tool_calls_finish_and_their_results_are_kept_without_an_answer_to_each() -> None:
    rig = rig_with()
    rig.far.answers.append([Use("look_up"), Use("count")])
    rig.speak()
    rig.advance(200)
    rig.client(SWITCH)
    hand_in(rig)
    rig.advance(4000)
    assert rig.causes() == ["speech", "handoff"]  # no filler for a tool that nobody waits for
    rig.run_tools("found")
    rig.advance(2000)
    assert rig.causes() == ["speech", "handoff"]
    outputs = [event["item"] for event in rig.sent("conversation.item.create")]
    assert [item["output"] for item in outputs if "output" in item].count("found") == 2
    assert len(rig.entries(journal.ToolEnded)) == 2
    assert rig.far.errors == []


def test_a_function_call_that_the_old_agent_was_about_to_make_is_not_made() -> None:
    rig = rig_with(FarUpstream(cancel_delay_ms=200))
    rig.far.answers.append([Say("Let me see.", 300), Use("transfer_to_poet"), Say("more", 900)])
    rig.speak()
    rig.upstream(*rig.far.generate(20))
    rig.client({**SWITCH, "agent": "clerk"})
    hand_in(rig, "clerk")
    rig.advance(3000)
    assert rig.call.tools == {}
    assert [(entry.from_, entry.to) for entry in handed_off(rig)] == [("greeter", "clerk")]
    assert rig.far.errors == []


def test_a_caller_who_speaks_while_a_models_handoff_is_carried_out_is_answered_by_the_new_agent() -> None:
    rig = rig_with()
    rig.far.answers.append([Use("transfer_to_poet")])
    rig.speak()
    rig.advance(200)
    rig.speak(text="quickly please")
    rig.advance(500)
    assert rig.creates == 1
    rig.hand_off()
    rig.advance(1500)
    assert rig.creates == 2
    assert [entry.agent for entry in rig.journal if isinstance(entry, journal.AgentSaid)] == ["poet"]


def test_a_handoff_that_is_never_carried_out_bars_the_old_agent_for_ten_seconds_only() -> None:
    rig = rig_with()
    rig.far.answers.append([Use("transfer_to_poet")])
    rig.speak()
    rig.advance(200)
    rig.speak(text="hello?")
    rig.advance(9000)
    assert rig.creates == 1
    rig.advance(1500)
    assert rig.creates == 2
    late = [entry for entry in rig.journal if isinstance(entry, journal.UpstreamErred)]
    assert [entry.message for entry in late] == ["a handoff was not carried out"]


def test_an_unknown_agent_is_refused_with_the_names_of_those_there_are() -> None:
    rig = rig_with()
    for agent in ("nobody", 7, None):
        rig.client({**SWITCH, "agent": agent})
        code, message = refusal(rig)
        assert code == "agent_not_found"
        assert message.endswith("there are: greeter, poet, clerk")
    assert (rig.switches, rig.hangups) == ([], [])


def test_a_switch_is_refused_before_the_call_begins_to_who_speaks_already_and_during_another() -> None:
    early = Rig(plan=PLAN, go=False)
    early.client(SWITCH)
    assert refusal(early)[0] == "call_not_ready"
    rig = rig_with()
    rig.client({**SWITCH, "agent": "greeter"})
    assert refusal(rig) == ("agent_speaks_already", "'greeter' is the one who speaks")
    rig.client(SWITCH)
    rig.client({**SWITCH, "agent": "clerk"})
    assert refusal(rig)[0] == "handoff_in_progress"
    assert rig.switches == ["poet"]


def test_the_fifth_switch_within_a_minute_is_refused_and_the_call_goes_on() -> None:
    rig = rig_with()
    for agent in ("poet", "clerk", "poet", "clerk"):
        rig.client({**SWITCH, "agent": agent})
        hand_in(rig, agent)
        rig.advance(1500)
    rig.client(SWITCH)
    code, message = refusal(rig)
    assert code == "too_many_handoffs"
    assert message == "4 handoffs within a minute are the most; try again in 55 s"
    assert (len(rig.switches), rig.hangups, rig.call.agent) == (4, [], "clerk")
    rig.advance(55_000)
    rig.client(SWITCH)
    assert len(rig.switches) == 5


def test_a_switch_that_fails_leaves_the_old_agent_who_goes_on() -> None:
    rig = rig_with()
    rig.speak()
    rig.client(SWITCH)
    rig.advance(100)
    rig.far.answers.clear()
    rig.ask(asks.SwitchFailed("poet", "its instructions raised ValueError"))
    rig.advance(1500)
    assert rig.entries(journal.AgentSwitchFailed) == [
        journal.AgentSwitchFailed("poet", "its instructions raised ValueError")
    ]
    said = [entry for entry in rig.journal if isinstance(entry, journal.AgentSaid)]
    assert (said[-1].agent, handed_off(rig), rig.turn()) == ("greeter", [], State.LISTENING)
    rig.client(SWITCH)
    assert rig.switches == ["poet", "poet"]


def test_a_session_of_another_agent_than_the_one_waited_for_completes_nothing() -> None:
    rig = rig_with()
    rig.client(SWITCH)
    hand_in(rig, "clerk")
    rig.advance(500)
    assert (rig.creates, rig.call.agent) == (0, "greeter")
    hand_in(rig)
    rig.advance(100)
    assert (rig.creates, rig.call.agent) == (1, "poet")


def test_only_so_many_calls_that_nobody_waits_for_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtbridge.core.responses.MAX_REMEMBERED", 1)
    known = Responses()
    known.add(Response("resp_1", Want("speech"), 0.0, 0.0, calls={"call_1", "call_2"}))
    known.disown_calls()
    assert [known.disowns(call) for call in ("call_1", "call_2")].count(True) == 1


def test_the_old_agent_asks_for_nothing_while_it_is_barred() -> None:
    ids = iter(range(100))
    one = arbiter.Arbiter(new_id=lambda prefix: f"{prefix}_{next(ids)}")
    one.configure({"type": "realtime"}, 0)
    one.session_updated(0)
    list(one.take())
    one.bar(1)
    assert one.busy
    assert one.deadline() == 11
    assert not one.fill("One moment.", 2)
    one.want("speech", 2)
    assert list(one.take()) == []
    one.unbar()
    one.advance(3)
    assert [event["type"] for event in one.take()] == ["response.create"]
