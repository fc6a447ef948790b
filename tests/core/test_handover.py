"""A handoff as a transaction: what completes it, what fails it, and when it is announced."""

from __future__ import annotations

from rtbridge.core.handover import Handover
from rtbridge.core.journal import AgentHandedOff


def test_a_handoff_switches_at_the_next_response_and_is_announced_when_the_old_agent_is_silent() -> None:
    handover = Handover()
    handover.begin("call_1", "poet", 10.0)
    assert handover.switch("greeter", 10.1) == "greeter"
    assert handover.configured("You are a poet.") == "poet"
    done = handover.answered("call_1")
    assert done is not None
    assert done.role == "You are a poet."
    assert handover.announce(None) is None
    assert handover.switch("greeter", 10.25) == "poet"
    assert handover.announce("greeter") is None
    assert handover.announce("poet") == AgentHandedOff("greeter", "poet", 250)
    assert handover.announce(None) is None


def test_a_result_before_the_session_fails_the_handoff() -> None:
    handover = Handover()
    handover.begin("call_1", "poet", 10.0)
    assert handover.answered("another") is None
    assert handover.answered("call_1") is None
    assert handover.pending is None
    assert handover.configured("late") is None
    assert handover.switch("greeter", 11.0) == "greeter"


def test_a_session_after_the_result_is_not_the_handoffs() -> None:
    handover = Handover()
    handover.begin("call_1", "poet", 10.0)
    handover.configured("You are a poet.")
    handover.answered("call_1")
    assert handover.configured("something else") is None
