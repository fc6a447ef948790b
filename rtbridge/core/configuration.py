"""Configuration: the session that is in force upstream, what of it is on its way, and what waits to be sent.

Every session.update of a call passes through here; when one may go out is the arbiter's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtbridge.core import requests
from rtbridge.core.dialect import dig
from rtbridge.core.requests import merged

Wire = dict[str, Any]

UPDATED_WITHIN_S = 5.0  # session.update -> session.updated


class Configuration:
    """One upstream's session. Times are loop time in seconds."""

    def __init__(self) -> None:
        self.sent: Wire = {}  # all that was sent of `session`, merged
        self._next: Wire | None = None
        self.voice_heard = False  # the upstream has put out audio: from there on it changes its voice no more
        self._voice_refused: str | None = None
        self._unacked: dict[str, float] = {}  # event_id of session.update -> sent at

    @property
    def in_force(self) -> bool:
        """Whether something was sent and all of it was acknowledged."""
        return bool(self.sent) and self._next is None and not self._unacked

    def change(self, session: Mapping[str, Any]) -> None:
        """Want a partial session in force; wants that wait together become one."""
        self._next = merged(self._next or {}, session)

    def may_go(self, *, quiet: bool) -> bool:
        """Whether there is something to send now; `quiet` is whether no response is active or asked for."""
        return self._next is not None and (quiet or requests.is_about_hearing(self._next))

    def go(self, event_id: str, now: float) -> Wire:
        """Return the session.update to send."""
        going, self._next = self._next or {}, None
        if self.voice_heard:
            going = self._with_the_voice_heard(going)
        self.sent = merged(self.sent, going)
        self._unacked[event_id] = now
        return requests.update(event_id, going)

    def _with_the_voice_heard(self, session: Wire) -> Wire:
        """Take another voice out of a session: the upstream would refuse the whole of it (cannot_update_voice)."""
        given, sent = dig(session, "audio", "output"), dig(self.sent, "audio", "output")
        if "voice" not in given or given["voice"] == sent.get("voice"):
            return session
        self._voice_refused = str(given["voice"])
        kept = {key: value for key, value in given.items() if key != "voice"}
        return {**session, "audio": {**session["audio"], "output": kept}}

    def voice_refused(self) -> str | None:
        """Return a voice that was asked for and not sent, once."""
        refused, self._voice_refused = self._voice_refused, None
        return refused

    def acknowledged(self) -> None:
        """Note an acknowledged session.update; events come back in the order in which they were sent."""
        if self._unacked:
            del self._unacked[next(iter(self._unacked))]

    def is_owed(self, event_id: str | None) -> bool:
        """Whether the session.update `event_id` waits for its acknowledgement: an `error` about it refuses it."""
        return event_id in self._unacked

    def refused(self, event_id: str | None) -> None:
        """Note an `error` about a client event, be it a session.update or not."""
        if event_id is not None:
            self._unacked.pop(event_id, None)

    def deadlines(self) -> list[float]:
        """Return when `expire` wants to be called."""
        return [sent + UPDATED_WITHIN_S for sent in self._unacked.values()]

    def expire(self, now: float) -> list[str]:
        """Wait no longer for what is overdue; return what that is, in words."""
        overdue = [event_id for event_id, sent in self._unacked.items() if now >= sent + UPDATED_WITHIN_S]
        for event_id in overdue:
            del self._unacked[event_id]
        return ["session.update was not acknowledged" for _ in overdue]
