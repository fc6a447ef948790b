"""What a call's journal has of what the caller's side switches (core/controls.py, core/push_to_talk.py)."""

from __future__ import annotations

from dataclasses import dataclass

from rtbridge.core.entry import Entry


@dataclass(frozen=True, slots=True)
class ControlsChanged(Entry):
    """The caller's side asked for mute, playback off or hold, or for its end: what is in force now, all of it."""

    event = "controls.changed"
    to_caller = True
    muted: bool
    paused: bool  # playback is off
    held: bool


@dataclass(frozen=True, slots=True)
class PushToTalkPressed(Entry):
    """The button is down: the caller's turn begins with what came in the last `before_ms`."""

    event = "push_to_talk.pressed"
    to_caller = True
    before_ms: int


@dataclass(frozen=True, slots=True)
class PushToTalkReleased(Entry):
    """The button was let go and the tail is there: the turn is committed. It was down for `held_ms` of audio."""

    event = "push_to_talk.released"
    to_caller = True
    held_ms: int
