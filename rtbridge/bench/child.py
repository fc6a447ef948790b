"""Processes of a bench: each says its port on its first line, so that no port is guessed, and ends with SIGTERM.

Our own also end when their standard input closes, so that nothing of them outlives a bench that was killed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Self

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def announce(port: int) -> None:
    """Tell the parent process where this one listens."""
    print(port, flush=True)


class Child:
    """One process of a bench. Leaving the context asks it to leave and waits for it."""

    def __init__(self, module: str, *args: str, env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        port = re.search(r"(?:^|:)([0-9]+)\b(?!.*:[0-9])", line)
        if port is None:
            self._process.kill()
            self._process.wait()
            raise RuntimeError(f"{module} said {line!r} instead of its port")
        self.port = int(port[1])

    def cpu_s(self) -> float:
        """Return user and system time of all its threads so far, in seconds (proc(5), fields 14 and 15)."""
        with open(f"/proc/{self._process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def rss_bytes(self) -> int:
        """Return its resident memory (proc(5), statm)."""
        with open(f"/proc/{self._process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def threads(self) -> int:
        """Return how many threads it has."""
        return len(os.listdir(f"/proc/{self._process.pid}/task"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.terminate()
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
