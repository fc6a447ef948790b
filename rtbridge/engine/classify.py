"""The engine's moderation: a list of words and patterns in the place of a model that judges.

It answers requests for the schema `moderation` (rationale, category). What it knows stands in moderation.toml; a
file of the same format adds to it. Text is compared by its letters: case, accents, width, invisible characters and
the kind of apostrophe do not matter, and words are found as whole words only.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rtbridge.engine.toml_table import Table
from rtbridge.errors import ScenarioError

FORMAT: Final = 1
CATEGORIES: Final = ("OFFENSIVE", "OFF_BRAND", "VIOLENCE")
SHIPPED: Final = Path(__file__).with_name("moderation.toml")
NOTHING_FOUND: Final = "Nothing in it is on the engine's list."


@dataclass(frozen=True, slots=True)
class Rule:
    """One category's words and patterns, as one expression over normal text."""

    category: str
    rationale: str
    pattern: re.Pattern[str]


class WordList:
    """The classifier; `more` is a file whose rules are tried first. Raises ScenarioError for a file that is wrong."""

    def __init__(self, more: Path | None = None) -> None:
        self._rules = (*(load_rules(more) if more is not None else ()), *load_rules(SHIPPED))

    def judge(self, text: str) -> dict[str, str]:
        """Return `{"rationale", "category"}` of a text."""
        normal = normalised(text)
        for rule in self._rules:
            if rule.pattern.search(normal):
                return {"rationale": rule.rationale, "category": rule.category}
        return {"rationale": NOTHING_FOUND, "category": "NONE"}

    def __call__(self, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Judge the last user message of a chat."""
        said = [str(one.get("content") or "") for one in messages if one.get("role") == "user"]
        return dict(self.judge(said[-1] if said else ""))


def load_rules(path: Path) -> tuple[Rule, ...]:
    """Read a file of rules. Raises ScenarioError, which names file, place and fault."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise ScenarioError(f"{path}: {e}") from e
    root = Table(path, "moderation", data)
    if root.take("format", int, 0) != FORMAT:
        raise root.wrong(f"format must be {FORMAT}")
    rules = tuple(_rule(table) for table in root.tables("rule"))
    root.done()
    return rules


def _rule(table: Table) -> Rule:
    category, rationale = table.take("category", str, ""), table.take("rationale", str, "")
    if category not in CATEGORIES:
        raise table.wrong(f"category must be one of {', '.join(CATEGORIES)}")
    if not rationale:
        raise table.wrong("give it a rationale: what is said of a text that it fits")
    words = [
        r"\s+".join(re.escape(part) for part in normalised(word).split()) for word in table.lines("words")
    ]
    # Patterns are written for normal text; their own escapes (\S, \W) must keep their case.
    found = [pattern.pattern for pattern in table.patterns("patterns")]
    if words:
        found.append(rf"\b(?:{'|'.join(words)})\b")
    if not found:
        raise table.wrong("give it `words` or `patterns`")
    table.done()
    return Rule(category, rationale, re.compile("|".join(f"(?:{one})" for one in found)))


def normalised(text: str) -> str:
    """Return a text by its letters: lower case, plain, one kind of apostrophe, single spaces, nothing invisible."""
    split = unicodedata.normalize("NFKD", text.replace("’", "'").replace("‘", "'").replace("ß", "ss"))
    seen = (letter for letter in split if unicodedata.category(letter) not in ("Mn", "Cf"))
    return " ".join("".join(seen).casefold().split())
