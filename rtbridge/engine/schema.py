"""The part of JSON Schema that tool parameters are written in: may this value be one.

Only for arguments that the offline wits make up themselves, so that no tool is ever called with a value
its own declaration forbids. Keywords outside the list below are not looked at: type, enum, const, pattern,
minLength, maxLength, minimum, maximum, required, properties, additionalProperties, items, minItems.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def fault(value: Any, schema: Mapping[str, Any], where: str = "arguments") -> str | None:
    """Return what is wrong with `value` under `schema`, naming the place, or None."""
    kinds = schema.get("type")
    if kinds is not None:
        names = [kinds] if isinstance(kinds, str) else list(kinds)
        if not any(_is(value, name) for name in names):
            return f"{where} must be {' or '.join(names)}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} must be one of {', '.join(map(str, schema['enum']))}"
    if "const" in schema and value != schema["const"]:
        return f"{where} must be {schema['const']}"
    if isinstance(value, str):
        return _text_fault(value, schema, where)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if (low is not None and value < low) or (high is not None and value > high):
            return f"{where} must be between {low} and {high}"
    if isinstance(value, dict):
        return _object_fault(value, schema, where)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            return f"{where} has too few entries"
        faults = (fault(one, schema.get("items") or {}, f"{where}[{i}]") for i, one in enumerate(value))
        return next((found for found in faults if found), None)
    return None


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES.get(kind, (object,)))


def _text_fault(value: str, schema: Mapping[str, Any], where: str) -> str | None:
    pattern = schema.get("pattern")
    if pattern is not None and not re.search(pattern, value):
        return f"{where} does not match {pattern}"
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return f"{where} has a wrong length"
    return None


def _object_fault(value: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> str | None:
    properties = schema.get("properties") or {}
    for name in schema.get("required") or ():
        if name not in value:
            return f"{where}.{name} is missing"
    for name, one in value.items():
        if name in properties:
            if found := fault(one, properties[name], f"{where}.{name}"):
                return found
        elif schema.get("additionalProperties") is False:
            return f"{where}.{name} is not known"
    return None
