"""Where in a TOML text each value stands: the standard library's reader keeps no positions.

Only texts that tomllib has accepted come here, so nothing is checked, and everything is found exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

Path = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:\s|#[^\n]*)*")
_STRING: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL
)
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"[^,\]}\n#]*")


def lines_of(text: str) -> dict[Path, int]:
    """Return the line, from 1, of every table, key and array element of a valid TOML text, by its path.

    Elements of arrays, `[[tables]]` included, are numbered from 0: ("turn", 1, "start", "after").
    """
    return _Scan(text).run()


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}  # how many [[tables]] of each name have begun

    def run(self) -> dict[Path, int]:
        table: Path = ()
        while self._blank():
            if self.text.startswith("[", self.at):
                table = self._header()
            else:
                self._pair(table)
        return self.found

    def _blank(self) -> bool:
        """Skip space and comments; False at the end of the text."""
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at < len(self.text)

    def _mark(self, path: Path) -> None:
        self.found.setdefault(path, self.text.count("\n", 0, self.at) + 1)

    def _header(self) -> Path:
        is_array = self.text.startswith("[[", self.at)
        start = self.at
        self.at += 2 if is_array else 1
        path: Path = ()
        keys = self._keys()
        for n, key in enumerate(keys):
            path += (key,)
            if is_array and n == len(keys) - 1:
                self.counts[path] = self.counts.get(path, -1) + 1
            if path in self.counts:
                path += (self.counts[path],)
        after, self.at = self.at, start
        self._mark(path)
        self.at = after + (2 if is_array else 1)
        return path

    def _keys(self) -> list[str]:
        """Read `a."b c".d` up to what follows it."""
        keys: list[str] = []
        while True:
            self._blank()
            if match := _STRING.match(self.text, self.at):
                keys.append(match.group()[1:-1])
            elif match := _BARE_KEY.match(self.text, self.at):
                keys.append(match.group())
            else:
                return keys
            self.at = match.end()
            self._blank()
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def _pair(self, table: Path) -> None:
        start = self.at
        path = (*table, *self._keys())
        after, self.at = self.at, start
        self._mark(path)
        self.at = after + 1  # the "="
        self._value(path)

    def _value(self, path: Path) -> None:
        self._blank()
        self._mark(path)
        opening = self.text[self.at : self.at + 1]
        if opening == "[":
            self._sequence("]", lambda n: self._value((*path, n)))
        elif opening == "{":
            self._sequence("}", lambda n: self._pair(path))
        else:
            match = _STRING.match(self.text, self.at) or _SCALAR.match(self.text, self.at)
            self.at = match.end() if match else len(self.text)

    def _sequence(self, closing: str, read: Callable[[int], None]) -> None:
        self.at += 1
        n = 0
        while self._blank() and not self.text.startswith(closing, self.at):
            if self.text.startswith(",", self.at):
                self.at += 1
                continue
            read(n)
            n += 1
        self.at += 1
