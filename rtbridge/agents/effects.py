"""Effects: what a tool does to the world, declared, and for what cannot be taken back, done once.

A tool declares its effect with `@effect(...)` above `@function_tool`:

    none         it only looks (the default of every tool)
    idempotent   doing it twice is doing it once
    effectful    twice is wrong: an order, a refund, a message

An effectful tool is recorded in the call's EffectBook (effect_book.py) and never done twice for the same call,
arguments and confirmation. A `scope` takes the place of the call where a customer who calls again must not get it
twice either. The confirmation says on which word of the caller it is done: where asking again means
once more (another pair of gloves), give it `caller_turn`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

from agents.tool import set_function_tool_failure_error_function
from agents.tool_context import ToolContext

from agents import FunctionTool
from rtbridge.agents.context import CallContext
from rtbridge.agents.effect_book import NOT_DONE, UNKNOWN, EffectBook, LookUp
from rtbridge.agents.tools import refused
from rtbridge.core.journal import EffectDone

__all__ = ["NOT_DONE", "UNKNOWN", "caller_turn", "declared", "effect", "once"]

Effect = Literal["none", "idempotent", "effectful"]
Arguments = Mapping[str, Any]
_ATTRIBUTE: Final = "rtbridge_effect"


def caller_turn(context: CallContext, arguments: Arguments) -> str:
    """Return a confirmation that lasts until the caller speaks again."""
    return str(sum(1 for who, said in context.transcript() if who == "user" and said.strip()))


def effect(
    kind: Effect,
    *,
    confirmation: Callable[[CallContext, Arguments], str] | None = None,
    scope: Callable[[CallContext, Arguments], str] | None = None,
    require: Callable[[CallContext, Arguments], Awaitable[None] | None] | None = None,
    look_up: Callable[[CallContext, Arguments], Awaitable[Any]] | None = None,
) -> Callable[[FunctionTool], FunctionTool]:
    """Declare what a tool does to the world; see the module. Returns a copy of the tool.

    `require` raises Refused when the tool must not run now; it is asked before anything is recorded. `look_up`
    finds out what became of an effect whose result was lost: its result, NOT_DONE or UNKNOWN.
    """
    if kind not in ("none", "idempotent", "effectful"):
        raise ValueError(f"an effect is none, idempotent or effectful, not {kind!r}")

    def declare(tool: FunctionTool) -> FunctionTool:
        inner = copy.copy(tool)
        # A text about an error in place of the error would be recorded as the effect's result.
        set_function_tool_failure_error_function(inner, None)

        async def invoke(ctx: ToolContext[Any], arguments: str) -> Any:
            context = ctx.context
            given = json.loads(arguments or "{}")
            asked = require(context, given) if require else None
            if asked is not None:
                await asked
            if kind != "effectful":
                return await inner.on_invoke_tool(ctx, arguments)
            if not isinstance(getattr(context, "effects", None), EffectBook):
                return refused(f"{tool.name} was not done: this call cannot record it.", kind="not_recorded")
            return await once(
                context,
                tool.name,
                given,
                scope=scope(context, given) if scope else None,
                act=lambda: inner.on_invoke_tool(ctx, arguments),
                confirmation=confirmation(context, given) if confirmation else "",
                look_up=(lambda: look_up(context, given)) if look_up else None,
            )

        outer = copy.copy(tool)
        outer.on_invoke_tool = invoke
        set_function_tool_failure_error_function(outer, None)
        setattr(outer, _ATTRIBUTE, kind)
        return outer

    return declare


async def once(
    context: CallContext,
    tool: str,
    arguments: Arguments,
    *,
    act: Callable[[], Awaitable[Any]],
    confirmation: str = "",
    scope: str | None = None,
    look_up: LookUp | None = None,
) -> str:
    """Do `act` as an effect of `tool` in this call, if it was not done before; see EffectBook.once.

    For a tool that decides by itself whether there is an effect; others say `@effect("effectful")`.
    """

    async def told() -> Any:
        result = await act()
        context.note(EffectDone(tool))
        return result

    return await context.effects.once(
        call_id=context.call_id,
        tool=tool,
        arguments=arguments,
        act=told,
        confirmation=confirmation,
        scope=scope,
        look_up=look_up,
    )


def declared(tool: FunctionTool) -> Effect:
    """Return the effect a tool declares; `none` when it says nothing."""
    kind: Effect = getattr(tool, _ATTRIBUTE, "none")
    return kind
