"""What the upstream says of the caller's speech: that it begins, ends, becomes a turn or none, and its words.

Server events of the Realtime API, a part of server_events.py. Speech over the agent's words is deciding.py's to judge.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from rtbridge.core import deciding, guarding, journal, pcm, push_to_talk
from rtbridge.core.call import Call
from rtbridge.core.turns import Cause, State

Wire = dict[str, Any]
NOISE_S: Final = 0.3  # so much after what the upstream takes for the end, and what we heard was no voice


def _speech_started(call: Call, event: Wire, now: float) -> bool:
    call.arbiter.speech_started()
    deciding.started(call, str(event.get("item_id") or ""), now)
    return True


def _speech_stopped(call: Call, event: Wire, now: float) -> bool:
    if call.talk.pressed:  # of before the button was down
        return True
    if deciding.stopped(call, now):
        return True
    call.arbiter.turn_over()
    call.stopwatch.turn_over(now, voice_end_s=_voice_end_s(call, event, now))
    call.voice_end.forget()
    call.move(Cause.SPEECH_STOPPED, now)
    if (
        call.detection.value is None
    ):  # it was put off in the middle of speech: whether to commit is the client's
        call.arbiter.speech_dropped(now)
        call.rest(now)
    return True


def _voice_end_s(call: Call, event: Wire, now: float) -> float | None:
    """Return when speech ended: by our own ear, or by what the upstream says where that heard none, or a noise since.

    The upstream counts in audio: what was sent since `audio_end_ms`, plus the silence that it waited for, where that
    is fixed. An ear that heard speech end sooner than that is right: the upstream needs a while to be sure.
    """
    own = call.voice_end.ended_s()
    end_ms = event.get("audio_end_ms")
    if not isinstance(end_ms, int | float) or not math.isfinite(end_ms) or not call.detection.silence_ms:
        return own
    told_ms = pcm.ms_of_samples(call.uplink.sent_samples) - end_ms + call.detection.silence_ms
    if told_ms < 0:  # it counts other audio than ours
        return own
    told = now - told_ms / 1000
    return told if own is None or own > told + NOISE_S else own


def _committed(call: Call, event: Wire, now: float) -> bool:
    if deciding.committed(call, str(event.get("item_id")), now):
        return False
    call.bounds.turn_over()
    guarding.hear_first(call, event.get("item_id"), now)
    if push_to_talk.committed(call):
        return True
    call.stopwatch.committed(now, voice_end_s=call.voice_end.ended_s())
    call.voice_end.forget()
    call.arbiter.committed(now)
    if (
        call.turns.state is State.CALLER_SPEAKING
    ):  # a client's commit, or an upstream that does not say stopped
        call.move(Cause.SPEECH_STOPPED, now)
    call.settle(now)
    call.rest(now)
    return True


def _timed_out(call: Call, event: Wire, now: float) -> bool:
    """The caller was silent for idle_timeout_ms: the upstream commits nothing, to be answered like a turn."""
    if not call.controls.silent:  # the caller wants to hear nothing now
        call.arbiter.turn_over()
    return True


def _cleared(call: Call, event: Wire, now: float) -> bool:
    if call.talk.begins_turns:  # it began a turn, and ended none
        return True
    deciding.cleared(call, now)
    call.arbiter.speech_dropped(now)
    call.move(Cause.SPEECH_DROPPED, now)
    return True


def _caller_transcript(call: Call, event: Wire, now: float) -> bool:
    item_id, text = str(event.get("item_id")), str(event.get("transcript") or "").strip()
    entry = call.speech.transcript.get(item_id)
    if entry is not None:
        entry.text, entry.spoken = text, True
    call.note(journal.CallerSaid(item_id, text))
    if not text:  # sounds, and nothing to be checked
        guarding.caller_cleared(call, item_id, now)
    return True


def _caller_words(call: Call, event: Wire, now: float) -> bool:
    deciding.partial(call, event, now)
    return True


HANDLERS: Final[dict[str, Callable[[Call, Wire, float], bool]]] = {
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
    "input_audio_buffer.committed": _committed,
    "input_audio_buffer.cleared": _cleared,
    "input_audio_buffer.timeout_triggered": _timed_out,
    "conversation.item.input_audio_transcription.delta": _caller_words,
    "conversation.item.input_audio_transcription.completed": _caller_transcript,
}
