"""Interruption: the agent is stopped, and the upstream's context is made to hold what was heard and no more.

Whoever stops it, the caller's voice or somebody's wish, it is stopped the same way: cancel what is being made, flush
what is queued, truncate what was heard in part, delete what was not heard at all. Heard is what was pulled: what is on
its way to the caller when the agent is stopped is played there all the same, since no client can throw it away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtbridge.core import journal, pcm, waits
from rtbridge.core.playout import Progress
from rtbridge.core.turns import Cause, State

if TYPE_CHECKING:
    from rtbridge.core.call import Call


def interrupt(call: Call, state: State, cause: Cause, now: float) -> None:
    """Cancel, flush, truncate what was heard, delete what was not; `state` is whose turn it was."""
    if cause is Cause.CANCELLED:
        call.arbiter.forget_wants()
        call.stopwatch.dropped()
    elif state in (State.AGENT_SPEAKING, State.DECIDING):
        playing = call.speech.playout.playing
        heard = playing.pulled if playing is not None else 0
        item_id = playing.item_id if playing is not None and playing.pulled else None
        paused_ms = call.deciding.paused_ms(now) if state is State.DECIDING else 0
        call.note(journal.BargeInConfirmed(item_id, pcm.ms_of_samples(heard), paused_ms))
    call.arbiter.cancel(now)
    for cut in call.speech.flush():
        if waits.is_aside(call, cut.item_id):
            call.note(cut.heard)
        elif cut.heard.heard_ms > 0:
            _truncate(call, cut.item_id, cut.content_index, cut.heard.heard_ms)
            call.note(cut.heard)
        else:
            forget_unheard(call, cut.item_id)
    if call.sounding is not None:
        call.tell_buffer("cleared", call.sounding)
        call.sounding = None


def cut_if_cancelled(call: Call, progress: Progress) -> None:
    """Cut an item whose response was cancelled but whose queue was played: what came later was dropped."""
    spoken = call.speech.queued(progress.item_id)
    response = call.arbiter.response(spoken.response_id)
    if not spoken.complete and response is not None and response.cancelled and not response.want.aside:
        _truncate(call, progress.item_id, progress.content_index, pcm.ms_of_samples(progress.pulled))


def forget_unheard(call: Call, item_id: str) -> None:
    """Take an item of which nothing was heard out of the upstream's context."""
    if waits.is_aside(call, item_id) or call.speech.transcript.is_forgotten(item_id):
        return
    call.arbiter.delete(item_id)
    call.note(journal.ItemDeleted(item_id))


def _truncate(call: Call, item_id: str, content_index: int, heard_ms: int) -> None:
    if call.speech.transcript.is_forgotten(item_id):
        return
    call.arbiter.truncate(item_id, content_index, heard_ms)
    call.note(journal.ItemTruncated(item_id, heard_ms))


def bar(call: Call, response_id: str, item_id: str) -> None:
    """Let nothing be heard of an item that the old agent begins after it has called a handoff."""
    response = call.arbiter.response(response_id)
    if response is not None:
        response.barred.add(item_id)
        forget_unheard(call, item_id)
