"""The agents of a scenario as the bridge serves them, made from the plain objects that its author wrote.

Each agent is served as a copy: its tools are guarded, its handoffs lead to served agents under tool names in the
agents' exact case (`transfer_to_haikuWriter`; the SDK would lowercase it), and a handoff moves the call's context
along. The author's objects are never changed. The SDK does not change agents either, so one copy serves all calls.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agents.mcp import MCPServer
from agents.realtime import RealtimeAgent, realtime_handoff

from agents import FunctionTool, Handoff, RunContextWrapper
from rtbridge.agents import input_filter
from rtbridge.agents.context import CallContext
from rtbridge.agents.deadline import Late, within
from rtbridge.agents.mcp_tools import TOOL_NAME, McpDesk, McpLink, McpTools
from rtbridge.agents.tools import guarded
from rtbridge.errors import Refused

Agent = RealtimeAgent[Any]

# `transfer_to_` + name must be a function name of the Realtime API: 64 letters, digits, _ or -.
_AGENT_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,51}")


@dataclass(slots=True)
class Graph:
    """All agents that a call can reach, and what is wrong with them."""

    agents: dict[str, Agent] = field(default_factory=dict)  # served copies; the start first
    handoffs: dict[str, str] = field(default_factory=dict)  # tool name -> agent name
    mcp: McpTools = field(
        default_factory=McpTools
    )  # servers that give agents more tools while a process serves
    problems: list[str] = field(default_factory=list)  # each names the agent, what is wrong and what to do


def build(start: Agent, named: Mapping[str, Any], *, tool_timeout_s: float) -> Graph:
    """Return the graph that `start` reaches. `named` are the module's variables, where Handoff targets are found.

    A graph with problems must not be served; its agents are there only to be drawn.
    """
    graph = Graph()
    originals = _reach(start, named, graph.problems)
    for agent in originals.values():
        graph.problems.extend(_problems(agent))
        graph.agents[agent.name] = agent.clone(
            tools=[
                guarded(tool, timeout_s=tool_timeout_s) if isinstance(tool, FunctionTool) else tool
                for tool in agent.tools
            ],
            handoffs=[],
            mcp_servers=[],  # the SDK would ask them before every tool call; McpThread keeps them instead
        )
    for agent in originals.values():
        served = graph.agents[agent.name]
        for target, handoff in _handoffs(agent, named):
            if target is None or target.name not in graph.agents:
                continue  # a problem already
            transfer = _transfer(graph.agents[target.name], handoff, tool_timeout_s)
            served.handoffs.append(transfer)
            known = graph.handoffs.setdefault(transfer.tool_name, target.name)
            if known != target.name:
                graph.problems.append(
                    f"agent {agent.name!r}: the handoff {transfer.tool_name!r} leads to {target.name!r} here and to "
                    f"{known!r} elsewhere; give each its own tool_name_override"
                )
        graph.problems.extend(_duplicates(served))
    graph.mcp = _mcp(originals, graph.agents, tool_timeout_s)
    return graph


def _mcp(originals: Mapping[str, Agent], served: Mapping[str, Agent], timeout_s: float) -> McpTools:
    links: dict[int, McpLink] = {}  # a server that two agents share is connected once
    desks = []
    for name, agent in originals.items():
        servers = [server for server in agent.mcp_servers if isinstance(server, MCPServer)]
        if servers:
            used = tuple(links.setdefault(id(server), McpLink(server)) for server in servers)
            desks.append(McpDesk(served[name], used, tuple(served[name].tools), timeout_s))
    return McpTools(tuple(links.values()), tuple(desks))


def unreachable(start: Agent, named: Mapping[str, Any]) -> list[str]:
    """Return the names of agents in `named` that no handoff leads to from `start`."""
    reached = {id(agent) for agent in _reach(start, named, []).values()}
    found = {id(value): value.name for value in named.values() if isinstance(value, RealtimeAgent)}
    return [name for identity, name in found.items() if identity not in reached]


def _reach(start: Agent, named: Mapping[str, Any], problems: list[str]) -> dict[str, Agent]:
    reached: dict[str, Agent] = {}
    waiting = [start]
    while waiting:
        agent = waiting.pop(0)
        known = reached.setdefault(agent.name, agent)
        if known is not agent:
            problems.append(f"two agents are called {agent.name!r}; give each its own name")
            continue
        for target, handoff in _handoffs(agent, named):
            if target is None:
                problems.append(_dangling(agent, handoff))
            elif reached.get(target.name) is not target and target not in waiting:
                waiting.append(target)
    return reached


def _handoffs(agent: Agent, named: Mapping[str, Any]) -> Iterator[tuple[Agent | None, Any]]:
    """Yield (the author's target, what stands in the list) for each handoff; None for one that leads nowhere."""
    entries: list[Any] = list(agent.handoffs)
    for entry in entries:
        if isinstance(entry, RealtimeAgent):
            yield entry, entry
        elif isinstance(entry, Handoff):
            agents = (value for value in named.values() if isinstance(value, RealtimeAgent))
            yield next((value for value in agents if value.name == entry.agent_name), None), entry
        else:
            yield None, entry


def _dangling(agent: Agent, entry: Any) -> str:
    if isinstance(entry, Handoff):
        return (
            f"agent {agent.name!r}: the handoff {entry.tool_name!r} leads to {entry.agent_name!r}, and no variable of "
            "agents.py holds that agent; give it one"
        )
    kind = type(entry).__name__
    return f"agent {agent.name!r}: its handoffs hold a {kind}; put a RealtimeAgent or a realtime_handoff(...) there"


def _transfer(target: Agent, entry: Any, timeout_s: float) -> Handoff[Any, Agent]:
    exact = f"transfer_to_{target.name}"
    if isinstance(entry, Handoff):
        handoff: Handoff[Any, Agent] = copy.copy(entry)
        if handoff.tool_name == Handoff.default_tool_name(target):
            handoff.tool_name = exact
    else:
        handoff = realtime_handoff(target, tool_name_override=exact)
    invoke = handoff.on_invoke_handoff

    async def transfer(ctx: RunContextWrapper[Any], arguments: str) -> Agent:
        try:
            # Runs on_handoff; the agent it returns is the author's, not the served one.
            await within(timeout_s, _waited(invoke, ctx, arguments))
        except Late as late:
            raise Refused(f"The handoff took longer than {timeout_s:g} s and was not made.") from late
        if isinstance(ctx.context, CallContext):
            ctx.context.agent = target.name
            input_filter.apply(handoff, ctx.context, target.name)
        return target

    handoff.on_invoke_handoff = transfer
    return handoff


async def _waited(invoke: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    return await invoke(*args)


def _problems(agent: Agent) -> Iterator[str]:
    who = f"agent {agent.name!r}"
    if not _AGENT_NAME.fullmatch(agent.name):
        yield f"{who}: a name is a letter and up to 51 letters, digits, _ or -; rename it"
    if agent.instructions is None and agent.prompt is None:
        yield f"{who} has no instructions; say who it is and what it does"
    for tool in agent.tools:
        if not isinstance(tool, FunctionTool):
            yield f"{who}: {type(tool).__name__} does not work in realtime agents; wrap it in a function_tool"
        elif not TOOL_NAME.fullmatch(tool.name):
            yield f"{who}: the tool {tool.name!r} needs a name of 1 to 64 letters, digits, _ or -; set name_override"
        elif not (isinstance(tool.needs_approval, bool) or callable(tool.needs_approval)):
            # The SDK takes anything else for no, and would run the tool without asking anybody.
            kind = type(tool.needs_approval).__name__
            yield f"{who}: needs_approval of the tool {tool.name!r} is a {kind}; make it True, False or a function"
    for server in agent.mcp_servers:
        if not isinstance(server, MCPServer):
            yield f"{who}: its mcp_servers hold a {type(server).__name__}; put an MCPServerStdio(...) or the like there"
        elif callable(getattr(server, "tool_filter", None)):
            yield (
                f"{who}: the tool_filter of the MCP server {server.name!r} is a function, and its tools are the same "
                "for all calls; use create_static_tool_filter"
            )
    if agent.output_guardrails:
        # Silence would be worse: the author believes that something is checked.
        yield f"{who}: the bridge runs no output_guardrails of agents; put them into the module's `guardrails`"


def _duplicates(agent: Agent) -> Iterator[str]:
    names = Counter(tool.name for tool in agent.tools)
    names.update(entry.tool_name for entry in agent.handoffs if isinstance(entry, Handoff))
    for name, count in names.items():
        if count > 1:
            yield f"agent {agent.name!r} has {count} tools called {name!r}; rename all but one"
