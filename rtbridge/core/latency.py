"""Where the time between the caller's last word and the agent's first went, turn by turn.

A turn is a row of moments: the caller's last voiced sample, the turn was over, it was committed, an answer was asked
for, the response that is heard was asked for and created, the first audio of the item that is heard came, the gate let
it pass, it was pulled, it could be heard, its packet had left. Each part is the time from one to the next, so that
they add up; each is rounded at its ends, so that the sum is not off by ten roundings.

What counts is what is heard. An item that is not (withheld, taken back, nothing but silence) is no answer, and the
time it took is `tools_ms` of the one that is. What was asked for before the turn was over answers an earlier one.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Final

from rtbridge.core import pcm
from rtbridge.core.journal import TurnEnded
from rtbridge.core.playout import Sounded
from rtbridge.core.requests import Response

MAX_ITEMS: Final = 64  # of one turn that are not heard


@dataclass(slots=True)
class _Item:
    """One item that may be what is heard first."""

    asked_s: float
    created_s: float
    first_audio_s: float
    cleared_s: float | None = None


@dataclass(slots=True)
class _Turn:
    over_s: float
    voice_end_s: float | None
    committed_s: float | None = None
    requested_s: float | None = None
    items: dict[str, _Item] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Sounded:
    """A turn whose answer is in a frame that was pulled."""

    turn: _Turn
    item: _Item
    item_id: str
    agent: str
    sound_s: float
    lead_s: float
    withheld_s: float


class Stopwatch:
    """One turn at a time; a new turn forgets an unanswered one. All times are loop time in seconds."""

    def __init__(self) -> None:
        self._turn: _Turn | None = None
        self._sounded: _Sounded | None = None

    def turn_over(self, now: float, *, voice_end_s: float | None) -> None:
        """The caller's turn is over; their last voiced sample came at `voice_end_s`, None when it was typed."""
        self._turn = _Turn(now, voice_end_s)

    @property
    def waiting(self) -> bool:
        """Whether a turn is over and nothing was asked for yet."""
        return self._turn is not None and self._turn.requested_s is None

    def committed(self, now: float, *, voice_end_s: float | None) -> None:
        """Note a commit of the caller's audio: of the turn that is over, or, by a client's hand, the end of one."""
        turn = self._turn
        if turn is None or turn.committed_s is not None:
            turn = self._turn = _Turn(now, voice_end_s)
        turn.committed_s = now
        turn.voice_end_s = voice_end_s if turn.voice_end_s is None else turn.voice_end_s

    def requested(self, now: float) -> None:
        """Note the first response.create that answers the turn."""
        if self._turn is not None and self._turn.requested_s is None:
            self._turn.requested_s = now

    def first_audio(self, now: float, item_id: str, response: Response) -> None:
        """Note audio that came for an item of a response; only the first of each item counts."""
        turn = self._turn
        if turn is None or response.asked_s < turn.over_s or item_id in turn.items:
            return
        if turn.requested_s is None:  # the upstream answers by itself
            turn.requested_s = response.asked_s
        if len(turn.items) < MAX_ITEMS:
            turn.items[item_id] = _Item(response.asked_s, response.created_s, now)

    def cleared(self, now: float, item_id: str) -> None:
        """Note that the gate lets the beginning of an item pass; only the first time counts."""
        item = self._turn.items.get(item_id) if self._turn is not None else None
        if item is not None and item.cleared_s is None:
            item.cleared_s = now

    def sounded(self, mark: Sounded, *, agent: str, now: float) -> None:
        """Note an item's first sound, in the frame that was just pulled."""
        turn = self._turn
        item = turn.items.get(mark.item_id) if turn is not None else None
        if turn is not None and item is not None:  # or the rest of an earlier answer is still playing
            self._turn = None
            at_s, lead_s, withheld_s = (n / pcm.RATE for n in (mark.at, mark.lead, mark.withheld))
            self._sounded = _Sounded(turn, item, mark.item_id, agent, now + at_s, lead_s, withheld_s)

    def sent(self, wire_ms: float, *, rtt_ms: float = 0.0) -> TurnEnded | None:
        """Note how long the frame that was pulled last was on its way out; return the latencies of a turn it answers.

        `rtt_ms` is the round trip to the caller, 0 where it is not known.
        """
        sounded, self._sounded = self._sounded, None
        if sounded is None:
            return None
        turn, item = sounded.turn, sounded.item
        requested_s = turn.over_s if turn.requested_s is None else turn.requested_s
        committed_s = turn.over_s if turn.committed_s is None else min(turn.committed_s, requested_s)
        cleared_s = item.first_audio_s if item.cleared_s is None else item.cleared_s
        moments = [
            turn.over_s if turn.voice_end_s is None else turn.voice_end_s,
            turn.over_s,
            committed_s,
            requested_s,
            item.asked_s,
            item.created_s,
            item.first_audio_s,
            cleared_s + sounded.withheld_s,  # a silent beginning that the gate then held back
            sounded.sound_s - sounded.lead_s,
            sounded.sound_s,
            sounded.sound_s + wire_ms / 1000,
        ]
        # Each is at its moment or later, for none comes before what it waits for.
        since_ms = [round((moment - moments[0]) * 1000) for moment in itertools.accumulate(moments, max)]
        endpoint, commit, request, tools, created, model, gate, playout, lead, wire = (
            after - before for before, after in itertools.pairwise(since_ms)
        )
        return TurnEnded(
            item_id=sounded.item_id,
            agent=sounded.agent,
            respond_ms=None if turn.voice_end_s is None else since_ms[-1],
            endpoint_ms=None if turn.voice_end_s is None else endpoint,
            commit_ms=None if turn.committed_s is None else commit,
            request_ms=request,
            tools_ms=tools,
            created_ms=created,
            model_ms=model,
            gate_ms=gate,
            playout_ms=playout,
            lead_ms=lead,
            wire_ms=wire,
            ear_estimate_ms=round(rtt_ms / 2) if rtt_ms else None,
        )

    def dropped(self) -> None:
        """The turn will not be answered."""
        self._turn = None
