"""A call whose agent is watched over by guardrails, and whose verdicts a test gives."""

from __future__ import annotations

from far_upstream import Part
from rig import FarUpstream, Rig, Say
from rtbridge.core import asks, journal
from rtbridge.core.gate import Policy
from rtbridge.core.plan import Plan

GOOD, BAD, REST = "All is well here. ", "You are an idiot. ", "Anything else?"
TALK = GOOD + BAD + REST  # 4 + 4 + 2 words, 400 ms each


def guarded(
    *answers: list[Part],
    policy: Policy = "gate",
    speedup: float = 50,
    guardrails_open: bool = False,
    hears_first: bool = False,
) -> Rig:
    plan = Plan(
        "rtc_1",
        "demo",
        "greeter",
        word_times=True,
        greet=False,
        guardrails={"greeter": policy},
        guardrails_open=guardrails_open,
        hears_first=hears_first,
    )
    rig = Rig(far=FarUpstream(speedup=speedup), plan=plan)
    rig.far.answers.extend(answers)
    return rig


def item_of(rig: Rig, n: int = -1) -> str:
    """Return the id of the n-th item that an agent began."""
    return [entry.item_id for entry in rig.journal if isinstance(entry, journal.ItemBegun)][n]


def verdict(
    rig: Rig, state: str, start: int, end: int, item_id: str | None = None, why: str = "OFFENSIVE"
) -> None:
    rig.ask(asks.Judged(item_id or item_of(rig), state, start, end, why=why if state == "fail" else ""))


def heard_ms(rig: Rig, item_id: str | None = None) -> int:
    return rig.heard.count(item_id or item_of(rig, 0)) * 20


def tripped(rig: Rig) -> list[tuple[str, str, int, str]]:
    return [
        (one.state, one.policy, one.heard_ms, one.action)
        for one in rig.journal
        if isinstance(one, journal.GuardrailTripped)
    ]


def shown(rig: Rig) -> str:
    """Return what the caller's page was told of agents' words."""
    return "".join(event["delta"] for event in rig.told("response.output_audio_transcript.delta"))


def asked_aside(rig: Rig) -> str:
    """Return what the last response.create asked to have said beside the conversation."""
    options = rig.sent("response.create")[-1]["response"]
    assert options["conversation"] == "none"
    return str(options["instructions"])


def answer_again(rig: Rig, text: str = "I would rather not say.", ms: int = 1000) -> None:
    rig.far.answers.append([Say(text, ms)])
