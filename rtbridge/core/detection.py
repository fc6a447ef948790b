"""Turn detection as the caller's side or the agent chose it, and the part of it that the upstream is told.

The caller's own choice stands for the rest of the call, whoever takes over: agents then choose for nobody.

`create_response` and `interrupt_response` are obeyed in the house: the upstream finds turns and does nothing more.
"""

from __future__ import annotations

from typing import Any

Wire = dict[str, Any]

DEFAULT: Wire = {"type": "server_vad"}  # the Realtime API's own
SILENCE_MS = 500  # of server_vad, where nothing is said


class TurnDetection:
    """How the caller's turns are found. None means that the client says where they end (push to talk)."""

    def __init__(self) -> None:
        self.value: Wire | None = None
        self.chosen = False
        self.by_caller = False

    def choose(self, value: Wire | None, *, by_caller: bool = True) -> bool:
        """Take `value` (GA shape of session.audio.input.turn_detection); return whether that is a change."""
        if self.by_caller and not by_caller:
            return False
        changed = value != self.value or not self.chosen
        self.value, self.chosen, self.by_caller = value, True, by_caller
        return changed

    @property
    def shown(self) -> Wire | None:
        """What a client is told: until somebody has chosen, what holds where nobody does, and not push to talk."""
        return self.value if self.chosen else DEFAULT

    @property
    def creates(self) -> bool:
        """Whether a turn that was found is answered without anybody asking."""
        return self.value is not None and self.value.get("create_response") is not False

    @property
    def interrupts(self) -> bool:
        """Whether speech stops the agent."""
        return self.value is None or self.value.get("interrupt_response") is not False

    @property
    def silence_ms(self) -> int:
        """How long the upstream listens to silence before it calls a turn over; 0 where that is not fixed."""
        if self.value is None or self.value.get("type") != "server_vad":
            return 0
        return int(self.value.get("silence_duration_ms") or SILENCE_MS)

    def upstream(self) -> Wire:
        """Return the partial session that carries it upstream."""
        told = self.value
        if told is not None:
            told = {**told, "create_response": False, "interrupt_response": False}
        return {"type": "realtime", "audio": {"input": {"turn_detection": told}}}
