"""Where the time between the caller's last word and the agent's first went, turn by turn.

Five moments in order: the turn was over, an answer was asked for, its first audio came, its first sample was pulled,
it could be heard. When speech really ended is what our own ear says, or the upstream's count of audio
(`audio_end_ms`): so the silence the upstream waits for is part of what the caller is shown to have waited.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtbridge.core.journal import TurnEnded


@dataclass(slots=True)
class _Turn:
    over_s: float
    endpoint_ms: int | None
    requested_s: float | None = None
    first_audio_s: float | None = None
    item_id: str = ""  # whose audio that was


class Stopwatch:
    """One turn at a time; a new turn forgets an unanswered one."""

    def __init__(self) -> None:
        self._turn: _Turn | None = None

    def turn_over(self, now: float, *, endpoint_ms: int | None) -> None:
        """The caller's turn is over; `endpoint_ms` ago speech itself ended, None when it was typed."""
        self._turn = _Turn(now, endpoint_ms)

    @property
    def waiting(self) -> bool:
        """Whether a turn is over and nothing was asked for yet."""
        return self._turn is not None and self._turn.requested_s is None

    def requested(self, now: float) -> None:
        """Note the first response.create that answers the turn."""
        if self._turn is not None and self._turn.requested_s is None:
            self._turn.requested_s = now

    def first_audio(self, now: float, item_id: str) -> None:
        """Note audio that came for an item; only the first after the request counts."""
        turn = self._turn
        if turn is not None and turn.requested_s is not None and turn.first_audio_s is None:
            turn.first_audio_s, turn.item_id = now, item_id

    def heard(self, now: float, *, item_id: str, agent: str, lead_ms: int = 0) -> TurnEnded | None:
        """Note an item's first sample pulled; return the turn's latencies if it is the one that was timed.

        `lead_ms` is the silence with which the item begins.
        """
        turn = self._turn
        if turn is None or turn.requested_s is None or turn.first_audio_s is None or turn.item_id != item_id:
            return None  # the rest of an earlier answer may still be playing
        self._turn = None
        endpoint_ms = turn.endpoint_ms
        request_ms, model_ms, playout_ms = (
            round((end - start) * 1000)
            for start, end in (
                (turn.over_s, turn.requested_s),
                (turn.requested_s, turn.first_audio_s),
                (turn.first_audio_s, now),
            )
        )
        return TurnEnded(
            item_id=item_id,
            agent=agent,
            respond_ms=None
            if endpoint_ms is None
            else endpoint_ms + request_ms + model_ms + playout_ms + lead_ms,
            endpoint_ms=endpoint_ms,
            request_ms=request_ms,
            model_ms=model_ms,
            playout_ms=playout_ms,
            lead_ms=lead_ms,
        )

    def unsaid(self, item_id: str) -> None:
        """Note that nothing of an item will be heard: another's first audio is the one that answers the turn."""
        if self._turn is not None and self._turn.item_id == item_id:
            self._turn.first_audio_s, self._turn.item_id = None, ""

    def dropped(self) -> None:
        """The turn will not be answered."""
        self._turn = None
