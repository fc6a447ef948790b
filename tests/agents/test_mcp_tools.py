"""MCP servers of a scenario: a real one over stdio, its tools called on the virtual clock, and its failures."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import structlog
from agents.mcp import MCPServerStdio

from rtbridge.agents.listing import list_scenarios
from rtbridge.agents.mcp_thread import McpThread
from rtbridge.agents.mcp_tools import plain
from rtbridge.agents.scenario import Scenario, check, load_scenario, mermaid
from rtbridge.core import journal
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.replay.clock import on_virtual_time
from scripted_engine import last_text
from session_rig import CallRig

DESK = Path(__file__).resolve().parent.parent / "mcp_desk.py"
HEAD = f'''"""A desk with an MCP server."""

from agents import function_tool
from agents.mcp import MCPServerStdio, create_static_tool_filter
from agents.realtime import RealtimeAgent

orders = MCPServerStdio(
    {{"command": {sys.executable!r}, "args": [{str(DESK)!r}]}}, name="orders", client_session_timeout_seconds=20
)
'''
AGENTS = f"""{HEAD}
back = RealtimeAgent(name="back", instructions="You are back.", mcp_servers=[orders])
start = RealtimeAgent(name="front", instructions="You are front.", mcp_servers=[orders], handoffs=[back])
"""
PATIENCE_S = 20.0


def written(folder: Path, source: str = AGENTS, *, tool_timeout_s: float = 8.0) -> Scenario:
    home = folder / "desk"
    home.mkdir(exist_ok=True)
    (home / "agents.py").write_text(source)
    return load_scenario(home, tool_timeout_s=tool_timeout_s)


def kept(scenario: Scenario, *, timeout_s: float = PATIENCE_S) -> McpThread:
    return McpThread([scenario.mcp], connect_timeout_s=timeout_s)


def tools(scenario: Scenario, agent: str = "front") -> list[str]:
    return [tool.name for tool in scenario.agents[agent].tools]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """A scenario whose server is up."""
    scenario = written(tmp_path_factory.mktemp("desk"), tool_timeout_s=PATIENCE_S)
    with kept(scenario):
        yield scenario


def calls(tool: str, arguments: str = "{}") -> Callable[[Turn], Iterable[Act]]:
    """Return a brain that calls `tool` first of all and says what came of it."""

    def answer(turn: Turn) -> Iterable[Act]:
        if turn.response_instructions:
            yield Say("Bear with me.")
        elif last_text(turn).startswith("result"):
            yield Say("It is done.")
        else:
            yield Call(tool, arguments)

    return answer


async def outcome(scenario: Scenario, tool: str, arguments: str = "{}") -> str:
    """Return the output of one tool call, made in a whole call that goes on after it."""
    async with CallRig(scenario, calls(tool, arguments)) as rig:
        await rig.leg.pass_ms(3000)
    (started,) = rig.entries(journal.ToolStarted)
    (ended,) = rig.entries(journal.ToolEnded)
    assert (started.name, started.arguments) == (tool, arguments)
    assert (ended.name, ended.call_id) == (tool, started.call_id)
    assert rig.entries(journal.ItemHeard)[-1].heard_text == "It is done."
    assert isinstance(ended.output, str)
    return ended.output


def until(happens: Callable[[], bool]) -> None:
    """Wait for what a process outside does, in real time."""
    end_s = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not happens():
        assert time.monotonic() < end_s, "it did not happen"
        pause.wait(0.02)


@on_virtual_time()
async def _whole_call(scenario: Scenario, tool: str, arguments: str, outputs: list[str]) -> None:
    outputs.append(await outcome(scenario, tool, arguments))


def output_of(scenario: Scenario, tool: str, arguments: str = "{}") -> str:
    outputs: list[str] = []
    _whole_call(scenario, tool, arguments, outputs)
    return outputs[0]


def test_a_tool_of_an_mcp_server_is_called_in_a_call(desk: Scenario) -> None:
    assert output_of(desk, "find_order", '{"order": "A7"}') == "A7 is on its way"


def test_two_agents_share_one_server_and_both_have_its_tools(desk: Scenario) -> None:
    assert len(desk.mcp.links) == 1
    assert tools(desk, "front") == tools(desk, "back") == ["find_order", "fail", "crash", "hang", "flood"]


def test_arguments_that_do_not_fit_the_servers_schema_never_reach_it(desk: Scenario) -> None:
    error = json.loads(output_of(desk, "find_order", '{"order": 7}'))["error"]
    assert (error["type"], error["field"]) == ("invalid_arguments", "order")


def test_a_tool_that_hangs_is_given_up_and_the_call_goes_on_with_the_server(tmp_path: Path) -> None:
    scenario = written(tmp_path, tool_timeout_s=0.3)
    with kept(scenario):
        assert json.loads(output_of(scenario, "hang"))["error"]["type"] == "timeout"
        (link,) = scenario.mcp.links
        assert not link.trouble
        assert not link.suspect.is_set()


def test_the_sdks_own_time_limit_leaves_it_open_too_whether_the_tool_took_effect(tmp_path: Path) -> None:
    scenario = written(tmp_path)
    with kept(scenario):
        server = scenario.mcp.links[0].server
        assert isinstance(server, MCPServerStdio)
        assert server.session is not None
        server.session._session_read_timeout_seconds = 0.3
        server.client_session_timeout_seconds = 0.3
        answer = json.loads(output_of(scenario, "hang"))
    assert answer["status"] == "unknown"
    assert answer["error"]["type"] == "timeout"
    assert "longer than 0.3 s" in answer["error"]["message"]


def test_an_answer_of_a_megabyte_is_cut_to_8_kib(desk: Scenario) -> None:
    output = output_of(desk, "flood")
    assert len(output.encode()) <= 8 * 1024
    assert json.loads(output)["truncated"] is True


def test_an_error_that_the_server_words_reaches_the_model(desk: Scenario) -> None:
    assert "fail" in output_of(desk, "fail")


def test_a_server_that_dies_in_a_call_costs_one_answer_and_comes_back(tmp_path: Path) -> None:
    scenario = written(tmp_path)
    with kept(scenario), structlog.testing.capture_logs() as lines:
        (link,) = scenario.mcp.links
        error = json.loads(output_of(scenario, "crash"))["error"]
        assert error["type"] == "tool_failed"
        until(lambda: any(line["event"] == "mcp_server.lost" for line in lines))
        until(lambda: bool(scenario.agents["front"].tools))
        assert output_of(scenario, "find_order", '{"order": "C9"}') == "C9 is on its way"
    assert [line["event"] for line in lines if line["event"].startswith("mcp_server")] == [
        "mcp_server.lost",
        "mcp_server.connected",
    ]
    assert link.trouble


def test_a_call_that_knows_a_tool_of_a_lost_server_is_told_so(tmp_path: Path) -> None:
    scenario = written(tmp_path)
    with kept(scenario):
        pass  # the agents keep the tools, and nobody keeps the server any more
    error = json.loads(output_of(scenario, "find_order", '{"order": "A7"}'))["error"]
    assert error["type"] == "refused"
    assert "cannot be reached now" in error["message"]


def test_a_server_that_does_not_start_is_told_of_and_its_agent_goes_on_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = AGENTS.replace(repr(sys.executable), "'/nowhere/server'")
    scenario = written(tmp_path, source)
    with structlog.testing.capture_logs() as lines, kept(scenario):
        assert tools(scenario) == []
        (problem,) = [line for line in check(scenario) if "brain.toml" not in line]

        @on_virtual_time()
        async def call() -> None:
            async with CallRig(scenario, lambda _: [Say("Hello.")]) as rig:
                await rig.leg.pass_ms(1000)
            assert rig.entries(journal.ItemHeard)[-1].heard_text == "Hello."

        call()
    assert problem.startswith(f"{scenario.folder / 'agents.py'}: MCP server 'orders' cannot be reached: ")
    assert lines[0]["event"] == "mcp_server.lost"
    assert lines[0]["server"] == "orders"
    assert list_scenarios(tmp_path, mcp_connect_timeout_s=PATIENCE_S) == 1
    assert "MCP server 'orders' cannot be reached" in capsys.readouterr().out


def test_a_server_that_never_answers_holds_up_the_start_for_its_timeout_only(tmp_path: Path) -> None:
    source = AGENTS.replace(repr(str(DESK)), "'-c', 'import time; time.sleep(60)'")
    scenario = written(tmp_path, source)
    before_s = time.monotonic()
    with kept(scenario, timeout_s=0.3):
        assert time.monotonic() - before_s < 5
        until(lambda: scenario.mcp.links[0].trouble == "it did not answer in 0.3 s")


def test_a_tool_whose_name_is_taken_is_not_offered_and_check_says_what_to_do(tmp_path: Path) -> None:
    source = f'''{HEAD}
@function_tool
def find_order(order: str) -> str:
    """Find it here."""
    return "own"

only_fail = create_static_tool_filter(["fail"])
twin = MCPServerStdio(
    orders.params.model_dump(), name="twin", client_session_timeout_seconds=20, tool_filter=only_fail
)
start = RealtimeAgent(name="front", instructions="x", tools=[find_order], mcp_servers=[orders, twin])
'''
    scenario = written(tmp_path, source)
    with kept(scenario):
        assert tools(scenario) == ["find_order", "fail", "crash", "hang", "flood"]
        assert output_of(scenario, "find_order", '{"order": "A7"}') == "own"
        own, twin = [line for line in check(scenario) if "is not offered" in line]
    assert (
        "the tool 'find_order' of the MCP server 'orders' is not offered: its own tool has that name" in own
    )
    assert (
        "the tool 'fail' of the MCP server 'twin' is not offered: the MCP server 'orders' has that name"
        in twin
    )
    assert 'mcp_config={"include_server_in_tool_names": True}' in own


def test_tools_may_carry_their_servers_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = 'mcp_config={"include_server_in_tool_names": True}, mcp_servers=[orders], handoffs'
    scenario = written(tmp_path, AGENTS.replace("mcp_servers=[orders], handoffs", config))
    (scenario.folder / "brain.toml").write_text("[agents.front]\n[agents.back]\n")
    with kept(scenario):
        assert tools(scenario)[0] == "mcp_orders__find_order"
        assert "mcp_orders__find_order()" in mermaid(scenario)
        assert output_of(scenario, "mcp_orders__find_order", '{"order": "A7"}') == "A7 is on its way"
    assert list_scenarios(tmp_path, mcp_connect_timeout_s=PATIENCE_S) == 0
    assert "mcp_orders__find_order()" in capsys.readouterr().out


def test_without_servers_no_thread_is_made() -> None:
    before = threading.active_count()
    with McpThread([], connect_timeout_s=1):
        assert threading.active_count() == before


def test_a_cancelled_call_is_cancelled_at_the_server_too(desk: Scenario) -> None:
    (link,) = desk.mcp.links
    seen = threading.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.set()

    async def main() -> None:
        assert link.call_here is not None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await link.call_here(work())

    asyncio.run(main())
    assert seen.wait(5)


def test_results_are_told_as_text() -> None:
    text = {"type": "text", "text": "one"}
    assert plain(text) == "one"
    assert plain([text, {"type": "image", "image_url": "data:"}]) == "one\n[an image, not shown]"
    assert plain('{"structured": 1}') == '{"structured": 1}'
    assert plain([]) == ""


def test_a_stdio_server_is_what_the_sdk_ships() -> None:
    assert MCPServerStdio({"command": "x"}, name="orders").name == "orders"
