"""Hearing: from appended audio to committed items with a transcript.

The input buffer, whose turn it is by the Vad, commits by hand, the idle timeout, and which items still wait for the
ears all live here. When the caller pauses, the ears begin with what was said so far; if the pause turns out to be the
end, they have had a head start of `silence_duration_ms` less PAUSE_MS. They are given the same in either case, so
that a transcript does not depend on who was faster. If the rest of the pause was not silent, they hear it all anew.
It reads no clock: silence, turns and the idle timeout are counted in samples heard. A client that sends no audio
therefore never times out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from rtbridge.core import pcm as audio
from rtbridge.engine import session_config
from rtbridge.engine.input_buffer import InputBuffer
from rtbridge.engine.items import Item
from rtbridge.engine.outbox import Listen, Outbox, Transcribe
from rtbridge.engine.parts import PAUSE_MS, Vad, VadConfig
from rtbridge.errors import BadRequest

EARLY_SAMPLES: Final = audio.samples_of_ms(320)  # into speech, for a client that will not wait for its words
QUIET_AFTER: Final = audio.silence(audio.samples_of_ms(500))  # a word that breaks off is heard wrong
EARLY: Final = ("minimal", "low")  # values of `transcription.delay` that say so
MIN_COMMIT_SAMPLES: Final = audio.samples_of_ms(100)  # what the API asks of `input_audio_buffer.commit`
SILENT: Final = 0.05  # -26 dB of what was said
WINDOW: Final = audio.FRAME_SAMPLES
LONGEST_AHEAD: Final = audio.samples_of_ms(15_000)  # who talks longer is not heard anew at each pause


class Listener(Protocol):
    """What hearing tells the conversation."""

    @property
    def session(self) -> session_config.Session:
        """Return the session in force."""
        ...

    def place_done(self, item: Item) -> None:
        """Put a finished item at the end of the conversation."""
        ...

    def last_item_id(self) -> str | None:
        """Return the id of the item that a new one would follow."""
        ...

    def interrupt(self) -> None:
        """Cancel the active response, if any: the caller speaks."""
        ...

    def answer(self) -> None:
        """Create a response: the caller's turn has ended. Raises BadRequest if one is active."""
        ...

    def heard(self) -> None:
        """Some item's transcript is there, or will never be."""
        ...


class Hearing:
    """The ears' side of one conversation."""

    def __init__(self, listener: Listener, outbox: Outbox, make_vad: Callable[[VadConfig], Vad]) -> None:
        self._listener = listener
        self._outbox = outbox
        self._emit = outbox.emit
        self._buffer = InputBuffer(make_vad)
        self._unheard: dict[
            str, tuple[Item, bool]
        ] = {}  # audio being transcribed; whether to tell the client
        self._speech_id = ""
        self._speech_start = 0
        self._early_from: int | None = None  # sample from which words of the speech that goes on are due
        self._early: dict[str, str] = {}  # ... and what was told of it, until its transcript is whole
        self._paused_at: int | None = None  # sample up to which the ears were given the speech in progress
        self._idle_since: int | None = None  # sample at which the last answer has been played out

    def configure(self) -> None:
        """Obey the session's turn detection. The same settings again leave speech in progress alone.

        Other settings end it, since whoever finds turns now has not heard its beginning: it is a turn of its own, or
        waits for the client's commit when nobody finds turns any more.
        """
        config = session_config.vad_config(self._listener.session)
        changed = self._buffer.configure(config)
        if changed and self._buffer.speaking and config is not None:
            self._speech_stops(self._buffer.heard)
        elif changed and self._buffer.speaking:
            self._buffer.forget_speech()
            self._stopped(self._buffer.heard)

    # -- the input buffer -------------------------------------------------------------------------------------
    def check_room(self, pcm: bytes) -> None:
        """Raise BadRequest if the buffer cannot take `pcm` any more."""
        if self._buffer.is_full(pcm):
            raise BadRequest(
                "The input audio buffer holds 15 minutes and is full. Commit or clear it.",
                code="input_audio_buffer_full",
                param="audio",
            )

    def append(self, pcm: bytes) -> None:
        """Hear `pcm` (24 kHz mono s16le, whole samples)."""
        for edge in self._buffer.append(pcm):
            if edge.kind == "started":
                self._speech_starts(edge.at_sample)
            elif edge.kind == "paused":
                self._speech_pauses(edge.at_sample)
            else:
                self._speech_stops(edge.at_sample, spoken_until=self._paused_at)
        self._check_idle()
        self._listen_early()

    def _speech_starts(self, at_sample: int) -> None:
        self._buffer.speaking = True
        self._early_from = self._buffer.heard + EARLY_SAMPLES
        self._speech_id, self._speech_start = self._outbox.new_id("item"), at_sample
        self._paused_at = None
        self._idle_since = None
        self._emit(
            "input_audio_buffer.speech_started",
            audio_start_ms=audio.ms_of_samples(at_sample),
            item_id=self._speech_id,
        )
        detection = session_config.turn_detection(self._listener.session)
        if detection is not None and detection["interrupt_response"]:
            self._listener.interrupt()

    def _speech_pauses(self, at_sample: int) -> None:
        self._paused_at = at_sample
        if at_sample - self._speech_start <= LONGEST_AHEAD:
            self._outbox.ask(Listen(self._spoken_until(at_sample)))

    def _spoken_until(self, at_sample: int) -> bytes:
        """Return the speech in progress up to a pause, as it is if the caller is silent until the turn is over.

        The ears are surer of a last word with all of the silence behind it.
        """
        config = session_config.vad_config(self._listener.session) or VadConfig()
        rest_ms = max(0, config.silence_ms - PAUSE_MS)
        return self._buffer.look(self._speech_start, at_sample) + audio.silence(audio.samples_of_ms(rest_ms))

    def _silent_since(self, paused_at: int, at_sample: int) -> bool:
        """Return whether the rest of the silence was one: the Vad may take a soft last word for silence."""
        spoken = level(self._buffer.look(self._speech_start, paused_at))
        return loudest(self._buffer.look(paused_at, at_sample)) <= SILENT * spoken

    def _stopped(self, at_sample: int) -> None:
        self._buffer.speaking = False
        self._emit(
            "input_audio_buffer.speech_stopped",
            audio_end_ms=audio.ms_of_samples(at_sample),
            item_id=self._speech_id,
        )

    def _speech_stops(self, at_sample: int, *, spoken_until: int | None = None) -> None:
        self._stopped(at_sample)
        spoken = None
        if spoken_until is not None and self._silent_since(spoken_until, at_sample):
            spoken = self._spoken_until(spoken_until)
        self._commit(self._speech_id, self._buffer.take(self._speech_start, at_sample), spoken)
        self._answer_if_asked()

    def _answer_if_asked(self) -> None:
        detection = session_config.turn_detection(self._listener.session)
        if detection is not None and detection["create_response"]:
            try:
                self._listener.answer()
            except BadRequest as error:  # a response is active and was not interrupted
                self.refuse(error, None)

    def refuse(self, error: BadRequest, event_id: str | None) -> None:
        """Emit `error` about the client event `event_id`, or about nothing that the client sent."""
        self._emit("error", error={**error.as_body()["error"], "event_id": event_id})

    def commit_by_hand(self) -> None:
        """Commit all that is buffered. Raises BadRequest below 100 ms."""
        if len(self._buffer) < MIN_COMMIT_SAMPLES:
            held_ms = len(self._buffer) * 1000 / audio.RATE
            raise BadRequest(
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer "
                f"only has {held_ms:.2f}ms of audio.",
                code="input_audio_buffer_commit_empty",
            )
        item_id = self._speech_id if self._buffer.speaking else self._outbox.new_id("item")
        self._commit(item_id, self._buffer.take_all())

    def clear(self) -> None:
        """Throw away what is buffered."""
        self._buffer.take_all()
        self._emit("input_audio_buffer.cleared")

    def _commit(self, item_id: str, pcm: bytes, spoken: bytes | None = None) -> None:
        """Make an item of `pcm`; the ears are given `spoken`, if they may have begun with that."""
        content = [{"type": "input_audio", "transcript": None}]
        wire = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
        }
        item = Item({**wire, "content": content}, bytearray(pcm), audio.samples_of(pcm))
        previous = self._listener.last_item_id()
        self._emit("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id)
        self._listener.place_done(item)
        tell = self._listener.session["audio"]["input"]["transcription"] is not None
        self.transcribe(item, tell=tell, spoken=spoken)

    # -- the idle timeout -------------------------------------------------------------------------------------
    def answered(self, audio_samples: int) -> None:
        """An answer with so much audio is done: it will have been played when as many more samples are heard."""
        self._idle_since = self._buffer.heard + audio_samples

    def answering(self) -> None:
        """An answer was begun: nobody is idle."""
        self._idle_since = None

    def _check_idle(self) -> None:
        detection = session_config.turn_detection(self._listener.session) or {}
        timeout_ms = detection.get("idle_timeout_ms")
        if timeout_ms is None or self._idle_since is None or self._buffer.speaking:
            return
        start, end = self._idle_since, self._idle_since + audio.samples_of_ms(timeout_ms)
        if self._buffer.heard < end:
            return
        self._idle_since = None
        item_id = self._outbox.new_id("item")
        self._emit(
            "input_audio_buffer.timeout_triggered",
            audio_start_ms=audio.ms_of_samples(start),
            audio_end_ms=audio.ms_of_samples(end),
            item_id=item_id,
        )
        self._commit(item_id, self._buffer.take(start, end))
        self._answer_if_asked()

    # -- words before the end ---------------------------------------------------------------------------------
    def _listen_early(self) -> None:
        """Have the ears hear the beginning of speech that goes on, once, if the client asked for its words early."""
        wanted = self._listener.session["audio"]["input"]["transcription"] or {}
        if not self._buffer.speaking or self._early_from is None or self._buffer.heard < self._early_from:
            return
        self._early_from = None
        if wanted.get("delay") in EARLY:
            begun = self._buffer.look(self._speech_start, self._buffer.heard) + QUIET_AFTER
            self._outbox.ask(Transcribe(self._speech_id, begun, early=True))

    def heard_early(self, item_id: str, text: str) -> None:
        """Tell the client what the ears made of the beginning of speech, if it still goes on."""
        if self._buffer.speaking and item_id == self._speech_id:
            text = text.rstrip(" .,!?")  # the sentence may go on
            self._early = {item_id: text}
            self._tell_words(item_id, text)

    # -- transcripts ------------------------------------------------------------------------------------------
    def transcribe(self, item: Item, *, tell: bool, spoken: bytes | None = None) -> None:
        """Have the ears hear `item` if it is the caller's audio; `tell` the client what they made of it.

        `spoken` is what the ears are given in place of its audio, if they may have begun with that.
        """
        if item.is_audio("user") and item.own_transcript is None and item.id not in self._unheard:
            self._unheard[item.id] = (item, tell)
            self._outbox.ask(Transcribe(item.id, bytes(item.pcm) if spoken is None else spoken))

    def is_pending(self, item: Item) -> bool:
        """Return whether the ears are still at work on `item`."""
        return item.id in self._unheard

    def forget(self, item: Item) -> None:
        """Stop waiting for `item`: it was deleted."""
        self._unheard.pop(item.id, None)

    def transcribed(self, item_id: str, text: str) -> None:
        """Take what the ears made of an item; tell the client if transcription was configured when it was committed."""
        item, tell = self._unheard.pop(item_id, (None, False))
        if item is None:
            return  # deleted meanwhile
        item.own_transcript = text
        if tell:
            item.audio_part()["transcript"] = text
            early = self._early.pop(item_id, "")
            if text.startswith(early):  # what was told and is not so cannot be taken back but by the whole
                self._tell_words(item_id, text[len(early) :])
            seconds = item.samples / audio.RATE
            self._transcription(
                item_id, "completed", transcript=text, usage={"type": "duration", "seconds": seconds}
            )
        self._listener.heard()

    def transcription_failed(self, item_id: str, message: str) -> None:
        """Go on as if nothing had been understood."""
        item, tell = self._unheard.pop(item_id, (None, False))
        if item is None:
            return
        item.own_transcript = ""
        if tell:
            error = {
                "type": "server_error",
                "code": "transcription_failed",
                "message": message,
                "param": None,
            }
            self._transcription(item_id, "failed", error=error)
        self._listener.heard()

    def _tell_words(self, item_id: str, text: str) -> None:
        for piece in re.findall(r"\s*\S+", text):
            self._transcription(item_id, "delta", delta=piece)

    def _transcription(self, item_id: str, what: str, **fields: Any) -> None:
        type_ = f"conversation.item.input_audio_transcription.{what}"
        self._emit(type_, item_id=item_id, content_index=0, **fields)


def level(pcm: bytes) -> float:
    """Return the root mean square of `pcm` (s16le); 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(_numbers(pcm))))) if pcm else 0.0


def loudest(pcm: bytes) -> float:
    """Return the highest level of 20 ms in `pcm` (24 kHz mono s16le)."""
    numbers = _numbers(pcm)
    starts = range(0, len(numbers), WINDOW)
    return max((float(np.sqrt(np.mean(np.square(numbers[at : at + WINDOW])))) for at in starts), default=0.0)


def _numbers(pcm: bytes) -> npt.NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(np.float64)
