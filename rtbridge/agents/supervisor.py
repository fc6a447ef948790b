"""The supervisor: a text agent that thinks for a voice agent, behind one tool.

The voice agent talks well and knows little; what it may not decide it asks with `getNextResponseFromSupervisor`.
A run of the supervisor gets everything that was heard so far and what the voice agent took from the caller's last
words, calls its tools one after the other, and returns one thing to say. Each of its calls is noted in the call's
journal under its name. The run has one deadline for everything: what is not answered by then is cancelled, an
answer that still comes is dropped with it, and the voice agent gets an error that it can speak about.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from agents.tool_context import ToolContext

from agents import (
    Agent,
    FunctionTool,
    ModelSettings,
    RunConfig,
    Runner,
    RunResult,
    TResponseInputItem,
)
from rtbridge.agents.context import CallContext, Said
from rtbridge.agents.deadline import Late, within
from rtbridge.agents.local_text import AGENT_LABEL
from rtbridge.agents.tools import guarded
from rtbridge.core.journal import Entry, ToolEnded, ToolStarted

TOOL_NAME: Final = "getNextResponseFromSupervisor"
CONTEXT_FIELD: Final = "relevantContextFromLastUserMessage"
MAX_TURNS: Final = 8  # model calls in one run: a supervisor that calls tools for ever has an end
MAX_HEARD: Final = 1_000  # messages of the transcript, the newest; a call of half an hour has fewer
TOOL_LIMIT_S: Final = 120.0  # of the tool around a run, which ends itself long before

TOO_LATE: Final = (
    "The supervisor did not answer in time. Say so in one short sentence and offer to try once more."
)
FAILED: Final = (
    "The supervisor cannot answer at the moment. Say so in one short sentence and offer to try once more."
)
CUT_OFF: Final = '{"error": "the run ended first"}'
ASKED: Final = "{agent} asks for its next words. What it took from the caller's last message follows."

log = structlog.get_logger("rtbridge.agents")


class SupervisorError(Exception):
    """A run without an answer; the text is for the voice agent."""


@dataclass(frozen=True, slots=True)
class Supervisor:
    """A text agent, as a scenario declares it."""

    name: str
    instructions: str
    tools: Sequence[FunctionTool] = ()
    model: str | None = None  # None: what the settings say (`supervisor_model`)
    timeout_s: float | None = None  # for a whole run; None: what the settings say (`supervisor_timeout_s`)

    def as_tool(self, description: str) -> FunctionTool:
        """Return the tool that asks it: {"nextResponse": text} or {"error": text}, never an exception."""

        async def ask(ctx: ToolContext[Any], arguments: str) -> str:
            relevant = str(json.loads(arguments).get(CONTEXT_FIELD, ""))
            return json.dumps(
                await self.next_response(ctx.context, relevant, ctx.tool_call_id), ensure_ascii=False
            )

        # Else a run that may take longer than other tools would be cut by the guard around them.
        tool = FunctionTool(TOOL_NAME, description, _PARAMETERS, ask)
        tool.timeout_seconds = TOOL_LIMIT_S
        return tool

    async def next_response(self, context: CallContext, relevant: str, call_id: str) -> dict[str, str]:
        """Return {"nextResponse": text}, or {"error": text} when there is none; cancelled, it ends at once."""
        messages = conversation(context.transcript(), relevant, asked_by=context.agent)
        try:
            return {"nextResponse": await self.run(context, messages, call_id)}
        except SupervisorError as trouble:
            return {"error": str(trouble)}

    async def run(self, context: CallContext, messages: list[TResponseInputItem], call_id: str) -> str:
        """Return the answer to `messages`. Raises SupervisorError: too late, failed, or nothing to say.

        `call_id` is that of the tool call it works for: its own calls are numbered under it.
        """
        timeout_s = self.timeout_s or context.supervisor_timeout_s
        desk = _Desk(self.name, context.note, call_id)
        try:
            # A tool gets half of the time at most: the model has to say something about its failure.
            tools = [desk.served(guarded(tool, timeout_s=timeout_s / 2)) for tool in self.tools]
            result = await within(timeout_s, self._runner(context, messages, tools))
            text = str(result.final_output or "").strip()
        except Exception as error:
            late = isinstance(error, Late)
            log.warning(
                "supervisor.failed",
                agent=self.name,
                error="deadline" if late else type(error).__name__,
                timeout_s=timeout_s,
            )
            raise SupervisorError(TOO_LATE if late else FAILED) from error
        finally:
            desk.close()
        if not text:
            raise SupervisorError(FAILED)
        return text

    async def _runner(
        self, context: CallContext, messages: list[TResponseInputItem], tools: Sequence[FunctionTool]
    ) -> RunResult:
        settings = ModelSettings(
            parallel_tool_calls=False if tools else None,
            # Names this agent's lines to the embedded engine; elsewhere it is a label in the provider's log.
            metadata={AGENT_LABEL: f"{context.scenario_id}/{self.name}"},
        )
        agent: Agent[CallContext] = Agent(
            name=self.name,
            instructions=self.instructions,
            tools=list(tools),
            model=context.text_model(self.model or context.supervisor_model),
            model_settings=settings,
        )
        return await Runner.run(
            agent,
            messages,
            context=context,
            max_turns=MAX_TURNS,
            run_config=RunConfig(tracing_disabled=True),
        )


def conversation(heard: Sequence[Said], relevant: str, *, asked_by: str) -> list[TResponseInputItem]:
    """Return what a supervisor reads: what was heard, in order and by whom, then what it is asked.

    >>> [item["role"] for item in conversation([("chatAgent", "Hi."), ("user", "My bill?")], "bill", asked_by="x")]
    ['assistant', 'user', 'developer', 'user']
    """
    messages: list[TResponseInputItem] = [
        {"role": "user" if who == "user" else "assistant", "content": text}
        for who, text in list(heard)[-MAX_HEARD:]
        if text.strip()
    ]
    messages.append({"role": "developer", "content": ASKED.format(agent=asked_by)})
    messages.append({"role": "user", "content": relevant.strip() or "(see above)"})
    return messages


_PARAMETERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        CONTEXT_FIELD: {
            "type": "string",
            "description": (
                "What is new in the caller's last message, with every number in full; empty if there is nothing new."
            ),
        }
    },
    "required": [CONTEXT_FIELD],
    "additionalProperties": False,
}


class _Desk:
    """One run's tools: one at a time, each call noted; silent after the run's end."""

    def __init__(self, name: str, note: Callable[[Entry], None], call_id: str) -> None:
        self._name = name
        self._call_id = call_id
        self._calls = 0
        self._note = note
        self._turn = asyncio.Lock()
        self._closed = False

    def close(self) -> None:
        """Note nothing any more: whoever is still at work is too late."""
        self._closed = True

    def served(self, tool: FunctionTool) -> FunctionTool:
        """Return a copy of `tool` that waits for its turn and leaves a breadcrumb."""
        invoke = tool.on_invoke_tool

        async def run(ctx: ToolContext[Any], arguments: str) -> Any:
            async with self._turn:  # models are asked to call one at a time, and some do not listen
                time = asyncio.get_running_loop().time
                began_s = time()
                self._calls += 1  # ids of models differ in what they are unique in
                call_id = f"{self._call_id}.{self._calls}"
                self._write(ToolStarted(call_id, tool.name, arguments, self._name))
                output: Any = CUT_OFF
                try:
                    output = await invoke(ctx, arguments)
                finally:  # a deadline ends what has begun, on the page too
                    took_ms = round((time() - began_s) * 1000)
                    ended = ToolEnded(call_id, tool.name, arguments, str(output), took_ms, self._name)
                    self._write(ended)
                return output

        served = copy.copy(tool)
        served.on_invoke_tool = run
        return served

    def _write(self, entry: Entry) -> None:
        if not self._closed:
            self._note(entry)
