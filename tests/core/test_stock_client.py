"""What a stock browser client needs without saying so: it is told session.updated before anything is said."""

from __future__ import annotations

import pytest

from rig import FarUpstream, Rig, Say, Wire
from rtbridge.core.plan import Plan
from rtbridge.core.requests import is_about_hearing

ASKED: Wire = {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}


def test_a_client_that_asks_for_its_turn_detection_during_the_greeting_need_not_wait_for_its_end() -> None:
    far = FarUpstream(ack_delay_ms=20, birth_delay_ms=60)
    far.answers.append([Say("Welcome to the desk, how may I help?", 3000)])
    rig = Rig(far=far, plan=Plan("rtc_1", "demo", "greeter", word_times=True))
    rig.advance(40)
    assert rig.creates == 1, "the greeting is asked for"
    rig.client({"type": "session.update", "session": ASKED})
    rig.advance(4000)
    kinds = [event["type"] for event in rig.to_caller]
    assert kinds.index("session.updated") < kinds.index("conversation.item.added")
    assert far.session["audio"]["input"]["turn_detection"]["type"] == "semantic_vad"
    assert far.errors == []


def test_turn_detection_may_change_while_the_agent_speaks_and_the_caller_is_answered_after() -> None:
    rig = Rig(far=FarUpstream(ack_delay_ms=40))
    rig.far.answers.append([Say("A long answer that goes on.", 2000)])
    rig.advance(60)
    rig.speak()
    rig.advance(100)
    assert rig.far.active is not None
    rig.client({"type": "session.update", "session": ASKED})
    rig.advance(60)
    assert rig.far.active is not None
    assert len(rig.told("session.updated")) == 1
    rig.speak()
    rig.advance(100)
    assert rig.creates == 2
    assert rig.far.errors == []


@pytest.mark.parametrize(
    ("session", "about_hearing"),
    [
        (ASKED, True),
        ({**ASKED, "instructions": "You are a poet."}, False),
        ({"type": "realtime", "audio": {"output": {"voice": "sage"}}}, False),
        ({"type": "realtime"}, True),
    ],
)
def test_only_what_is_about_hearing_goes_out_while_a_response_is_active(
    session: Wire, about_hearing: bool
) -> None:
    assert is_about_hearing(session) is about_hearing
