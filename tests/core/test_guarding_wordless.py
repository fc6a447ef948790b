"""An upstream without transcripts leaves guardrails nothing to check: the operator is told, and the call goes on."""

from __future__ import annotations

import pytest

from guard_rig import GOOD, guarded, heard_ms, item_of, tripped, verdict
from rig import Rig, Say
from rtbridge.core import journal
from rtbridge.core.turns import State

MUTE = Say("", 1000)


def notices(rig: Rig) -> list[str]:
    return [entry.message for entry in rig.journal if isinstance(entry, journal.Notice)]


def test_what_has_no_transcript_is_not_heard_and_the_operator_is_told_once_why_and_what_to_do() -> None:
    rig = guarded([MUTE], [MUTE], [Say(GOOD, 600)])
    rig.speak(400)
    rig.advance(1500)
    rig.speak(400)
    rig.advance(1500)
    assert notices(rig) == [
        "What greeter says is not heard: it has sound and no transcript, so its guardrails have nothing to check "
        '(policy "gate"). Have the upstream send output transcripts, or set the guardrail policy of greeter to '
        '"observe" or "off".'
    ]
    assert journal.Notice.to_caller
    assert heard_ms(rig, item_of(rig, 0)) == heard_ms(rig, item_of(rig, 1)) == 0
    assert tripped(rig) == [("unchecked", "gate", 0, "silence")] * 2
    assert rig.turn() is State.LISTENING, "nobody waits for what cannot come"
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "pass", 0, len(GOOD))
    rig.advance(1500)
    assert heard_ms(rig, item_of(rig)) == 600
    assert rig.far.errors == []
    assert rig.entries(journal.TurnIgnored) == []


@pytest.mark.parametrize(("policy", "is_open"), [("observe", False), ("gate", True)])
def test_where_words_may_be_heard_unchecked_they_are_and_the_notice_says_so(
    policy: str, is_open: bool
) -> None:
    rig = guarded([MUTE], policy="observe" if policy == "observe" else "gate", guardrails_open=is_open)
    rig.speak(400)
    rig.advance(2000)
    assert heard_ms(rig) == 1000
    (notice,) = notices(rig)
    assert "greeter says is heard unchecked" in notice
    assert tripped(rig) == []
    assert rig.turn() is State.LISTENING


def test_an_agent_that_no_guardrail_watches_and_an_answer_that_was_stopped_need_no_transcript() -> None:
    rig = guarded([MUTE], policy="off")
    rig.speak(400)
    rig.advance(2000)
    assert heard_ms(rig) == 1000
    assert notices(rig) == []
    rig = guarded([Say("", 4000)], speedup=2)
    rig.speak(400)
    rig.advance(500)
    rig.start_speaking("u2")
    rig.advance(500)
    assert notices(rig) == []
    assert rig.far.errors == []
