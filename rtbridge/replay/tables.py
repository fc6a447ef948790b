"""Strict reading of TOML tables: every problem of a file, each with its line and what to do.

A reader takes the keys it knows from a `Table`; `finish()` reports the rest, with the nearest known name. Nothing
is raised while reading, so that one look shows all that is wrong; `Problems.raise_if_any` ends it.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from rtbridge.errors import StoryError
from rtbridge.replay import toml_lines

T = TypeVar("T")

MAX_BYTES: Final = 256 * 1024

_TYPE_NAMES: Final[Mapping[type, str]] = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list in [ ]",
    dict: "a table",
}


class Problems:
    """What is wrong with one file."""

    def __init__(self, file: Path, lines: Mapping[toml_lines.Path, int]) -> None:
        self._file = file
        self._lines = lines
        self._found: list[tuple[int, str]] = []

    def add(self, path: toml_lines.Path, message: str) -> None:
        """Note `message` at the line of `path`, or of its nearest ancestor that has one."""
        self._found.append((self.line(path), message))

    def line(self, path: toml_lines.Path) -> int:
        """Return the line of `path`, or of its nearest ancestor that has one; 1 where none has."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def raise_if_any(self) -> None:
        """Raise StoryError with one line a problem, in the order of the file."""
        if self._found:
            raise StoryError("\n".join(f"{self._file}:{line}: {text}" for line, text in sorted(self._found)))


class Table:
    """One TOML table being read. A value of a wrong type is reported and read as absent."""

    def __init__(self, data: Mapping[str, Any], path: toml_lines.Path, problems: Problems, what: str) -> None:
        self.path = path
        self.problems = problems
        self._data = data
        self._what = what  # as a message names it: "a turn", "[expect]"
        self._known: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def add(self, key: str | None, message: str) -> None:
        """Note a problem at `key`, or at the table itself."""
        self.problems.add(self.path if key is None else (*self.path, key), message)

    def text(self, key: str) -> str | None:
        """Take a string that is not empty."""
        value = self._take(key, str)
        if value is not None and not value.strip():
            self.add(key, f"`{key}` is empty")
            return None
        return value

    def ms(self, key: str, *, at_most: int = 600_000) -> int | None:
        """Take a whole number of milliseconds, 0 to `at_most`."""
        return self.integer(key, at_most=at_most)

    def integer(self, key: str, *, at_most: int = 1_000_000) -> int | None:
        """Take a whole number, 0 to `at_most`."""
        value = self._take(key, int)
        if value is not None and not 0 <= value <= at_most:
            self.add(key, f"`{key}` must lie between 0 and {at_most}, not {value}")
            return None
        return value

    def number(self, key: str) -> float | None:
        """Take a number from 0 up, whole or not."""
        value = self._take(key, float)
        if value is not None and not 0 <= value < float("inf"):
            self.add(key, f"`{key}` must be 0 or more, not {value}")
            return None
        return value

    def boolean(self, key: str) -> bool | None:
        """Take true or false."""
        return self._take(key, bool)

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Take a list of strings."""
        values = self._take(key, list)
        if values is None:
            return None
        for n, value in enumerate(values):
            if not isinstance(value, str):
                self.problems.add((*self.path, key, n), f"`{key}` takes a list of texts, not {_shown(value)}")
                return None
        return tuple(values)

    def mapping(self, key: str) -> dict[str, Any] | None:
        """Take a table as it is, with any keys."""
        return self._take(key, dict)

    def table(self, key: str, what: str) -> Table | None:
        """Take a table to be read in turn."""
        value = self._take(key, dict)
        return None if value is None else Table(value, (*self.path, key), self.problems, what)

    def tables(self, key: str, what: str) -> list[Table]:
        """Take a list of tables to be read in turn."""
        found: list[Table] = []
        for n, value in enumerate(self._take(key, list) or ()):
            path = (*self.path, key, n)
            if isinstance(value, dict):
                found.append(Table(value, path, self.problems, what))
            else:
                self.problems.add(path, f"`{key}` takes a list of tables, not {_shown(value)}")
        return found

    def finish(self) -> None:
        """Report every key that nobody took."""
        for key in self._data:
            if key not in self._known:
                self.add(key, f"unknown key `{key}` in {self._what}{suggest(key, self._known)}")

    def _take(self, key: str, kind: type[T]) -> T | None:
        self._known.append(key)
        value = self._data.get(key)
        if value is None:
            return None
        if kind is float and type(value) is int:
            return float(value)  # type: ignore[return-value]
        if type(value) is not kind:  # exactly: true is no whole number
            self.add(key, f"`{key}` takes {_TYPE_NAMES[kind]}, not {_shown(value)}")
            return None
        return value


def read_toml(file: Path, what: str) -> Table:
    """Return the top table of `file`. Raises StoryError where there is none to read."""
    try:
        raw = file.read_bytes()
        if len(raw) > MAX_BYTES:
            raise StoryError(f"{file}: {len(raw)} bytes are no story; at most {MAX_BYTES} are read")
        text = raw.decode("utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise StoryError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StoryError(f"{file}:1: not UTF-8 text: {error.reason} at byte {error.start}") from error
    except RecursionError as error:
        raise StoryError(f"{file}:1: not TOML: nested too deeply") from error
    except tomllib.TOMLDecodeError as error:
        raise StoryError(f"{file}:{_line_in(str(error), text)}: not TOML: {error}") from error
    return Table(data, (), Problems(file, toml_lines.lines_of(text)), what)


def suggest(name: str, known: Iterable[str], *, near_only: bool = False) -> str:
    """Return "; did you mean `x`?" for the nearest known name, else the list of what there is, or nothing."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean `{near[0]}`?"
    if near_only:
        return ""
    return f"; there is {', '.join(f'`{n}`' for n in names)}" if names else ""


def _line_in(message: str, text: str) -> int:
    """Return the line that tomllib's message names ("at line 3, column 5", "at end of document")."""
    _, found, rest = message.rpartition("(at line ")
    return int(rest.split(",")[0]) if found else text.count("\n") + 1


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "…"
