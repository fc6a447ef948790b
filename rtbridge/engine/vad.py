"""The gate before the ears: where speech begins and ends in one stream of audio.

Silero VAD v6 (16 kHz, MIT) gives a speech probability for every 32 ms; this file turns those into edges.
Time is samples heard and nothing else: no clock is read, and a stream that stalls simply makes no edges.
The 24 kHz stream passes one resampler for its whole life, in blocks of fixed size, so that the edges do
not depend on how the network cut the audio. The network's weights are shared by all streams of the
process; its recurrent state, 64 samples of context and the counters below are a stream's own.

Hysteresis: a window is speech from `threshold` up and silence below `threshold - 0.15`; between the two it
is neither, so a trailing vowel does not flicker. Speech is announced when three windows of it (96 ms) have
come with no more than two silent ones between: a click or a tap is shorter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rtbridge.core.pcm import RATE, samples_of, samples_of_ms
from rtbridge.engine.models import HOW_TO, SILERO
from rtbridge.engine.onnx import open_session
from rtbridge.engine.parts import PAUSE_MS, VadConfig, VadEdge
from rtbridge.errors import MissingPart

try:
    import soxr
except ImportError as e:
    raise MissingPart(f"package soxr is not installed: {HOW_TO}") from e

MODEL_RATE: Final = 16_000
WINDOW: Final = 512  # samples at 16 kHz, 32 ms: the only size the model takes
CONTEXT: Final = 64  # samples of the window before, which the model wants in front
WINDOW_HEARD: Final = WINDOW * RATE // MODEL_RATE  # the same window in samples at 24 kHz
BLOCK: Final = 480  # samples at 24 kHz a pass through the resampler, 20 ms
HYSTERESIS: Final = 0.15
SPEECH_WINDOWS: Final = 3
GAP_WINDOWS: Final = 2

Float32 = npt.NDArray[np.float32]


class SileroModel:
    """The shared weights. Thread-safe: a run keeps nothing."""

    def __init__(self, model: bytes) -> None:
        """Open the model. Raises MissingPart without onnxruntime."""
        self._session = open_session(model)
        self._rate = np.array(MODEL_RATE, np.int64)

    def probability(self, window: Float32, state: Float32) -> tuple[float, Float32]:
        """Return (speech probability 0..1, next state) for `window` (576 samples) after `state` (2, 1, 128)."""
        out, after = self._session.run(None, {"input": window[None], "state": state, "sr": self._rate})
        return float(out[0, 0]), after


def load_silero(model_dir: Path | None = None) -> SileroModel:
    """Return the model from its wheel or `model_dir`. Raises MissingPart."""
    return SileroModel(SILERO.read(model_dir))


class SileroVad:
    """`parts.Vad` over one stream."""

    def __init__(self, model: SileroModel, config: VadConfig) -> None:
        """Begin a stream at sample 0."""
        self._model = model
        self._threshold = config.threshold
        self._quiet = max(config.threshold - HYSTERESIS, 0.01)
        self._prefix = samples_of_ms(config.prefix_padding_ms)
        self._silence = samples_of_ms(config.silence_ms)
        self._pause = samples_of_ms(PAUSE_MS)
        self._resampler = soxr.ResampleStream(RATE, MODEL_RATE, 1, dtype="float32", quality="MQ")
        self._raw = b""  # 24 kHz audio short of a block
        self._resampled: Float32 = np.zeros(0, np.float32)  # 16 kHz audio short of a window
        self._context: Float32 = np.zeros(CONTEXT, np.float32)
        self._state: Float32 = np.zeros((2, 1, 128), np.float32)
        self._heard = 0  # samples at 24 kHz that the model has judged
        self._last_edge = 0
        self._speaking = False
        self._onset: int | None = None  # first window of what may become speech
        self._speech_windows = 0
        self._gap_windows = 0
        self._quiet_since: int | None = None
        self._paused = False  # this silence was reported as a pause

    def feed(self, pcm: bytes) -> list[VadEdge]:
        """Hear `pcm`; see `parts.Vad.feed`."""
        samples_of(pcm)  # refuses half a sample
        self._raw += pcm
        edges: list[VadEdge] = []
        size = BLOCK * 2
        whole = len(self._raw) // size * size
        for at in range(0, whole, size):
            block = np.frombuffer(self._raw, np.int16, BLOCK, at).astype(np.float32) / 32768.0
            self._resampled = np.concatenate([self._resampled, self._resampler.resample_chunk(block)])
            while len(self._resampled) >= WINDOW:
                window, self._resampled = self._resampled[:WINDOW], self._resampled[WINDOW:]
                edge = self._judge(window)
                if edge:
                    edges.append(edge)
        self._raw = self._raw[whole:]
        return edges

    def reset(self) -> None:
        """Forget speech in progress; see `parts.Vad.reset`."""
        self._speaking = False
        self._onset = self._quiet_since = None
        self._state = np.zeros((2, 1, 128), np.float32)
        self._last_edge = self._heard

    def _judge(self, window: Float32) -> VadEdge | None:
        begins = self._heard
        self._heard = ends = begins + WINDOW_HEARD
        probability, self._state = self._model.probability(
            np.concatenate([self._context, window]), self._state
        )
        self._context = window[-CONTEXT:]
        if self._speaking:
            return self._while_speaking(probability, begins, ends)
        return self._while_quiet(probability, begins)

    def _while_quiet(self, probability: float, begins: int) -> VadEdge | None:
        if probability >= self._threshold:
            if self._onset is None:
                self._onset, self._speech_windows = begins, 0
            self._speech_windows += 1
            self._gap_windows = 0
        elif self._onset is not None:
            self._gap_windows += 1
            if self._gap_windows > GAP_WINDOWS:
                self._onset = None
        if self._onset is None or self._speech_windows < SPEECH_WINDOWS:
            return None
        at = max(self._onset - self._prefix, self._last_edge, 0)
        self._speaking, self._onset, self._quiet_since = True, None, None
        self._last_edge = at
        return VadEdge("started", at)

    def _while_speaking(self, probability: float, begins: int, ends: int) -> VadEdge | None:
        if probability >= self._threshold:
            self._quiet_since = None
            return None
        if self._quiet_since is None:
            if probability >= self._quiet:
                return None
            self._quiet_since, self._paused = begins, False
        if ends - self._quiet_since < self._silence:
            if self._paused or ends - self._quiet_since < self._pause:
                return None
            self._paused = True
            return VadEdge("paused", self._quiet_since + self._pause)
        at = max(self._quiet_since + self._silence, self._last_edge)
        self._speaking, self._quiet_since = False, None
        self._last_edge = at
        return VadEdge("stopped", at)
