"""What a terminal shows while stories are played: a line for each that is over, and below it what is still going on.

Where nobody watches (a pipe, a CI log) there are only the plain lines.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Final, TextIO

CLEAR: Final = "\r\x1b[2K"  # ECMA-48: to the first column, erase in line


class Progress:
    """Prints. `names` are the runs in the order in which they are begun, `at_once` how many are played side by side."""

    def __init__(self, names: Sequence[str], *, at_once: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._waiting = list(names)
        self._total = len(names)
        self._at_once = at_once
        self._live = self._stream.isatty()
        self._show()

    def done(self, name: str, line: str) -> None:
        """One run is over."""
        self._waiting.remove(name)
        self._erase()
        print(line, file=self._stream, flush=True)
        self._show()

    def close(self) -> None:
        """Leave nothing but lines."""
        self._erase()
        self._live = False

    def _erase(self) -> None:
        if self._live:
            self._stream.write(CLEAR)
            self._stream.flush()

    def _show(self) -> None:
        if not self._live or not self._waiting:
            return
        playing = ", ".join(self._waiting[: self._at_once])
        line = f"{self._total - len(self._waiting)}/{self._total}  playing {playing}"
        self._stream.write(line[: shutil.get_terminal_size().columns - 1])
        self._stream.flush()
