"""Text models for guardrails: one answer always, the engine's list, or whatever a test wants to happen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from agents.items import TResponseStreamEvent
from agents.models.interface import Model
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

from agents import ModelResponse, Usage
from rtbridge.engine.classify import WordList


class SaidModel(Model):
    """Says one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[tuple[str, str]] = []

    async def answer(self, text: str) -> str:
        return self.text

    async def get_response(self, system_instructions: Any, input: Any, *_: Any, **__: Any) -> ModelResponse:
        text = input if isinstance(input, str) else json.dumps(input)
        self.asked.append((str(system_instructions), text))
        part = ResponseOutputText(type="output_text", text=await self.answer(text), annotations=[])
        message = ResponseOutputMessage(
            id="m", type="message", role="assistant", status="completed", content=[part]
        )
        return ModelResponse(output=[message], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[TResponseStreamEvent]:
        raise NotImplementedError


class FixedModel(SaidModel):
    """A classifier that has one answer."""


class ListModel(SaidModel):
    """The engine's classifier as a model; `before` may wait or raise first."""

    def __init__(self, before: Callable[[str], Awaitable[None]] | None = None) -> None:
        super().__init__("")
        self._before = before
        self._words = WordList()

    async def answer(self, text: str) -> str:
        if self._before is not None:
            await self._before(text)
        return json.dumps(self._words.judge(text))
