"""Vectors kept on disk: what the model of meaning made of a scenario's example lines, so that it is made once.

A line costs 20 ms and a scenario has hundreds. The file is a cache and nothing more: it bears the hash of the model's
weights in its name, it may be deleted at any time, and one that cannot be read or written is as good as none.
"""

from __future__ import annotations

import os
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

DIMENSIONS: Final = 384  # of e5-small
MOST: Final = 50_000  # vectors; 77 MB

Float32 = npt.NDArray[np.float32]


class VectorFile:
    """Raw vectors by text, in one `.npz` in `folder`. Thread-safe; several processes may share it."""

    def __init__(self, folder: Path | None, model_hash: str) -> None:
        """Keep nothing on disk when `folder` is None."""
        self._path = None if folder is None else folder / f"meaning-{model_hash[:16]}.npz"
        self._vectors = self._read()
        self._lock = threading.Lock()
        self._unsaved = False

    def get(self, text: str) -> Float32 | None:
        """Return the vector of `text`, if it is known."""
        with self._lock:
            return self._vectors.get(text)

    def put(self, text: str, vector: Float32) -> None:
        """Remember a vector; `save` puts it on disk."""
        with self._lock:
            if text not in self._vectors and len(self._vectors) < MOST:
                self._vectors[text] = vector
                self._unsaved = True

    def save(self) -> None:
        """Write what is new, all at once; a folder that cannot be written is left alone."""
        with self._lock:
            if self._path is None or not self._unsaved:
                return
            self._unsaved = False
            texts, vectors = list(self._vectors), list(self._vectors.values())
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    np.savez(file, texts=np.array(texts), vectors=np.stack(vectors))
                os.replace(name, self._path)
            finally:
                Path(name).unlink(missing_ok=True)
        except OSError:
            return

    def _read(self) -> dict[str, Float32]:
        if self._path is None:
            return {}
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                texts, vectors = kept["texts"], kept["vectors"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return {}
        if vectors.shape != (len(texts), DIMENSIONS) or vectors.dtype != np.float32:
            return {}
        return {str(text): vector for text, vector in zip(texts, vectors, strict=True)}
