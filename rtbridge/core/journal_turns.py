"""What the journal has of turns: whose it is, and where the time went between the caller's last word and the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rtbridge.core.entry import Entry


@dataclass(frozen=True, slots=True)
class TurnChanged(Entry):
    """Whose turn it is moved by one row of the table in core/turns.py."""

    event = "turn.changed"
    to_caller = True
    from_: str
    to: str
    cause: str


@dataclass(frozen=True, slots=True)
class TurnIgnored(Entry):
    """An event for which the table has no row in this state."""

    event = "turn.ignored"
    state: str
    cause: str


@dataclass(frozen=True, slots=True)
class TurnEnded(Entry):
    """The agent is heard to answer: where the time between the two went, in ms, stage by stage and without a gap.

    `respond_ms` is the sum of LATENCY_PARTS: from the caller's last voiced sample to the first audible one of whatever
    answers them, a filler included. It is None where nobody heard the caller speak: typed text, a switch of agents.
    `ear_estimate_ms` is an estimate and no part of the sum.
    """

    event = "turn.ended"
    to_caller = True
    item_id: str
    agent: str
    respond_ms: int | None
    endpoint_ms: (
        int | None
    )  # last voiced sample, as we heard it -> speech_stopped: the upstream's silence and more
    commit_ms: int | None  # speech_stopped, or the button let go -> committed
    request_ms: int  # committed (or typed) -> the first response.create: a session, or a verdict on the caller's words
    tools_ms: (
        int  # ... -> the response.create of the response that is heard: tools, handoffs, answers not heard
    )
    created_ms: int  # ... -> response.created
    model_ms: int  # response.created -> first audio delta of the item that is heard
    gate_ms: int  # first audio delta -> the guardrails let it pass, up to its first sound
    playout_ms: int  # ... -> pulled: the 20 ms clock, what plays before it, pauses
    lead_ms: int  # the silence that the item begins with
    wire_ms: int  # pulled -> its packet has left, with what the encoder holds back
    ear_estimate_ms: int | None = (
        None  # half the round trip to the caller; their buffer and device are not known
    )


LATENCY_PARTS: Final = (
    "endpoint_ms",
    "commit_ms",
    "request_ms",
    "tools_ms",
    "created_ms",
    "model_ms",
    "gate_ms",
    "playout_ms",
    "lead_ms",
    "wire_ms",
)
