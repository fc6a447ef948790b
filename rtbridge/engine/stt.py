"""The ears: Moonshine tiny-en (MIT) on onnxruntime, by a loader of our own.

The encoder turns 16 kHz audio into frames of 288 numbers; the merged decoder says one token after another,
greedily, keeping keys and values of what it said (its first run makes them, all later runs take the cached
branch). It is quadratic in length and was trained on short pieces, so audio is cut at the quietest place
before every 15 s. Given no speech at all it says exactly "You": that word alone is nothing heard. It also
can fall into a loop; the cap of 6.5 tokens a second of audio ends those.

The shape of the decoding loop follows the model's published reference (useful-moonshine-onnx, MIT).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtbridge.core.pcm import RATE, samples_of
from rtbridge.engine.models import HOW_TO, MOONSHINE_DECODER, MOONSHINE_ENCODER, MOONSHINE_TOKENIZER
from rtbridge.engine.onnx import open_session
from rtbridge.errors import MissingPart

try:
    import soxr
except ImportError as e:
    raise MissingPart(f"package soxr is not installed: {HOW_TO}") from e

MODEL_RATE: Final = 16_000
LAYERS, HEADS, HEAD_SIZE = 6, 8, 36
BOS, EOS = 1, 2
TOKENS_PER_S: Final = 6.5
LONGEST: Final = 15 * MODEL_RATE  # samples a segment
EARLIEST_CUT: Final = 9 * MODEL_RATE
QUIET: Final = MODEL_RATE // 5  # a cut is in the middle of the quietest 200 ms
SHORTEST: Final = MODEL_RATE // 4  # less is padded: the encoder's convolutions need some frames

Float32 = npt.NDArray[np.float32]


class MoonshineEars:
    """`parts.Ears`. Thread-safe: sessions are, and a transcription shares nothing."""

    def __init__(self, encoder: bytes, decoder: bytes, tokenizer: bytes) -> None:
        """Open the models. Raises MissingPart without onnxruntime."""
        self._encoder = open_session(encoder)
        self._decoder = open_session(decoder)
        self._pieces = read_pieces(tokenizer)
        self._cached = [name.name for name in self._decoder.get_inputs() if "past" in name.name]
        self._first_cache = {name: np.zeros((1, HEADS, 0, HEAD_SIZE), np.float32) for name in self._cached}

    def transcribe(self, pcm: bytes) -> str:
        """Return what is said in `pcm` (24 kHz mono s16le); "" for no words. Blocking."""
        if samples_of(pcm) == 0:
            return ""
        audio = np.frombuffer(pcm, np.int16).astype(np.float32) / 32768.0
        resampled: Float32 = soxr.resample(audio, RATE, MODEL_RATE, quality="HQ").astype(np.float32)
        heard = (self._segment(segment) for segment in cut(resampled))
        return " ".join(text for text in heard if text)

    def _segment(self, audio: Float32) -> str:
        cap = int(len(audio) / MODEL_RATE * TOKENS_PER_S) + 2
        if len(audio) < SHORTEST:
            audio = np.pad(audio, (0, SHORTEST - len(audio)))
        text = self._words(self._tokens(audio, cap))
        return "" if text.strip(" .,!?…").lower() == "you" else text

    def _tokens(self, audio: Float32, cap: int) -> list[int]:
        mask = np.ones((1, len(audio)), np.int64)  # the decoder takes it in samples too, and thins it out
        (hidden,) = self._encoder.run(None, {"input_values": audio[None], "attention_mask": mask})
        feed: dict[str, Any] = {
            "encoder_hidden_states": hidden,
            "encoder_attention_mask": mask,
            "input_ids": np.array([[BOS]], np.int64),
            "use_cache_branch": np.array([False]),
            **self._first_cache,
        }
        tokens: list[int] = []
        while len(tokens) < cap:
            logits, *present = self._decoder.run(None, feed)
            token = int(logits[0, -1].argmax())
            if token == EOS:
                break
            tokens.append(token)
            first = not feed["use_cache_branch"][0]
            for name, value in zip(self._cached, present, strict=True):
                # The cached branch returns nothing of use for the encoder's keys and values: they stay.
                if first or ".decoder." in name:
                    feed[name] = value
            feed["input_ids"] = np.array([[token]], np.int64)
            feed["use_cache_branch"] = np.array([True])
        return tokens

    def _words(self, tokens: list[int]) -> str:
        spoken = b"".join(self._pieces[token] for token in tokens if token < len(self._pieces))
        return spoken.decode("utf-8", "replace").replace("▁", " ").strip()


def read_pieces(tokenizer: bytes) -> list[bytes]:
    """Return the token pieces, in order of their ids; control tokens such as `<s>` as b"".

    The format: every piece is a length and that many bytes of UTF-8; a length above 127 takes two bytes,
    low seven bits first; 0 is an unused id.
    """
    pieces: list[bytes] = []
    at = 0
    while at < len(tokenizer):
        size = tokenizer[at]
        at += 1
        if size > 127:
            size = size - 128 + tokenizer[at] * 128
            at += 1
        piece = tokenizer[at : at + size]
        at += size
        pieces.append(b"" if piece.startswith(b"<") and piece.endswith(b">") and len(piece) > 2 else piece)
    return pieces


def cut(audio: Float32) -> list[Float32]:
    """Return `audio` (16 kHz) in pieces of at most 15 s, cut where it is quietest between 9 s and 15 s."""
    pieces: list[Float32] = []
    while len(audio) > LONGEST:
        energy = np.concatenate([[0.0], np.cumsum(np.square(audio[EARLIEST_CUT:LONGEST], dtype=np.float64))])
        at = EARLIEST_CUT + int((energy[QUIET:] - energy[:-QUIET]).argmin()) + QUIET // 2
        pieces.append(audio[:at])
        audio = audio[at:]
    return [*pieces, audio]


def load_moonshine(model_dir: Path | None = None) -> MoonshineEars:
    """Return the ears from their wheel or `model_dir`. Raises MissingPart."""
    return MoonshineEars(
        MOONSHINE_ENCODER.read(model_dir),
        MOONSHINE_DECODER.read(model_dir),
        MOONSHINE_TOKENIZER.read(model_dir),
    )
