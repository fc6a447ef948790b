"""Waits: what a call does while a tool takes its time. When and what is filler.py's; here it is said and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtbridge.core import journal
from rtbridge.core.turns import State

if TYPE_CHECKING:
    from rtbridge.core.call import Call


def due(call: Call) -> float | None:
    """Return when the caller will have waited for a tool in silence for too long; None when nobody waits."""
    waiting = [
        since
        for call_id, (name, _, since) in call.tools.items()
        if name not in call.plan.handoffs and not call.arbiter.responses.disowns(call_id)
    ]
    if not waiting or call.turns.state is not State.THINKING or call.arbiter.aside:
        return None
    if call.controls.silent:  # nobody hears that it is silent
        return None
    return call.filler.due(min(waiting), patient=bool(call.approvals.pending))


def fill(call: Call, now: float) -> None:
    """Have a filler spoken if it is due."""
    at = due(call)
    if at is not None and now >= at:
        phrase = call.filler.take(now, patient=bool(call.approvals.pending))
        if call.arbiter.fill(phrase, now):
            call.note(journal.FillerAsked(phrase))


def drop_unheard(call: Call, now: float) -> None:
    """Take a filler back of which nothing was heard: the result is here."""
    playing = call.speech.playout.playing
    if playing is not None and (playing.pulled or not is_aside(call, playing.item_id)):
        return
    call.speech.flush()
    if call.arbiter.aside:
        call.arbiter.cancel(now)


def make_way(call: Call, item_id: str) -> None:
    """Let a filler that plays end with its word when an answer's audio comes."""
    playing = call.speech.playout.playing
    if playing is not None and is_aside(call, playing.item_id) and not is_aside(call, item_id):
        call.speech.end_word(playing)


def is_aside(call: Call, item_id: str) -> bool:
    """Whether an item was said beside the conversation: the upstream does not keep it."""
    spoken = call.speech.get(item_id)
    response = call.arbiter.response(spoken.response_id) if spoken is not None else None
    return response is not None and response.want.aside
