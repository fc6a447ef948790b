"""Wits for a client that is not our bridge: its tools, by their names and descriptions.

A tool is called when the utterance is like what its declaration says it does, and when everything it
requires can be taken from what was heard, by the parameters' own schemas (pattern, enum, type, and what
their names say). What is missing is asked for; the caller's next words are then the answer. There is no
open conversation here, and the words say so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rtbridge.engine.heard import day, digits, phone, plain, yes_no
from rtbridge.engine.intent import NONE
from rtbridge.engine.meaning import Meaning
from rtbridge.engine.parts import Act, Call, Say
from rtbridge.engine.reading import Event, Got, Heard, Said, json_or_text
from rtbridge.engine.results import plain_result
from rtbridge.engine.schema import fault

LIKE_ENOUGH: Final = 0.3
ASK: Final = "What is the {}?"
GREETING: Final = "Hello! How can I help you?"
SMALL_TALK: Final = (
    (("hello", "hi there", "good morning", "hey"), GREETING),
    (("thank you", "thanks a lot", "great, thanks"), "You're welcome."),
    (("goodbye", "bye", "see you later", "that's all"), "Goodbye!"),
)
SMALL_TALK_ENOUGH: Final = 0.75
HONEST: Final = (
    "I heard: {heard}. I am an offline engine and can only use the tools of this session.",
    "You said: {heard}. That is beyond me: I have no language model, only tools that I can call.",
)
HONEST_WITHOUT_TOOLS: Final = (
    "I heard: {heard}. I am an offline engine without a language model, so that is all I can say to it.",
    "You said: {heard}. I hear and speak, but without a language model I cannot discuss it.",
)
PLACE: Final = re.compile(
    r"\b(?:in|at|for|to|about|near|from|on|of|is|called|named)\s+(?:the\s+)?"
    r"(?P<value>[A-Z][\w'-]*(?:\s+[A-Z][\w'-]*)*|[\w'-]+)[\s.?!,]*$"
)
PROPER: Final = re.compile(r"(?<=\s)(?P<value>[A-Z][\w'-]+(?:\s+[A-Z][\w'-]+)*)")
PRONOUNS: Final = frozenset({"i", "i'm", "i'd", "it", "that", "this", "today", "now", "you", "me", "please"})


class Foreigner:
    """Answers from declarations of tools alone. Thread-safe."""

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning

    def examples(self) -> Iterator[str]:
        """Yield what utterances are compared with in any session, for warming up."""
        yield from NONE
        for examples, _ in SMALL_TALK:
            yield from examples

    def study(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """Measure what `tools` say of themselves, which the first utterance is compared with."""
        for tool in tools:
            self._meaning.vectors(_sayings(tool))

    def answer(
        self, events: Sequence[Event], tools: Sequence[Mapping[str, Any]], tool_choice: Any
    ) -> list[Act]:
        """Return the acts of one response."""
        tools = [] if tool_choice == "none" else [tool for tool in tools if tool.get("type") == "function"]
        named = tool_choice.get("name") if isinstance(tool_choice, Mapping) else None
        if events and isinstance(events[-1], Got):
            return [Say(plain_result(json_or_text(events[-1].output)))]
        heard = [event.text for event in events if isinstance(event, Heard)]
        if not heard:
            return [Say(GREETING)]
        tool, texts = self._wanted(events, [tool for tool in tools if named in (None, tool.get("name"))])
        if tool is None and named:
            tool, texts = next((tool for tool in tools if tool.get("name") == named), None), [heard[-1]]
        if tool is None and tool_choice == "required" and tools:
            tool, texts = self._likest(heard[-1], tools)[0], [heard[-1]]
        if tool is not None:
            return [self._call(tool, texts, forced=bool(named) or tool_choice == "required")]
        return [Say(self._talk(heard, bool(tools)))]

    def _wanted(
        self, events: Sequence[Event], tools: Sequence[Mapping[str, Any]]
    ) -> tuple[Mapping[str, Any] | None, list[str]]:
        """Return the tool that the last wish is about and what was heard for it, newest first.

        A wish goes back through the answers to our own questions to the utterance that named the tool.
        """
        texts: list[str] = []
        for i in range(len(events) - 1, -1, -1):
            event = events[i]
            if not isinstance(event, Heard):
                continue
            texts.append(event.text)
            before = events[i - 1] if i else None
            asked = isinstance(before, Said) and before.text.startswith(ASK.split("{}")[0])
            if asked:
                continue
            tool, likeness = self._likest(event.text, tools)
            return (tool, texts) if tool and likeness >= LIKE_ENOUGH else (None, texts)
        return None, texts

    def _likest(
        self, text: str, tools: Sequence[Mapping[str, Any]]
    ) -> tuple[Mapping[str, Any] | None, float]:
        if not tools or not plain(text):
            return None, 0.0
        vector = self._meaning.vector(text)
        likeness = [
            max(float(self._meaning.vector(said) @ vector) for said in _sayings(tool)) for tool in tools
        ]
        words = set(plain(text).split())
        likeness = [
            like + 0.12 * len(words & (set(_sayings(tool)[0].split()) - {"get", "a", "the", "to"}))
            for like, tool in zip(likeness, tools, strict=True)
        ]
        best = max(range(len(tools)), key=lambda i: likeness[i])
        against = max(
            float(self._meaning.vector(none) @ vector) for none in NONE if not _shares(none, tools[best])
        )
        return tools[best], likeness[best] if likeness[best] > against - 0.15 else 0.0

    def _call(self, tool: Mapping[str, Any], texts: Sequence[str], *, forced: bool) -> Act:
        parameters = tool.get("parameters") or {}
        properties: Mapping[str, Any] = parameters.get("properties") or {}
        required = list(parameters.get("required") or ())
        arguments: dict[str, Any] = {}
        for name, schema in properties.items():
            for i, text in enumerate(texts):
                answers = i < len(texts) - 1  # said after the wish, so an answer to a question of ours
                value = argument(
                    name, schema, text, whole=answers and name == _last_missing(required, arguments)
                )
                if value is not None and fault(value, schema) is None:
                    arguments[name] = value
                    break
        for name in required:
            if name not in arguments and not forced:
                return Say(ASK.format(_words(name)))
        return Call(str(tool["name"]), json.dumps(arguments, ensure_ascii=False))

    def _talk(self, heard: Sequence[str], has_tools: bool) -> str:
        text = heard[-1]
        if not plain(text):
            return "I did not catch that. Could you say it again?"
        vector = self._meaning.vector(text)
        for examples, line in SMALL_TALK:
            if float((self._meaning.vectors(examples) @ vector).max()) >= SMALL_TALK_ENOUGH:
                return line
        lines = HONEST if has_tools else HONEST_WITHOUT_TOOLS
        return lines[(len(heard) - 1) % len(lines)].format(heard=text.strip().rstrip(".!?"))


def _last_missing(required: Sequence[str], arguments: Mapping[str, Any]) -> str | None:
    return next((name for name in required if name not in arguments), None)


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_-]+", " ", name).lower()


def _sayings(tool: Mapping[str, Any]) -> list[str]:
    """Return the ways to say what `tool` does: its name in words, and its description's sentences."""
    description = str(tool.get("description") or "")
    sentences = [sentence for sentence in re.split(r"(?<=[.!?])\s+|\n", description) if plain(sentence)]
    return [_words(str(tool.get("name") or "")), *sentences[:6]]


def _shares(text: str, tool: Mapping[str, Any]) -> bool:
    """Return whether `text` has a word of the tool's name: then it is no example of what no tool does."""
    return bool(set(plain(text).split()) & set(_sayings(tool)[0].split()))


def argument(name: str, schema: Mapping[str, Any], text: str, *, whole: bool) -> Any:
    """Return a value for the parameter `name` taken from `text`, or None.

    With `whole` the text answers a question for it, so all of it may be the value.
    """
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else next((one for one in kinds if one != "null"), "string")
    if "enum" in schema:
        heard = f" {plain(text)} "
        return next((one for one in schema["enum"] if f" {plain(_words(str(one)))} " in heard), None)
    if kind in ("integer", "number"):
        found = re.search(r"-?\d+(?:\.\d+)?", text.replace(",", "")) if kind == "number" else None
        number = found.group() if found else digits(text)
        return (float(number) if "." in number else int(number)) if number else None
    if kind == "boolean":
        return {"yes": True, "no": False}.get(yes_no(text) or "")
    if kind != "string":
        return None
    hint = f"{_words(name)} {schema.get('description', '')} {schema.get('format', '')}".lower()
    if "phone" in hint:
        return phone(text)
    if "date" in hint or "birth" in hint:
        return day(text)
    if re.search(r"\b(id|number|zip|code|digits)\b", hint):
        return _code(text)
    if whole:
        return text.strip().rstrip(".!?")
    for pattern in (PROPER, PLACE):
        for match in pattern.finditer(text):
            if match["value"].lower() not in PRONOUNS:
                return match["value"]
    return None


def _code(text: str) -> str | None:
    named = re.search(r"\b(?=[\w-]*\d)[A-Za-z]+[\w]*(?:-[\w]+)*\b", text)
    if named and not named.group().isalpha():
        return named.group()
    return digits(text) or None
