"""Text models beside the Realtime upstream, for supervisors and classifiers: the same API, the same key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from agents.models.interface import Model
from agents.models.openai_responses import OpenAIResponsesModel
from openai import AsyncOpenAI

from agents import set_tracing_disabled
from rtbridge.settings import Settings
from rtbridge.upstream.known import http_base

TextModels = Callable[[str], Model]
"""`find(name)`: a text model of the Agents SDK by its name."""


def openai_text_models(settings: Settings) -> TextModels:
    """Return the text models of the OpenAI API of `settings`; one client, made when it is first needed."""
    key = settings.openai_api_key
    assert key is not None, "asked for only with a key"
    client = AsyncOpenAI(api_key=key.get_secret_value(), base_url=settings.openai_base_url)
    return lambda name: OpenAIResponsesModel(name, client)


@asynccontextmanager
async def engine_text_models(url: str) -> AsyncIterator[TextModels]:
    """Yield the text models of an engine that listens at the ws:// `url`; it asks for no key."""
    async with AsyncOpenAI(api_key="none", base_url=str(http_base(url) / "v1")) as client:
        yield lambda name: OpenAIResponsesModel(name, client)


def trace_agents(wanted: bool) -> None:
    """Let the Agents SDK export traces of text models, or not; the process's own setting of the SDK."""
    set_tracing_disabled(not wanted)
