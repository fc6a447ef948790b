"""TOML tables read key by key, so that a wrong type or a misspelt key is named and not passed over."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rtbridge.errors import ScenarioError


class Table:
    """A table of a file, at a place that its errors name."""

    def __init__(self, path: Path, where: str, data: object) -> None:
        self.path, self.where = path, where
        if not isinstance(data, dict):
            raise self.wrong("must be a table")
        self.data = data
        self.read: set[str] = set()

    def wrong(self, what: str) -> ScenarioError:
        """Return the error for this place."""
        return ScenarioError(f"{self.path}: {self.where}: {what}")

    def take(self, key: str, kind: type, default: Any) -> Any:
        """Return the value of `key`, or `default`. Raises ScenarioError for another type."""
        self.read.add(key)
        value = self.data.get(key, default)
        if not isinstance(value, kind):
            raise self.wrong(f"{key} must be {kind.__name__}, not {value!r}")
        return value

    def lines(self, key: str, *, at_least: int = 0) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self.take(key, list, [])
        if not all(isinstance(line, str) and line.strip() for line in value):
            raise self.wrong(f"{key} must be a list of texts")
        if len(value) < at_least:
            raise self.wrong(f"{key} needs at least {at_least} line(s)")
        return tuple(line.strip() for line in value)

    def patterns(self, key: str) -> tuple[re.Pattern[str], ...]:
        """Return a list of regular expressions."""
        try:
            return tuple(re.compile(line) for line in self.lines(key))
        except re.error as e:
            raise self.wrong(f"{key} has a bad regular expression: {e}") from e

    def table(self, key: str) -> dict[str, Any]:
        """Return an inner table as it is."""
        return dict(self.take(key, dict, {}))

    def tables(self, key: str) -> list[Table]:
        """Return an array of tables."""
        return [
            Table(self.path, f"{self.where}.{key}[{i}]", one)
            for i, one in enumerate(self.take(key, list, []))
        ]

    def named(self, key: str) -> list[tuple[str, Table]]:
        """Return a table of tables, by name."""
        return [
            (name, Table(self.path, f"{self.where}.{key}.{name}", one))
            for name, one in self.table(key).items()
        ]

    def done(self) -> None:
        """Raise ScenarioError for a key that nobody asked for."""
        if unknown := sorted(set(self.data) - self.read):
            raise self.wrong(f"unknown key {unknown[0]!r}; known here: {', '.join(sorted(self.read))}")
