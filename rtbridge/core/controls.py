"""Controls: mute, playback off, and hold, as the caller's side has them. Each is one thing and nothing else.

    mute           the caller's microphone is heard as silence; the agent notices nothing
    playback off   the agent's audio stands still at the very sample, and what is not played is not heard; the caller
                   may talk, and a turn of theirs finds the agent interrupted where it stood still
    hold           both: neither is heard, and nobody may begin to talk

While the agent stands still nothing is said to fill a silence, nobody is asked whether they are still there, and no
answer's latency is taken: the caller chose to hear nothing. Everything goes through the bridge, so what a client's
own loudspeaker does is its own affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rtbridge.core import dialect, journal

if TYPE_CHECKING:
    from rtbridge.core.call import Call

Wire = dict[str, Any]

# Client event -> its one key, which is a field of Controls too.
SWITCHES: Final = {
    "rtbridge.input_audio.mute": "muted",
    "rtbridge.output_audio.pause": "paused",
    "rtbridge.call.hold": "held",
}


@dataclass(slots=True)
class Controls:
    """What is in force. All may be at once, and each ends by itself."""

    muted: bool = False
    paused: bool = False
    held: bool = False

    @property
    def silent(self) -> bool:
        """Whether the caller hears nothing."""
        return self.paused or self.held

    def said(self, chunk: bytes) -> bytes:
        """Return the caller's audio as it may be heard: itself, or as much silence."""
        return bytes(len(chunk)) if self.muted or self.held else chunk


def change(call: Call, event: Wire, now: float) -> None:
    """Do what one of SWITCHES asks for, and say what is in force then, changed or not. Raises Refused."""
    controls, key = call.controls, SWITCHES[event["type"]]
    before = controls.silent
    setattr(controls, key, dialect.on_or_off(event, key))
    call.speech.playout.off = controls.silent
    if before and not controls.silent:
        call.filler.heard(now)
        call.stopwatch.dropped()
    call.note(journal.ControlsChanged(controls.muted, controls.paused, controls.held))
    call.settle(now)
