"""What a call's journal has of sounds over the agent's words (core/deciding.py); a part of journal.py."""

from __future__ import annotations

from dataclasses import dataclass

from rtbridge.core.entry import Entry


@dataclass(frozen=True, slots=True)
class BargeInDeciding(Entry):
    """Somebody makes a sound over the agent, who is silent until it is clear whether they meant it."""

    event = "barge_in.deciding"
    to_caller = True
    item_id: str | None  # of the turn that the upstream would make of it


@dataclass(frozen=True, slots=True)
class BargeInConfirmed(Entry):
    """The caller spoke over the agent and meant it."""

    event = "barge_in.confirmed"
    to_caller = True
    item_id: str | None  # what was playing
    heard_ms: int
    paused_ms: int = 0  # the agent was silent already for so long


@dataclass(frozen=True, slots=True)
class BargeInDismissed(Entry):
    """It was nothing: the agent goes on at the sample at which it was paused, and no turn will come of the sound."""

    event = "barge_in.dismissed"
    to_caller = True
    item_id: str | None  # of the turn that it will not become
    reason: str  # echo | backchannel | noise | too short | dropped
    paused_ms: int
