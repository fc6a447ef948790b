"""The voice: hibari (Apache-2.0, 24 kHz) spoken sentence by sentence, as ten voices, with word times.

The model turns phonemes into a spectrum per 12.5 ms frame and a pitch curve; `hibari.dsp.synth` makes the
wave. Between the two stands what this file adds. Voices: the pitch is scaled and the spectral envelopes are
stretched along frequency, which is what a longer or shorter throat does, so agents of one call are told
apart. Word times: the model has a duration per phoneme inside, which its published outputs leave out; a
graph output for it is appended to the ONNX file (protobuf merges concatenated messages, so this is a few
bytes behind the end, and the checked file itself stays as it is).

Everything is seeded: the same text, voice and speed give the same bytes, and are made once (kept_speech.py).
"""

from __future__ import annotations

import difflib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtbridge.core.pcm import samples_of_ms, silence
from rtbridge.engine.kept_speech import KeptSpeech
from rtbridge.engine.models import HIBARI, HOW_TO
from rtbridge.engine.onnx import open_session
from rtbridge.engine.parts import Spoken
from rtbridge.engine.spoken import Sentence, sentences
from rtbridge.errors import MissingPart

FRAME: Final = 600  # samples of 24 kHz a unit of duration: two frames of the spectrum
BIN_HZ: Final = 20.0  # a bin of the spectrum
UNVOICED_HZ: Final = 40.0  # hibari.dsp takes less for no pitch
SEED: Final = 24_000
LEAD: Final = 1200  # samples kept before the first phoneme: the model begins with up to 200 ms of nothing
DURATIONS: Final = "/Clip_output_0"  # frames per phoneme id, after speed and rounding

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Timbre:
    """How a voice differs from the model's own."""

    pitch: float  # times the model's f0
    throat: float  # times the model's formant frequencies


# The Realtime API's voice names. Pitch from 0.62 (a low man) to 1.16; what each stays intelligible at was
# measured by listening back with the ears.
VOICES: Final = MappingProxyType(
    {
        "sage": Timbre(1.0, 1.0),
        "marin": Timbre(1.07, 1.02),
        "coral": Timbre(1.12, 1.04),
        "shimmer": Timbre(1.18, 1.06),
        "alloy": Timbre(0.92, 0.97),
        "verse": Timbre(0.84, 0.95),
        "ballad": Timbre(0.77, 0.93),
        "echo": Timbre(0.7, 0.9),
        "cedar": Timbre(0.64, 0.88),
        "ash": Timbre(0.58, 0.87),
    }
)
DEFAULT_VOICE: Final = "sage"


class HibariVoice:
    """`parts.Voice`. Thread-safe: the phonemiser is locked, sessions are safe, the rest is per call."""

    def __init__(self, model: bytes) -> None:
        """Open the model. Raises MissingPart without the packages."""
        try:
            from hibari import dsp
            from hibari.g2p import G2P
            from hibari.g2p.normalize import normalize
            from hibari.tts import ASSETS
        except ImportError as e:
            raise MissingPart(f"package hibari-tts is not installed: {HOW_TO}") from e
        self._dsp: Any = dsp
        self._normalize = normalize
        self._g2p = G2P()
        self._g2p_lock = threading.Lock()
        self._kept = KeptSpeech()
        self._session = open_session(with_output(model, DURATIONS))
        self._vocab: dict[str, int] = _vocabulary(ASSETS)

    def speak(self, text: str, *, voice: str, speed: float) -> Iterator[Spoken]:
        """Yield `text` as audio; see `parts.Voice.speak`."""
        timbre = VOICES.get(voice, VOICES[DEFAULT_VOICE])
        speed = min(max(speed, 0.25), 1.5)
        for sentence in sentences(text):
            make = partial(self._sentence, sentence, timbre, speed)
            yield self._kept.get_or_make((sentence, timbre, speed), make)

    def _sentence(self, sentence: Sentence, timbre: Timbre, speed: float) -> Spoken:
        with self._g2p_lock:  # its lazily opened parts are not made for threads
            tokens = self._g2p.phonemize_tokens(self._g2p.tokenize(self._normalize(sentence.said)))
        ids, starts = [0], []
        for token in tokens:
            starts.append(len(ids))
            phonemes = (token.phonemes or "") + (" " if token.whitespace else "")
            ids += [self._vocab[c] for c in phonemes if c in self._vocab]
        if len(ids) < 2:
            return Spoken(b"", tuple((piece.shown, 0) for piece in sentence.pieces))
        wave, frames = self._synthesise([*ids, 0], timbre, speed)
        began = np.concatenate([[0], np.cumsum(frames.astype(np.int64))]) * FRAME
        lead = max(int(began[1]) - LEAD, 0)
        wave, began = wave[lead:], np.maximum(began - lead, 0)
        words = [(token.text, int(began[start])) for token, start in zip(tokens, starts, strict=True)]
        pcm = (np.clip(wave, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        return Spoken(pcm + silence(samples_of_ms(sentence.pause_ms)), align(sentence, words))

    def _synthesise(self, ids: list[int], timbre: Timbre, speed: float) -> tuple[Float32, Float32]:
        *spectrum, frames = self._session.run(
            ["lh", "theta", "ln", "lr", "phi", "f0", DURATIONS],
            {"ids": np.asarray([ids], np.int64), "speed": np.asarray([speed], np.float32)},
        )
        lh, theta, ln, lr, phi, f0 = (out[0] for out in spectrum)
        if timbre.throat != 1.0:
            lh = between_harmonics(lh, f0)
            lh, ln, lr = (stretch(envelope, timbre.throat) for envelope in (lh, ln, lr))
        rng = np.random.default_rng(SEED)
        return self._dsp.synth(lh, theta, ln, lr, phi, f0 * np.float32(timbre.pitch), rng), frames


def between_harmonics(envelope: Float32, f0: Float32) -> Float32:
    """Return `envelope` (bins, frames) drawn anew through its values at the harmonics of `f0` (frames, Hz).

    The model was only ever heard at its own harmonics and may hold anything between them; a voice of
    another pitch would sing it. Below the first harmonic its value holds; unvoiced frames stay as they are.
    """
    spacing = np.maximum(f0, UNVOICED_HZ) / np.float32(BIN_HZ)  # bins from harmonic to harmonic
    bins = len(envelope)
    number = np.arange(bins, dtype=np.float32)[:, None] / spacing[None]
    low = np.maximum(np.floor(number), 1)
    share = np.clip(number - low, 0, 1)
    at = [np.minimum(np.rint(n * spacing[None]).astype(np.int64), bins - 1) for n in (low, low + 1)]
    below, above = (np.take_along_axis(envelope, index, axis=0) for index in at)
    drawn = below * (1 - share) + above * share
    return np.where(f0[None] > UNVOICED_HZ, drawn, envelope).astype(np.float32)


def stretch(envelope: Float32, throat: float) -> Float32:
    """Return `envelope` (bins, frames) with what was at bin k now at bin k * `throat`."""
    bins = len(envelope)
    source = np.minimum(np.arange(bins, dtype=np.float32) / np.float32(throat), bins - 1)
    low = source.astype(np.int64)
    high = np.minimum(low + 1, bins - 1)
    share = (source - low).astype(np.float32)[:, None]
    return np.asarray(envelope[low] * (1 - share) + envelope[high] * share, np.float32)


def align(sentence: Sentence, words: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Return (shown piece, start sample) for every piece, given the phonemiser's words and their starts.

    The phonemiser writes some words anew ("$5" becomes several), so the two lists are matched on equal
    words; what stands between two matches is spread over the words between them. Starts never fall.
    """
    said = [word for piece in sentence.pieces for word in piece.said.split()]
    heard = [_bare(word) for word, _ in words]
    start_of_said: list[int] = []
    matcher = difflib.SequenceMatcher(None, [_bare(word) for word in said], heard, autojunk=False)
    for _, said_from, said_to, heard_from, heard_to in matcher.get_opcodes():
        count = said_to - said_from
        for i in range(count):
            at = min(heard_from + i * (heard_to - heard_from) // count, len(words) - 1)
            start_of_said.append(words[at][1])
    out: list[tuple[str, int]] = []
    at = latest = 0
    for piece in sentence.pieces:
        count = len(piece.said.split())
        if count:
            latest = max(latest, start_of_said[at])
            at += count
        out.append((piece.shown, latest))
    return tuple(out)


def _bare(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum())


def with_output(model: bytes, name: str) -> bytes:
    """Return the ONNX `model` with the inner value `name` as one more graph output.

    ONNX's ModelProto has the graph as field 7 and GraphProto its outputs as field 12 (onnx.proto); a
    message appended to a serialised message is merged into it, and repeated fields are extended.
    """
    value_info = _field(1, name.encode())
    return model + _field(7, _field(12, value_info))


def _field(number: int, payload: bytes) -> bytes:
    if len(payload) > 127:
        raise ValueError(f"{len(payload)} bytes need a longer length than this writes")
    return bytes([number << 3 | 2, len(payload)]) + payload


def _vocabulary(folder: str) -> dict[str, int]:
    return dict(json.loads((Path(folder) / "vocab.json").read_text("utf-8")))


def load_hibari(model_dir: Path | None = None) -> HibariVoice:
    """Return the voice from its wheel or `model_dir`. Raises MissingPart."""
    return HibariVoice(HIBARI.read(model_dir))
