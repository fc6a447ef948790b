"""Arguments against a schema: the first thing wrong, by field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents import function_tool
from rtbridge.agents.arguments import Wrong, check_arguments

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "phone_number": {"type": "string", "pattern": r"^\(\d{3}\) \d{3}-\d{4}$"},
        "kind": {"type": "string", "enum": ["ssn", "credit_card"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "sure": {"type": "boolean"},
        "fixed": {"const": 7},
        "name": {"type": "string", "minLength": 2, "maxLength": 4},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1, "maxItems": 2},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "one": {"oneOf": [{"type": "integer"}, {"type": "number"}]},
        "all": {"allOf": [{"type": "string"}, {"minLength": 3}]},
        "either": {"type": ["string", "null"]},
        "never": False,
        "any": True,
        "place": {"type": "object", "properties": {"zip": {"type": "string"}}, "required": ["zip"]},
        "free": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "required": [],
    "additionalProperties": False,
    "$defs": {
        "item": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
        "loop": {"$ref": "#/$defs/loop"},
    },
}


def wrong(**arguments: Any) -> Wrong | None:
    return check_arguments(SCHEMA, json.dumps(arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"phone_number": "(206) 135-1246"},
        {"kind": "ssn", "count": 1, "share": 0.5, "sure": False, "fixed": 7, "name": "Jo"},
        {"count": 2.0},
        {"items": [{"id": "a"}, {"id": "b", "more": 1}]},
        {"note": None, "either": None, "any": {"x": [1]}},
        {"one": 1.5, "all": "abc"},
        {"place": {"zip": "98101"}, "free": {"a": 1}},
    ],
)
def test_what_fits_is_let_through(arguments: dict[str, Any]) -> None:
    assert wrong(**arguments) is None


@pytest.mark.parametrize(
    ("arguments", "field", "problem"),
    [
        ({"phone_number": "unknown"}, "phone_number", r"must match ^\(\d{3}\) \d{3}-\d{4}$"),
        ({"phone_number": 206}, "phone_number", "must be a string"),
        ({"kind": "passport"}, "kind", 'must be one of "ssn", "credit_card"'),
        ({"count": 0}, "count", "must be at least 1"),
        ({"count": 10}, "count", "must be at most 9"),
        ({"count": 1.5}, "count", "must be a whole number"),
        ({"count": True}, "count", "must be a whole number"),
        ({"share": 0}, "share", "must be more than 0"),
        ({"share": 1}, "share", "must be less than 1"),
        ({"sure": 1}, "sure", "must be true or false"),
        ({"fixed": 8}, "fixed", "must be 7"),
        ({"fixed": True}, "fixed", "must be 7"),
        ({"name": "x"}, "name", "must have at least 2 characters"),
        ({"name": "xxxxx"}, "name", "must have at most 4 characters"),
        ({"items": []}, "items", "must have at least 1 entries"),
        ({"items": [{"id": "a"}] * 3}, "items", "must have at most 2 entries"),
        ({"items": [{"id": "a"}, {}]}, "items[1].id", "is missing"),
        ({"items": [{"id": 1}]}, "items[0].id", "must be a string"),
        ({"items": {}}, "items", "must be a list"),
        ({"note": 3}, "note", "must be a string or null"),
        ({"one": 1}, "one", "fits more than one of its forms"),
        ({"one": "x"}, "one", "must be a whole number or a number"),
        ({"all": "ab"}, "all", "must have at least 3 characters"),
        ({"either": 1}, "either", "must be a string or null"),
        ({"never": 1}, "never", "is not allowed"),
        ({"place": {}}, "place.zip", "is missing"),
        ({"place": []}, "place", "must be an object"),
        ({"free": {"a": "x"}}, "free.a", "must be a whole number"),
        ({"phone": "x"}, "phone", "is not a field of this tool"),
    ],
)
def test_what_does_not_fit_names_the_field(arguments: dict[str, Any], field: str, problem: str) -> None:
    assert wrong(**arguments) == Wrong(field, problem)


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "null", "[" * 5000])
def test_what_is_no_object_is_told_as_a_whole(text: str) -> None:
    assert check_arguments(SCHEMA, text) == Wrong("", "must be one JSON object")


def test_no_text_means_no_arguments() -> None:
    assert check_arguments(SCHEMA, "") is None
    assert check_arguments({**SCHEMA, "required": ["kind"]}, " ") == Wrong("kind", "is missing")


def test_arguments_are_bounded_in_size_and_depth() -> None:
    assert check_arguments(SCHEMA, json.dumps({"any": "x" * 70_000})) == Wrong("", "must be at most 64 KiB")
    branch = {"type": "object", "additionalProperties": {"$ref": "#/$defs/branch"}}
    tree = {"$ref": "#/$defs/branch", "$defs": {"branch": branch}}
    deep: Any = {}
    for _level in range(40):
        deep = {"d": deep}
    found = check_arguments(tree, json.dumps(deep))
    assert found is not None
    assert found.problem == "is nested too deeply"


def test_a_reference_that_leads_nowhere_or_in_a_circle_checks_nothing() -> None:
    schema = {**SCHEMA, "properties": {"a": {"$ref": "#/$defs/loop"}, "b": {"$ref": "#/gone/x"}}}
    assert check_arguments(schema, '{"a": 1, "b": 2}') is None


def test_the_value_is_never_repeated() -> None:
    for arguments in ({"phone_number": "078-05-1120"}, {"kind": "078-05-1120"}, {"count": "078-05-1120"}):
        found = wrong(**arguments)
        assert found is not None
        assert "078" not in f"{found}"


def test_a_parameter_with_a_python_default_may_be_left_out() -> None:
    @function_tool
    def find(zip_code: str, radius_km: int = 10, brand: str | None = None) -> str:
        return f"{zip_code}{radius_km}{brand}"

    assert sorted(find.params_json_schema["required"]) == ["brand", "radius_km", "zip_code"]
    assert check_arguments(find.params_json_schema, '{"zip_code": "98101"}') is None
    assert check_arguments(find.params_json_schema, '{"radius_km": 3}') == Wrong("zip_code", "is missing")
