"""Check a tool call's arguments against the tool's JSON schema before the tool runs.

The Realtime API does not enforce schemas, so a model may leave fields out or fill in placeholders. This is the
part of JSON Schema (2020-12) that tools use: type, enum, const, properties, required, additionalProperties,
items, lengths, counts, bounds, pattern, anyOf, oneOf, allOf and local $ref. Other keywords are not looked at.

A missing field that has a default or may be null is left to the tool: the SDK's strict mode calls every
parameter required, those with Python defaults too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_ARGUMENTS_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 32

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong, and where. Never the value itself: it may be a secret, and the model knows what it wrote."""

    field: str  # a path like `new_address.postal_code` or `item_ids[2]`; empty for the arguments as a whole
    problem: str  # reads on after the field: "is missing", "must be ..."


def check_arguments(schema: Schema, text: str) -> Wrong | None:
    """Return the first thing wrong with the JSON `text` as arguments for a tool of `schema`, or None."""
    if len(text) > MAX_ARGUMENTS_BYTES:
        return Wrong("", f"must be at most {MAX_ARGUMENTS_BYTES // 1024} KiB")
    try:
        value = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return Wrong("", "must be one JSON object")
    if not isinstance(value, dict):
        return Wrong("", "must be one JSON object")
    return check_value(schema, value)


def check_value(schema: Schema, value: Mapping[str, Any]) -> Wrong | None:
    """Return the first thing wrong with arguments that were parsed, or None."""
    return _Check(schema).value(schema, value, "", 0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "object": ("an object", lambda value: isinstance(value, dict)),
    "array": ("a list", lambda value: isinstance(value, list)),
    "string": ("a string", lambda value: isinstance(value, str)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "null": ("null", lambda value: value is None),
    "number": ("a number", _is_number),
    # JSON Schema counts 1.0 as an integer.
    "integer": ("a whole number", lambda value: _is_number(value) and float(value).is_integer()),
}


class _Check:
    def __init__(self, root: Schema) -> None:
        self._root = root

    def value(self, schema: Any, value: Any, path: str, depth: int) -> Wrong | None:
        schema = self._resolve(schema)
        if not isinstance(schema, Mapping):  # `true`, or no schema at all
            return Wrong(path, "is not allowed") if schema is False else None
        if depth > MAX_DEPTH:
            return Wrong(path, "is nested too deeply")
        return (
            self._kind(schema, value, path)
            or self._choices(schema, value, path, depth)
            or self._text(schema, value, path)
            or self._bounds(schema, value, path)
            or self._list(schema, value, path, depth)
            or self._object(schema, value, path, depth)
        )

    def _resolve(self, schema: Any) -> Any:
        for _hop in range(MAX_DEPTH):
            reference = schema.get("$ref") if isinstance(schema, Mapping) else None
            if not isinstance(reference, str) or not reference.startswith("#/"):
                return schema
            found: Any = self._root
            for part in reference[2:].split("/"):
                found = (
                    found.get(part.replace("~1", "/").replace("~0", "~"))
                    if isinstance(found, Mapping)
                    else None
                )
            schema = found
        return None

    def _kind(self, schema: Schema, value: Any, path: str) -> Wrong | None:
        kinds = schema.get("type")
        names = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else []
        known = [_TYPES[name] for name in names if name in _TYPES]
        if known and not any(fits(value) for _words, fits in known):
            return Wrong(path, "must be " + " or ".join(words for words, _fits in known))
        return None

    def _choices(self, schema: Schema, value: Any, path: str, depth: int) -> Wrong | None:
        if isinstance(enum := schema.get("enum"), list) and not any(_same(value, one) for one in enum):
            return Wrong(path, "must be one of " + ", ".join(json.dumps(one) for one in enum))
        if "const" in schema and not _same(value, schema["const"]):
            return Wrong(path, f"must be {json.dumps(schema['const'])}")
        for every in schema.get("allOf") or []:
            if wrong := self.value(every, value, path, depth + 1):
                return wrong
        for key, least, most in (("anyOf", 1, None), ("oneOf", 1, 1)):
            branches = schema.get(key)
            if not branches:
                continue
            wrongs = [self.value(branch, value, path, depth + 1) for branch in branches]
            fitting = wrongs.count(None)
            if fitting < least:
                return _deepest([wrong for wrong in wrongs if wrong is not None], path)
            if most is not None and fitting > most:
                return Wrong(path, "fits more than one of its forms")
        return None

    def _text(self, schema: Schema, value: Any, path: str) -> Wrong | None:
        if not isinstance(value, str):
            return None
        if len(value) < schema.get("minLength", 0):
            return Wrong(path, f"must have at least {schema['minLength']} characters")
        if "maxLength" in schema and len(value) > schema["maxLength"]:
            return Wrong(path, f"must have at most {schema['maxLength']} characters")
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and not re.search(pattern, value):
            return Wrong(path, f"must match {pattern}")
        return None

    def _bounds(self, schema: Schema, value: Any, path: str) -> Wrong | None:
        if not _is_number(value):
            return None
        if "minimum" in schema and value < schema["minimum"]:
            return Wrong(path, f"must be at least {schema['minimum']}")
        if "maximum" in schema and value > schema["maximum"]:
            return Wrong(path, f"must be at most {schema['maximum']}")
        if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
            return Wrong(path, f"must be more than {schema['exclusiveMinimum']}")
        if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
            return Wrong(path, f"must be less than {schema['exclusiveMaximum']}")
        return None

    def _list(self, schema: Schema, value: Any, path: str, depth: int) -> Wrong | None:
        if not isinstance(value, list):
            return None
        if len(value) < schema.get("minItems", 0):
            return Wrong(path, f"must have at least {schema['minItems']} entries")
        if "maxItems" in schema and len(value) > schema["maxItems"]:
            return Wrong(path, f"must have at most {schema['maxItems']} entries")
        if "items" in schema:
            for index, entry in enumerate(value):
                if wrong := self.value(schema["items"], entry, f"{path}[{index}]", depth + 1):
                    return wrong
        return None

    def _object(self, schema: Schema, value: Any, path: str, depth: int) -> Wrong | None:
        if not isinstance(value, dict):
            return None
        known: Mapping[str, Any] = schema.get("properties") or {}
        for name in schema.get("required") or []:
            if name not in value and not self._may_be_left_out(known.get(name)):
                return Wrong(_under(path, name), "is missing")
        others = schema.get("additionalProperties", True)
        for name, entry in value.items():
            if name in known:
                wrong = self.value(known[name], entry, _under(path, name), depth + 1)
            elif others is False:
                wrong = Wrong(_under(path, name[:64]), "is not a field of this tool")
            else:
                wrong = self.value(others, entry, _under(path, name[:64]), depth + 1)
            if wrong:
                return wrong
        return None

    def _may_be_left_out(self, schema: Any) -> bool:
        schema = self._resolve(schema)
        if not isinstance(schema, Mapping):
            return False
        return "default" in schema or self.value(schema, None, "", 0) is None


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)  # JSON: 1 is not true


def _deepest(wrongs: list[Wrong], path: str) -> Wrong:
    """Of the reasons why no branch fits, the one that got furthest says most."""
    best = max(wrongs, key=lambda wrong: len(wrong.field))
    if best.field != path:
        return best
    reasons = dict.fromkeys(wrong.problem.removeprefix("must be ") for wrong in wrongs)
    return Wrong(path, "must be " + " or ".join(reasons))


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
