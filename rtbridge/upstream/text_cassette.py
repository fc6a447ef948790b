"""The text models of a recorded call: what was asked then is answered again, in its time.

An answer comes as long after its question as then, and not before its place among the frames: a busy bridge may have
asked late, and then waited, spoken a filler, or been interrupted meanwhile.

Requests run side by side (guardrails, a supervisor), so none is matched by its place: among those of its kind that
were not asked again yet, the one that means the same is taken, else the one that is most like it, and what differs is
told. A request that had no answer then gets none now, and ends as it did, by its own deadline.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents.items import TResponseStreamEvent
from agents.models.interface import Model, ModelTracing
from openai.types.responses import ResponseOutputItem
from pydantic import TypeAdapter, ValidationError

from agents import (
    AgentOutputSchemaBase,
    Handoff,
    ModelResponse,
    ModelSettings,
    Tool,
    TResponseInputItem,
    Usage,
)
from rtbridge.errors import StoryError, UpstreamError
from rtbridge.upstream.frames import TEXT_FAILED, TEXT_REQUEST, TEXT_RESPONSE, Cassette
from rtbridge.upstream.meaning import request_differences, shown
from rtbridge.upstream.scrub import MASK
from rtbridge.upstream.text_recorder import request_of

AGENT_LABEL: Final = "rtbridge_agent"
"""Key in a request's `metadata`: "<scenario>/<agent>" (agents/local_text.py)."""
_OUTPUT: Final = TypeAdapter(list[ResponseOutputItem])


@dataclass(slots=True)
class _Asked:
    """A request of the recording, and what came of it."""

    name: str  # "text request #2 of agent"
    label: str
    request: Mapping[str, Any]
    t: float
    again: bool = False  # it was asked in this run
    answered_t: float | None = None  # None: it was never answered
    output: list[ResponseOutputItem] | None = None
    error: str = ""


class CassetteTexts:
    """The text models of one recording. Used once, on any loop."""

    def __init__(
        self, cassette: Cassette, tell: Callable[[str], None], due: Callable[[float], float]
    ) -> None:
        """`tell` takes what differs, a sentence each; `due` returns when, in loop time, a time of the recording is.

        Raises StoryError with name and line of the cassette where an output is none of the Responses API.
        """
        self._tell = tell
        self._due = due
        self._asked = _laid_out(cassette)
        self._hidden = _masked_calls(self._asked)
        self._told: set[str] = set()

    @property
    def uncompared(self) -> int:
        """Return how many tool outputs cannot be compared, since their calls' arguments were masked."""
        return len(self._hidden)

    def find(self, name: str) -> Model:
        """Return the text model by that name."""
        return _CassetteModel(self, name)

    def tell_missing(self) -> None:
        """Tell of what was answered then and not asked again; called when the call is over."""
        for asked in self._asked:
            if not asked.again and asked.answered_t is not None:
                self._tell(
                    f"{asked.name}: missing: it was asked at {asked.t:.2f} s of the recording, and not again"
                )

    async def answer(self, request: Mapping[str, Any]) -> list[ResponseOutputItem]:
        """Return what was answered to this request. Raises UpstreamError where it failed, or where it is a new one."""
        label = _label(request)
        waiting = [asked for asked in self._asked if asked.label == label and not asked.again]
        if not waiting:
            self._tell(f"text request of {label}: not in the recording: got {shown(request)}")
            raise UpstreamError("the cassette has no answer to this text request")
        found, asked = self._nearest(waiting, request)
        asked.again = True
        if found and (told := "; ".join(found)) not in self._told:
            self._told.add(told)
            self._tell(f"{asked.name}: {told}")
        if asked.answered_t is None:
            await asyncio.Event().wait()  # until it is cancelled, as it was then
        else:
            now = asyncio.get_running_loop().time()
            await asyncio.sleep(max(asked.answered_t - asked.t, self._due(asked.answered_t) - now))
        if asked.output is None:
            raise UpstreamError(asked.error)
        return asked.output

    def _nearest(self, waiting: list[_Asked], request: Mapping[str, Any]) -> tuple[list[str], _Asked]:
        """Return what differs from the request that is most like this one, the earliest of them, and that one."""
        for asked in waiting:
            if asked.request == request:  # before another one that means the same, and may be somebody else's
                return [], asked
        ranked: list[tuple[list[str], _Asked]] = []
        for asked in waiting:
            found = request_differences(asked.request, request, self._hidden)
            if not found:
                return [], asked
            ranked.append((found, asked))
        instructions = request.get("instructions")
        return min(ranked, key=lambda one: (len(one[0]), one[1].request.get("instructions") != instructions))


class _CassetteModel(Model):
    """A text model of the Agents SDK that answers out of a recording."""

    def __init__(self, texts: CassetteTexts, name: str) -> None:
        self._texts = texts
        self._name = name

    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff[Any, Any]],
        tracing: ModelTracing,
        **rest: Any,
    ) -> ModelResponse:
        """Answer one request of a run; see `Model.get_response`. Raises UpstreamError."""
        asked = request_of(
            self._name, system_instructions, input, model_settings, tools, output_schema, handoffs
        )
        output = await self._texts.answer(asked)
        return ModelResponse(output=output, usage=Usage(requests=1), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[TResponseStreamEvent]:
        """Raise NotImplementedError: streamed responses are not recorded."""
        raise NotImplementedError("a cassette answers whole; use Runner.run")


def _laid_out(cassette: Cassette) -> list[_Asked]:
    found: dict[str, _Asked] = {}
    counts: Counter[str] = Counter()
    for line, row in enumerate(cassette.rows, start=2):
        kind, request_id = row.event["type"], str(row.event.get("id"))
        if kind == TEXT_REQUEST:
            label = _label(row.event["request"])
            counts[label] += 1
            name = f"text request #{counts[label]} of {label}"
            found[request_id] = _Asked(name, label, row.event["request"], row.t)
        elif kind in (TEXT_RESPONSE, TEXT_FAILED):
            asked = found[request_id]
            asked.answered_t = row.t
            if kind == TEXT_RESPONSE:
                asked.output = _output(f"{cassette.name}:{line}", row.event["output"])
            else:
                asked.error = str(row.event["error"].get("message"))
    return list(found.values())


def _output(where: str, output: list[Any]) -> list[ResponseOutputItem]:
    try:
        return _OUTPUT.validate_python(output)
    except ValidationError:
        raise StoryError(
            f"{where}: `output` takes items of the Responses API, like messages and calls"
        ) from None


def _masked_calls(asked: list[_Asked]) -> set[str]:
    """Return the calls of tools whose arguments were masked: a tool now gets others, and may say something else."""
    found = set()
    for item in (item for one in asked for item in one.output or ()):
        if item.type == "function_call" and MASK.search(item.arguments):
            found.add(item.call_id)
    return found


def _label(request: Mapping[str, Any]) -> str:
    """Return whose request this is: the agent's that it is labelled with, else what its answer is called."""
    metadata, shape = request.get("metadata"), request.get("format")
    if isinstance(metadata, Mapping) and isinstance(agent := metadata.get(AGENT_LABEL), str):
        return agent.rpartition("/")[2]
    if isinstance(shape, Mapping) and isinstance(name := shape.get("name"), str):
        return name
    return "an agent"
