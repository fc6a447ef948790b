"""Keys of the caller's telephone (DTMF): one by one into the journal, and together, as words, to the agent.

A model is not asked at each digit of a number. Keys are collected until `#` or until nobody has pressed one for 2 s;
then the conversation gets one message of the caller, "The caller pressed 1 2 3 4 #.", and an answer is asked for. Where
the keys come from is the leg's business (RFC 4733 on a telephone's media, `rtbridge.dtmf` on the data channel).

A key stops an agent who speaks, as a voice would: who knows the menu does not wait for its end (VoiceXML 2.0 §4.1.5).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from rtbridge.core import journal, pcm
from rtbridge.core.turns import Cause

if TYPE_CHECKING:
    from rtbridge.core.call import Call

KEYS: Final = "0123456789*#ABCD"  # RFC 4733 §3.2
PRESSED: Final = "The caller pressed"  # how the agent is told
LAST: Final = "#"  # ends what is keyed
PAUSE_S: Final = 2.0  # ... and so does this, after the last key
MAX_KEYS: Final = 32  # ... and this many: a card number has 19
BURST: Final = 64  # keys in any BURST_S; ITU-T Q.24's least tone and pause allow 12.5 a second
BURST_S: Final = 5.0


class Keypad:
    """What was pressed and is not told yet. `now` is loop time in seconds."""

    def __init__(self) -> None:
        self._keys = ""
        self._times: deque[float] = deque(maxlen=BURST)

    def deadline(self) -> float | None:
        """Return when what was pressed is complete if nothing more is; None while nothing waits."""
        return self._times[-1] + PAUSE_S if self._keys else None

    def press(self, key: str, now: float) -> bool:
        """Take one key; False when keys come faster than anybody presses them, and it is left out."""
        if len(self._times) == BURST and now - self._times[0] < BURST_S:
            return False
        self._times.append(now)
        self._keys += key
        return True

    def complete(self, now: float) -> str:
        """Return what was pressed, once, when nothing more is to come; "" before."""
        if not self._keys or (
            self._keys[-1] != LAST and len(self._keys) < MAX_KEYS and now < self._times[-1] + PAUSE_S
        ):
            return ""
        keys, self._keys = self._keys, ""
        return keys


def press(call: Call, keys: str, now: float, *, by: str) -> None:
    """Take keys that were pressed (of `KEYS`), `by` media or page."""
    for key in keys:
        if not call.keypad.press(key, now):
            call.note_once(f"keys came faster than {BURST} in {BURST_S:g} s: the rest was left out")
            break
        call.note(journal.DtmfReceived(key, by))
        _interrupt(call, now)
        tell_complete(call, now)
    call.settle(now)


def tell_complete(call: Call, now: float) -> None:
    """Tell the agent what was pressed, if it is complete."""
    keys = call.keypad.complete(now)
    if not keys:
        return
    if call.arbiter.crowded:
        call.note_once("keys were left out: too much waits for the session to be in force")
        return
    content = [{"type": "input_text", "text": f"{PRESSED} {' '.join(keys)}."}]
    call.type_text({"type": "message", "role": "user", "content": content}, now)
    call.request("dtmf", now)


def _interrupt(call: Call, now: float) -> None:
    playing = call.speech.playout.playing
    if playing is None:
        return
    if playing.pulled:
        heard = max(0, playing.pulled - pcm.samples_of_ms(call.rtt_ms / 2))
        call.note(journal.BargeInConfirmed(playing.item_id, pcm.ms_of_samples(heard)))
    call.move(Cause.CANCELLED, now)
