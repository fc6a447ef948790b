"""Saying what a tool answered when no line is written for it."""

from __future__ import annotations

from typing import Any


def plain_result(result: Any) -> str:
    """Return something to say of a tool's result that no line is written for."""
    if isinstance(result, dict):
        if result.get("error"):
            return f"I'm sorry, that did not work: {_words(result['error'])}."
        told = [
            f"{key.replace('_', ' ')}: {_words(value)}"
            for key, value in result.items()
            if value not in (None, "")
        ]
        return f"Here is what I found. {'; '.join(told[:6])}." if told else "That is done."
    if isinstance(result, list):
        return (
            f"I found {len(result)} entries: {'; '.join(_words(one) for one in result[:3])}."
            if result
            else "I found nothing."
        )
    if result in (True, None, ""):
        return "That is done."
    return str(result)


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_words(one)}" for key, one in list(value.items())[:4])
    if isinstance(value, list):
        return ", ".join(_words(one) for one in value[:3])
    return str(value).strip().rstrip(".")
