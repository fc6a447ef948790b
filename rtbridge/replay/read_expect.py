"""Reading what a story expects of the whole call, `[expect]`, and what the call may cost, `[budget]`."""

from __future__ import annotations

from typing import Final

from rtbridge.replay.story import (
    Budget,
    CallExpect,
    EffectExpect,
    GuardrailExpect,
    ToolExpect,
    TranscriptExpect,
)
from rtbridge.replay.surroundings import Surroundings, pattern
from rtbridge.replay.tables import Table

CATEGORIES: Final = ("OFFENSIVE", "OFF_BRAND", "VIOLENCE")  # of the moderation that comes with rtbridge


def read_expect(expect: Table | None, around: Surroundings) -> CallExpect:
    """Return what `[expect]` says; problems are noted in the table."""
    if expect is None:
        return CallExpect()
    handoffs = expect.texts("handoffs")
    for agent in handoffs or ():
        around.agent_exists(expect, "handoffs", agent)
    tools = None
    if "tools" in expect:
        tools = tuple(_tool(table) for table in expect.tables("tools", "an expected tool"))
    said = tuple(_said(table) for table in expect.tables("transcript", "an expected transcript"))
    ended = pattern(expect, "ended")
    effects = None
    if "effects" in expect:
        effects = tuple(_effect(table) for table in expect.tables("effects", "an expected effect"))
    guardrail = None
    if "guardrail" in expect:
        guardrail = _guardrail(expect.table("guardrail", "`guardrail`"))
    expect.finish()
    return CallExpect(
        handoffs=handoffs, tools=tools, effects=effects, guardrail=guardrail, transcript=said, ended=ended
    )


def read_budget(budget: Table | None) -> Budget:
    """Return what `[budget]` says; problems are noted in the table."""
    if budget is None:
        return Budget()
    found = Budget(
        bridge_added_p95_ms=budget.number("bridge_added_p95_ms"),
        underruns=budget.integer("underruns"),
        protocol_errors=budget.integer("protocol_errors"),
        leaked_tasks=budget.integer("leaked_tasks"),
        delivered_pct=budget.number("delivered_pct"),
    )
    if (found.delivered_pct or 0) > 100:
        budget.add("delivered_pct", "`delivered_pct` is a share of the caller's audio: at most 100")
    budget.finish()
    return found


def _effect(table: Table) -> EffectExpect:
    tool, times = table.text("tool"), table.integer("count")
    for key in ("tool", "count"):
        if key not in table:
            table.add(None, "an expected effect has a `tool` and a `count`, how often it was done")
            break
    table.finish()
    return EffectExpect(tool or "", times or 0)


def _tool(table: Table) -> ToolExpect:
    name = table.text("name")
    if name is None and "name" not in table:
        table.add(None, "an expected tool has a `name`")
    elif name is not None and name.startswith("transfer_to_"):
        table.add("name", f'"{name}" is a handoff, not a tool: name its agent in `handoffs`')
    args = table.mapping("args") or {}
    dead_air_ms = table.ms("dead_air_ms")
    table.finish()
    return ToolExpect(name or "", args, dead_air_ms)


def _guardrail(table: Table | None) -> GuardrailExpect | None:
    if table is None:
        return None
    tripped, audible_ms = table.text("tripped"), table.ms("audible_ms")
    if "tripped" not in table:
        table.add(None, "an expected guardrail has `tripped`: the category of what it must trip over")
    for category in CATEGORIES:
        # Another spelling of a category would never come true; any other name is a guardrail's own.
        if tripped not in (None, category) and _plain(str(tripped)) == _plain(category):
            table.add("tripped", f'no category "{tripped}"; did you mean `{category}`?')
    table.finish()
    return GuardrailExpect(tripped or "", audible_ms)


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def _said(table: Table) -> TranscriptExpect:
    who = table.text("who")
    if who not in ("agent", "caller"):
        table.add("who", f'`who` is "agent" or "caller"{"" if who is None else f", not {who!r}"}')
    like, never = pattern(table, "like"), pattern(table, "never")
    if ("like" in table) == ("never" in table):
        table.add(None, "an expected transcript has either `like` or `never`")
    table.finish()
    return TranscriptExpect(who or "", like, never)
