"""Shapes of JSON: small checks that compose into the Realtime API's client events.

A check takes a value and the path that names it in error messages, and returns the value or raises
BadRequest with the codes the real API uses (`unknown_parameter`, `missing_required_parameter`,
`invalid_type`, `invalid_value`, ...). Checks know nothing of any event; `events.py` and `session_config.py`
write down the shapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from rtbridge.errors import BadRequest

Check = Callable[[Any, str], Any]


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = {int: "an integer", float: "a decimal", str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), "something else")


def wrong_type(value: Any, path: str, expected: str) -> BadRequest:
    """Return the error for a value of the wrong JSON type."""
    return BadRequest(
        f"Invalid type for '{path}': expected {expected}, but got {_kind(value)} instead.",
        code="invalid_type",
        param=path,
    )


def wrong_choice(value: Any, path: str, choices: tuple[str, ...]) -> BadRequest:
    """Return the error for a value that is none of `choices`."""
    listed = ", ".join(f"'{choice}'" for choice in choices[:-1])
    listed = f"{listed}, and '{choices[-1]}'" if listed else f"'{choices[-1]}'"
    shown = str(value) if len(str(value)) <= 64 else f"{str(value)[:64]}..."
    return BadRequest(
        f"Invalid value: '{shown}'. Supported values are: {listed}.", code="invalid_value", param=path
    )


def missing(path: str) -> BadRequest:
    """Return the error for a required member that is not there."""
    return BadRequest(f"Missing required parameter: '{path}'.", code="missing_required_parameter", param=path)


def invalid(path: str, what: str) -> BadRequest:
    """Return the error for a value of the right type that cannot be obeyed; `what` says why, as a sentence."""
    return BadRequest(f"Invalid '{path}'. {what}", code="invalid_value", param=path)


def string(max_length: int = 1_048_576) -> Check:
    """Take a string of at most `max_length` characters."""

    def check(value: Any, path: str) -> Any:
        if not isinstance(value, str):
            raise wrong_type(value, path, "a string")
        if len(value) > max_length:
            raise BadRequest(
                f"Invalid '{path}': string too long. Expected a string with maximum length {max_length}, "
                f"but got a string with length {len(value)} instead.",
                code="string_above_max_length",
                param=path,
            )
        return value

    return check


def boolean(value: Any, path: str) -> Any:
    """Take true or false."""
    if not isinstance(value, bool):
        raise wrong_type(value, path, "a boolean")
    return value


def number(low: float, high: float, *, whole: bool = False) -> Check:
    """Take a number from `low` to `high`, both included; only integers if `whole`."""

    def check(value: Any, path: str) -> Any:
        allowed = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed) or not math.isfinite(value):
            raise wrong_type(value, path, "an integer" if whole else "a decimal")
        if value < low:
            raise BadRequest(
                f"Invalid '{path}': {_name(whole)} below minimum value. Expected a value >= {low}, "
                f"but got {value} instead.",
                code=f"{_name(whole)}_below_min_value",
                param=path,
            )
        if value > high:
            raise BadRequest(
                f"Invalid '{path}': {_name(whole)} above maximum value. Expected a value <= {high}, "
                f"but got {value} instead.",
                code=f"{_name(whole)}_above_max_value",
                param=path,
            )
        return value

    return check


def _name(whole: bool) -> str:
    return "integer" if whole else "decimal"


def choice(*choices: str) -> Check:
    """Take one of `choices`."""

    def check(value: Any, path: str) -> Any:
        if not isinstance(value, str):
            raise wrong_type(value, path, f"one of {', '.join(repr(c) for c in choices)}")
        if value not in choices:
            raise wrong_choice(value, path, choices)
        return value

    return check


def nullable(check: Check) -> Check:
    """Take null, or what `check` takes."""
    return lambda value, path: None if value is None else check(value, path)


def listing(check: Check, *, most: int = 1024) -> Check:
    """Take an array of at most `most` values, each as `check` says."""

    def check_all(value: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise wrong_type(value, path, "an array")
        if len(value) > most:
            raise BadRequest(
                f"Invalid '{path}': array too long. Expected an array with maximum length {most}, "
                f"but got an array with length {len(value)} instead.",
                code="array_above_max_length",
                param=path,
            )
        return [check(one, f"{path}[{index}]") for index, one in enumerate(value)]

    return check_all


def record(fields: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Check:
    """Take an object with these members and no other; the `required` ones must be there."""

    def check(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        prefix = f"{path}." if path else ""
        for key in value:
            if key not in fields:
                shown = f"{prefix}{key}"[:256]
                raise BadRequest(f"Unknown parameter: '{shown}'.", code="unknown_parameter", param=shown)
        for key in required:
            if key not in value:
                raise missing(f"{prefix}{key}")
        return {key: fields[key](one, f"{prefix}{key}") for key, one in value.items()}

    return check


def tagged(tag: str, shapes: Mapping[str, Check]) -> Check:
    """Take an object whose member `tag` says which of `shapes` it has."""

    def check(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        where = f"{path}.{tag}" if path else tag
        if tag not in value:
            raise missing(where)
        name = value[tag]
        if not isinstance(name, str):
            raise wrong_type(name, where, "a string")
        if name not in shapes:
            raise wrong_choice(name, where, tuple(shapes))
        return shapes[name](value, path)

    return check


def either(expected: str, *pairs: tuple[type, Check]) -> Check:
    """Take a value by its JSON type: (str, check), (int, check), (dict, check); `expected` is for the message."""

    def check(value: Any, path: str) -> Any:
        for kind, one in pairs:
            if isinstance(value, kind) and not isinstance(value, bool):
                return one(value, path)
        raise wrong_type(value, path, expected)

    return check


def any_object(value: Any, path: str) -> Any:
    """Take any object."""
    if not isinstance(value, dict):
        raise wrong_type(value, path, "an object")
    return value


def mapping(check: Check, *, most: int, longest_key: int) -> Check:
    """Take an object of at most `most` freely named members, each as `check` says."""
    key_check = string(longest_key)

    def check_all(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        if len(value) > most:
            raise invalid(path, f"It has {len(value)} members, more than {most}.")
        return {key_check(key, path): check(one, f"{path}.{key}") for key, one in value.items()}

    return check_all
