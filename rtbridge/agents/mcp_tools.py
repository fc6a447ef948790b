"""Tools of MCP servers, as agents of a scenario have them: guarded like any other, and gone while their server is.

The SDK would list an MCP server's tools before every tool call and let a dead server end the session. Here the
list is kept: `McpThread` connects the servers and calls `offer()` when something changed, and each agent's tools
are its own and those its servers offer now. A tool whose name is taken is not offered, and `problems()` says so.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from agents.mcp import MCPServer, MCPUtil
from agents.realtime import RealtimeAgent
from agents.tool_context import ToolContext

from agents import FunctionTool, Handoff, Tool
from rtbridge.agents.tools import DEFAULT_TIMEOUT_S, TimedOut, guarded
from rtbridge.errors import Refused

TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
REQUEST_TIMEOUT: Final = (
    -32001
)  # code of an MCPError made by the client; JSON-RPC leaves -32000 to -32099 to us
MOST_TOOLS: Final = 64  # of one server; the Realtime API takes 128 of a session

CallThere = Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]

log = structlog.get_logger("rtbridge.mcp")


@dataclass(eq=False)
class McpLink:
    """One MCP server of a scenario: the author's object, and what is known of it now."""

    server: MCPServer
    listed: tuple[Any, ...] = ()  # mcp.types.Tool; empty while it is down
    trouble: str = "it was not connected yet"  # empty while it is up
    call_here: CallThere | None = (
        None  # runs a coroutine where the server is connected; None outside McpThread
    )
    suspect: asyncio.Event = field(default_factory=asyncio.Event)  # a call failed: is it still there?

    @property
    def name(self) -> str:
        """Return the server's name."""
        return self.server.name

    async def list(self) -> bool:
        """Ask for the tools; return whether they changed. Raises what the server's transport does."""
        if hasattr(self.server, "invalidate_tools_cache"):
            self.server.invalidate_tools_cache()
        listed = tuple(await self.server.list_tools())[:MOST_TOOLS]
        changed = listed != self.listed or bool(self.trouble)
        self.listed, self.trouble = listed, ""
        return changed

    def lose(self, why: str) -> None:
        """Note that the server cannot be reached."""
        self.listed, self.trouble = (), why
        self.suspect.clear()

    async def call(self, tool: FunctionTool, ctx: ToolContext[Any], arguments: str, limit_s: float) -> Any:
        """Call one of its tools from any loop. Raises Refused while it is down, TimedOut after `limit_s`."""
        if self.call_here is None or self.trouble:
            raise Refused(
                f"{tool.name} cannot be reached now. Tell the caller so plainly and offer another way."
            )
        return plain(await self.call_here(self._call(tool, ctx, arguments, limit_s)))

    async def _call(self, tool: FunctionTool, ctx: ToolContext[Any], arguments: str, limit_s: float) -> Any:
        try:
            async with asyncio.timeout(limit_s) as limit:
                return await tool.on_invoke_tool(ctx, arguments)
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                raise TimedOut(limit_s) from None
            self.suspect.set()
            if getattr(error, "code", None) == REQUEST_TIMEOUT:  # the server object's own limit was shorter
                raise TimedOut(
                    getattr(self.server, "client_session_timeout_seconds", None) or limit_s
                ) from None
            raise


@dataclass(eq=False)
class McpDesk:
    """One served agent and the servers its author gave it."""

    agent: RealtimeAgent[Any]
    links: tuple[McpLink, ...]
    own: tuple[Tool, ...]  # guarded
    timeout_s: float = DEFAULT_TIMEOUT_S
    problems: tuple[str, ...] = ()

    def offer(self) -> None:
        """Give the agent its own tools and those that its servers offer now."""
        taken = {tool.name: "its own tool" for tool in self.own}
        taken |= {one.tool_name: "its handoff" for one in self.agent.handoffs if isinstance(one, Handoff)}
        offered: list[Tool] = []
        problems: list[str] = []
        for link in self.links:
            for listed in link.listed:
                name = self._name(link, listed.name)
                if problem := self._problem(link, name, taken):
                    problems.append(problem)
                    continue
                taken[name] = f"the MCP server {link.name!r}"
                offered.append(self._tool(link, listed, name))
        self.agent.tools = [*self.own, *offered]
        if tuple(problems) != self.problems:
            self.problems = tuple(problems)
            for problem in problems:
                log.error("mcp_tool.not_offered", problem=problem)

    def _name(self, link: McpLink, name: str) -> str:
        if not self.agent.mcp_config.get("include_server_in_tool_names"):
            return name
        return f"mcp_{re.sub('[^A-Za-z0-9_-]', '_', link.name)}__{name}"

    def _problem(self, link: McpLink, name: str, taken: dict[str, str]) -> str | None:
        who = f"agent {self.agent.name!r}: the tool {name!r} of the MCP server {link.name!r} is not offered"
        if not TOOL_NAME.fullmatch(name):
            return (
                f"{who}: a name is 1 to 64 letters, digits, _ or -; leave it out by the server's tool_filter"
            )
        if name in taken:
            return (
                f"{who}: {taken[name]} has that name; rename one, leave it out by tool_filter, or set "
                'mcp_config={"include_server_in_tool_names": True}'
            )
        return None

    def _tool(self, link: McpLink, listed: Any, name: str) -> FunctionTool:
        config = self.agent.mcp_config
        tool = MCPUtil.to_function_tool(
            listed,
            link.server,
            config.get("convert_schemas_to_strict", False),
            self.agent,
            failure_error_function=config.get(
                "failure_error_function"
            ),  # None: it raises, and the guard answers
            tool_name_override=name,
        )
        limit_s = self.timeout_s

        async def across(ctx: ToolContext[Any], arguments: str) -> Any:
            return await link.call(tool, ctx, arguments, limit_s)

        return guarded(tool, timeout_s=limit_s, run=across)


@dataclass(eq=False)
class McpTools:
    """All MCP servers of a scenario and the agents that use them."""

    links: tuple[McpLink, ...] = ()
    desks: tuple[McpDesk, ...] = ()

    def offer(self) -> None:
        """Bring every agent's tools up to date; a call takes them over at its next session update."""
        for desk in self.desks:
            desk.offer()

    def problems(self) -> list[str]:
        """Return what cannot be reached and what is not offered, each with what to do; nothing outside McpThread."""
        down = [
            f"MCP server {link.name!r} cannot be reached: {link.trouble}; its tools are missing until it can"
            for link in self.links
            if link.trouble and link.call_here is not None
        ]
        return [*down, *(problem for desk in self.desks for problem in desk.problems)]


def plain(output: Any) -> Any:
    """Return an MCP result as what a function tool would return: its texts; a voice has no use for images."""
    parts = output if isinstance(output, list) else [output]
    if not all(isinstance(part, dict) and part.get("type") in ("text", "image") for part in parts):
        return output
    return "\n".join(part["text"] if part["type"] == "text" else "[an image, not shown]" for part in parts)
