"""Each agent's own settings: in force from its turn on, the caller's choice above them, and nothing sent in vain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rig import SESSION, Rig, Say
from rtbridge.core import asks, journal
from rtbridge.core.configuration import Configuration
from rtbridge.core.plan import Plan

Wire = dict[str, Any]
PLAN = Plan("rtc_1", "demo", "greeter", agents=("greeter", "poet"), model="gpt-realtime", greet=False)
SEMANTIC: Wire = {"type": "semantic_vad", "eagerness": "low"}
CHOICE: Wire = {"type": "server_vad", "threshold": 0.9}


def session(voice: str = "sage", detection: Wire | None = None, **output: Any) -> Wire:
    audio = {
        "input": {"turn_detection": detection or {"type": "server_vad"}},
        "output": {"voice": voice, **output},
    }
    return {**SESSION, "audio": audio}


def take_over(rig: Rig, given: Wire, *, model: str = "gpt-realtime") -> None:
    agent = "poet" if rig.call.agent == "greeter" else "greeter"
    rig.client({"type": "rtbridge.agent.switch", "agent": agent})
    rig.ask(asks.ConfigureSession(given, agent, model))
    rig.advance(1500)


def notices(rig: Rig) -> list[str]:
    return [entry.message for entry in rig.journal if isinstance(entry, journal.Notice)]


def detection(rig: Rig) -> Any:
    return rig.far.session["audio"]["input"]["turn_detection"]


def test_the_agents_turn_detection_is_in_force_from_its_turn_on_and_the_next_ones_after() -> None:
    rig = Rig(plan=PLAN)
    take_over(rig, session(detection={**SEMANTIC, "create_response": False}))
    assert detection(rig) == {**SEMANTIC, "create_response": False, "interrupt_response": False}
    before = rig.creates
    rig.speak()
    rig.advance(500)
    assert rig.creates == before  # it is the client's to ask for an answer
    take_over(rig, session())
    assert detection(rig)["type"] == "server_vad"
    rig.speak()
    assert rig.creates == before + 2


def test_the_callers_own_turn_detection_wins_for_the_rest_of_the_call() -> None:
    rig = Rig(plan=PLAN)
    update = {"type": "realtime", "audio": {"input": {"turn_detection": CHOICE}}}
    rig.client({"type": "session.update", "session": update})
    take_over(rig, session(detection=SEMANTIC))
    assert (detection(rig)["type"], detection(rig)["threshold"]) == ("server_vad", 0.9)
    assert rig.call.detection.value == CHOICE


def test_a_voice_changes_before_any_was_heard_and_is_kept_with_one_notice_afterwards() -> None:
    rig = Rig(plan=PLAN)
    take_over(rig, session("ash", speed=1.2))
    assert rig.far.session["audio"]["output"] == {"voice": "ash", "speed": 1.2}
    for _ in range(2):
        rig.far.answers.append([Say("Hello.", 400)])
        take_over(rig, session("coral", speed=1.0))
        assert rig.far.session["audio"]["output"] == {"voice": "ash", "speed": 1.0}
    assert notices(rig) == ["the voice coral is not taken: a call keeps the voice that was heard first"]
    assert rig.far.errors == []


def test_a_voice_that_waits_for_a_response_to_end_is_not_sent_when_that_one_was_heard() -> None:
    one = Configuration()
    one.change({"type": "realtime", "audio": {"output": {"voice": "sage"}}})
    one.go("e1", 0)
    one.change({"audio": {"output": {"voice": "ash"}}})
    one.voice_heard = True
    assert one.go("e2", 1)["session"] == {"audio": {"output": {}}}
    assert (one.voice_refused(), one.voice_refused()) == ("ash", None)
    one.change({"audio": {"output": {"voice": "sage"}}})
    assert one.go("e3", 1)["session"] == {"audio": {"output": {"voice": "sage"}}}
    assert one.voice_refused() is None


def test_an_agent_that_asks_for_another_model_is_told_once_that_a_call_keeps_its_own() -> None:
    rig = Rig(plan=PLAN)
    take_over(rig, session(), model="gpt-realtime-mini")
    take_over(rig, session())
    take_over(rig, session(), model="gpt-realtime-mini")
    told = "poet asks for the model gpt-realtime-mini: a call keeps the model it began with, gpt-realtime"
    assert notices(rig) == [told]
    unnamed = Rig(plan=replace(PLAN, model=""))
    take_over(unnamed, session(), model="x")
    assert notices(unnamed)[0].endswith("the server chose it")
