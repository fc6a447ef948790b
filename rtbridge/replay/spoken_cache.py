"""Spoken texts kept on disk, by content: the name of a file is the hash of all that its sound depends on.

A cache and nothing more: it may be deleted at any time, a file that is damaged is as good as none, and a folder that
cannot be written is left alone. It holds at most 64 MiB; what was not used for longest goes first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path.home() / ".cache" / "rtbridge" / "spoken"
MAX_BYTES: Final = 64 * 1024 * 1024  # 23 minutes of speech
SUFFIX: Final = ".s16"  # a sha256 of what follows, then 24 kHz mono s16le


@dataclass(frozen=True, slots=True)
class SpokenCache:
    """Safe for several processes: files appear whole, and any of them may vanish."""

    folder: Path = FOLDER
    max_bytes: int = MAX_BYTES

    def get_or_make(self, key: Sequence[str], make: Callable[[], bytes]) -> bytes:
        """Return the PCM kept under `key`, or what `make` gives, kept from now on."""
        name = hashlib.sha256(json.dumps(list(key)).encode()).hexdigest() + SUFFIX
        found = self._read(self.folder / name)
        if found is None:
            found = make()
            with contextlib.suppress(OSError):
                self._write(self.folder / name, found)
        return found

    def _read(self, file: Path) -> bytes | None:
        try:
            held = file.read_bytes()
            digest, audio = held[:32], held[32:]
            if hashlib.sha256(audio).digest() != digest:
                return None
            os.utime(file)  # it was used
        except OSError:
            return None
        return audio

    def _write(self, file: Path, audio: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(hashlib.sha256(audio).digest() + audio)
            os.replace(name, file)
        finally:
            Path(name).unlink(missing_ok=True)
        self._shrink(file)

    def _shrink(self, newest: Path) -> None:
        held = [(other.stat(), other) for other in self.folder.glob(f"*{SUFFIX}")]
        total = sum(stat.st_size for stat, _ in held)
        for stat, file in sorted(held, key=lambda one: (one[0].st_mtime_ns, one[1])):
            if total <= self.max_bytes:
                return
            if file != newest:
                file.unlink(missing_ok=True)
                total -= stat.st_size
