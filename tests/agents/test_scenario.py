"""Scenario folders: loaded, refused in words, checked, drawn, listed."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agents.realtime import RealtimeAgent
from agents.run_context import RunContextWrapper

from agents import Handoff
from rtbridge.agents.context import CallContext
from rtbridge.agents.listing import list_scenarios
from rtbridge.agents.scenario import (
    check,
    load_scenario,
    load_scenarios,
    mermaid,
    scenario_folders,
)
from rtbridge.core.asks import ConfigureSession, ToolOutput
from rtbridge.errors import ScenarioError
from sdk_rig import function_call, sdk

HEAD = '''\
"""Two of them. And more."""
from agents import WebSearchTool, function_tool
from agents.realtime import RealtimeAgent, realtime_handoff
'''
TWO = """
@function_tool
def lookUp(topic: str) -> str:
    return topic
second = RealtimeAgent(name="secondAgent", handoff_description="Knows more.", instructions="B", tools=[lookUp])
first = RealtimeAgent(name="first", instructions="A", handoffs=[second])
second.handoffs.append(first)
start = first
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an agents.py (after HEAD) and other files into a scenario folder."""

    def write(source: str, *, name: str = "demo", head: str = HEAD, **files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "agents.py").write_text(head + textwrap.dedent(source))
        for file, text in files.items():
            (folder / file.replace("_toml", ".toml").replace("_py", ".py")).write_text(text)
        return folder

    return write


def refusal(folder: Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(folder)
    return str(caught.value)


def names(agent: RealtimeAgent[Any]) -> list[str]:
    return [handoff.tool_name for handoff in agent.handoffs if isinstance(handoff, Handoff)]


def test_a_scenario_is_loaded_with_all_that_its_start_reaches(write: Write) -> None:
    scenario = load_scenario(write(TWO))
    assert (scenario.id, scenario.title, scenario.start) == ("demo", "Two of them. And more", "first")
    assert list(scenario.agents) == ["first", "secondAgent"]
    assert scenario.company is None
    assert scenario.agents["secondAgent"].handoff_description == "Knows more."


def test_handoff_tools_keep_the_exact_case_of_the_agents(write: Write) -> None:
    scenario = load_scenario(write(TWO))
    assert scenario.handoffs == {"transfer_to_secondAgent": "secondAgent", "transfer_to_first": "first"}
    assert names(scenario.agents["first"]) == ["transfer_to_secondAgent"]
    assert names(scenario.agents["secondAgent"]) == ["transfer_to_first"]


def test_a_handoff_written_out_keeps_its_own_name_and_gets_exact_case_otherwise(write: Write) -> None:
    scenario = load_scenario(
        write(
            """
            second = RealtimeAgent(name="secondAgent", instructions="B")
            third = RealtimeAgent(name="thirdAgent", instructions="C")
            start = RealtimeAgent(name="first", instructions="A", handoffs=[
                realtime_handoff(second), realtime_handoff(third, tool_name_override="escalate")])
            """
        )
    )
    assert names(scenario.agents["first"]) == ["transfer_to_secondAgent", "escalate"]
    assert scenario.handoffs == {"transfer_to_secondAgent": "secondAgent", "escalate": "thirdAgent"}


def test_the_authors_objects_are_left_as_they_were(write: Write) -> None:
    folder = write(TWO)
    scenario = load_scenario(folder)
    [module] = [
        one for one in sys.modules.values() if getattr(one, "__file__", None) == str(folder / "agents.py")
    ]
    assert module.first.handoffs == [module.second]
    assert scenario.agents["first"] is not module.first


@pytest.mark.parametrize("start", ["first", "secondAgent"])
async def test_a_call_may_start_at_every_agent_and_tools_and_handoffs_work(write: Write, start: str) -> None:
    scenario = load_scenario(write(TWO))
    context = scenario.new_context(call_id="rtc_1", agent=start)
    settings = scenario.session_settings()
    async with sdk(scenario.agents[start], context=context, settings=settings) as (rig, _session):
        if start == "first":
            await rig.deliver(function_call("transfer_to_secondAgent", call_id="call_0"))
            asked = await rig.asked()
            assert isinstance(asked, ConfigureSession)
            assert asked.session["audio"]["output"]["voice"] == "sage"
            assert [tool["name"] for tool in asked.session["tools"]] == ["lookUp", "transfer_to_first"]
            assert await rig.asked() == ToolOutput("call_0", '{"assistant": "secondAgent"}')
        assert context.agent == "secondAgent"
        await rig.deliver(function_call("lookUp", '{"topic": "sea"}'))
        assert await rig.output() == "sea"
        await rig.deliver(function_call("lookUp", "{}", call_id="call_2"))
        assert (await rig.output())["error"]["field"] == "topic"
        await rig.deliver(function_call("transfer_to_first", call_id="call_3"))
        assert isinstance(await rig.asked(), ConfigureSession)
        assert await rig.output() == {"assistant": "first"}
        assert context.agent == "first"


async def test_a_handoffs_own_function_runs_with_the_calls_context(write: Write) -> None:
    scenario = load_scenario(
        write(
            """
            def note(ctx):
                ctx.context.state["handed"] = ctx.context.agent
            second = RealtimeAgent(name="second", instructions="B")
            start = RealtimeAgent(name="first", instructions="A",
                                  handoffs=[realtime_handoff(second, on_handoff=note)])
            """
        )
    )
    context = scenario.new_context()
    [handoff] = scenario.agents["first"].handoffs
    assert isinstance(handoff, Handoff)
    assert await handoff.on_invoke_handoff(RunContextWrapper(context), "") is scenario.agents["second"]
    assert (context.state, context.agent) == ({"handed": "first"}, "second")
    assert await handoff.on_invoke_handoff(RunContextWrapper(_Box()), "") is scenario.agents["second"]


class _Box:
    """A context that is not ours."""

    agent = "first"
    state: dict[str, str] = {}  # noqa: RUF012 - a stand-in, shared on purpose

    @property
    def context(self) -> _Box:
        return self


def test_a_context_belongs_to_one_call(write: Write) -> None:
    scenario = load_scenario(write(TWO))
    one, other = (
        scenario.new_context(call_id="rtc_1", transcript=lambda: [("user", "hi")]),
        scenario.new_context(),
    )
    one.state["verified"] = True
    assert other == CallContext(
        scenario_id="demo", agent="first", transcript=other.transcript, effects=other.effects
    )
    assert list(one.transcript()) == [("user", "hi")]
    assert list(other.transcript()) == []


def test_company_and_voice_may_be_said(write: Write) -> None:
    scenario = load_scenario(write(TWO + 'company = "NewTelco"\nvoice = "ash"\n'))
    assert scenario.company == "NewTelco"
    settings: Any = scenario.session_settings(model="gpt-realtime")
    assert settings["audio"]["output"] == {"voice": "ash"}
    assert settings["model_name"] == "gpt-realtime"


def test_files_beside_it_can_be_imported_and_are_read_anew(write: Write) -> None:
    source = TWO + "\nfrom .data import TITLE\ncompany = TITLE\n"
    folder = write(source, data_py="TITLE = 'one'\n")
    assert load_scenario(folder).company == "one"
    write(source, data_py="TITLE = 'three'\n")
    assert load_scenario(folder).company == "three"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("start = (", r"agents\.py:4: .*was never closed; repair the Python"),
        (
            "import json\nx = json.loads('{')\n",
            r"agents\.py:5: JSONDecodeError: .*; the file must import by itself",
        ),
        ("raise SystemExit(3)\n", r"agents\.py:4: SystemExit: 3; the file must import"),
        ("", r"agents\.py: `start` is not there; end the file with `start = "),
        ("start = 'first'", r"agents\.py: `start` is a str; end the file with"),
        (
            "start = RealtimeAgent(name='a b', instructions='x')",
            r"agent 'a b': a name is a letter .*; rename it",
        ),
        ("start = RealtimeAgent(name='a')", r"agent 'a' has no instructions; say who it is"),
        (
            "start = RealtimeAgent(name='a', instructions='x', tools=[WebSearchTool()])",
            r"agent 'a': WebSearchTool does not work in realtime agents; wrap it in a function_tool",
        ),
        (
            "start = RealtimeAgent(name='a', instructions='x', handoffs=['b'])",
            r"agent 'a': its handoffs hold a str; put a RealtimeAgent",
        ),
        (
            "start = RealtimeAgent(name='a', instructions='x',\n"
            "    handoffs=[realtime_handoff(RealtimeAgent(name='lost', instructions='y'))])",
            r"the handoff 'transfer_to_lost' leads to 'lost', and no variable of agents.py holds that agent; give it",
        ),
        (
            "b = RealtimeAgent(name='a', instructions='y')\n"
            "start = RealtimeAgent(name='a', instructions='x', handoffs=[b])",
            r"two agents are called 'a'; give each its own name",
        ),
        (
            "b = RealtimeAgent(name='b', instructions='y')\n"
            "start = RealtimeAgent(name='a', instructions='x', handoffs=[b, realtime_handoff(b)])",
            r"agent 'a' has 2 tools called 'transfer_to_b'; rename all but one",
        ),
        (
            "@function_tool(name_override='bad name')\ndef t() -> str:\n    return ''\n"
            "start = RealtimeAgent(name='a', instructions='x', tools=[t])",
            r"agent 'a': the tool 'bad name' needs a name of 1 to 64",
        ),
        (
            "b = RealtimeAgent(name='b', instructions='y')\nc = RealtimeAgent(name='c', instructions='y')\n"
            "b.handoffs.append(realtime_handoff(c, tool_name_override='go'))\n"
            "start = RealtimeAgent(name='a', instructions='x',\n"
            "    handoffs=[realtime_handoff(b, tool_name_override='go')])",
            r"agent 'b': the handoff 'go' leads to 'c' here and to 'b' elsewhere; give each its own",
        ),
        (
            "start = RealtimeAgent(name='a', instructions='x', mcp_servers=[object()])",
            r"agent 'a': its mcp_servers hold a object; put an MCPServerStdio\(...\) or the like there",
        ),
        (
            "from agents.mcp import MCPServerStdio\n"
            "server = MCPServerStdio({'command': 'x'}, name='s', tool_filter=lambda context, tool: True)\n"
            "start = RealtimeAgent(name='a', instructions='x', mcp_servers=[server])",
            r"agent 'a': the tool_filter of the MCP server 's' is a function, .* use create_static_tool_filter",
        ),
        (
            "start = RealtimeAgent(name='a', instructions='x', output_guardrails=[object()])",
            r"agent 'a': the bridge runs no output_guardrails of agents; put them into the module.s `guardrails`",
        ),
        (
            "start = RealtimeAgent(name='a', instructions='x')\nguardrails = [len]",
            r"`guardrails` holds a builtin_function_or_method; put OutputGuardrail and InputGuardrail objects",
        ),
        (
            "start = RealtimeAgent(name='a', instructions='x')\ncompany = 7",
            r"`company` is a int; make it a string or leave it out",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_with_file_line_and_what_to_do(
    write: Write, source: str, message: str
) -> None:
    folder = write(source)
    text = refusal(folder)
    assert text.startswith(str(folder / "agents.py"))
    assert re.search(message, text), text


def test_two_tools_of_one_name_are_refused(write: Write) -> None:
    source = """
        @function_tool(name_override="same")
        def one() -> str:
            return ""
        @function_tool(name_override="same")
        def other() -> str:
            return ""
        start = RealtimeAgent(name="a", instructions="x")
        start.tools.extend([one, other])
    """
    assert "agent 'a' has 2 tools called 'same'" in refusal(write(source))


def test_all_problems_are_told_at_once(write: Write) -> None:
    source = "start = RealtimeAgent(name='a b', handoffs=['c'])"
    text = refusal(write(source, head=HEAD.replace('"""Two of them. And more."""', "")))
    assert len(text.splitlines()) == 4
    assert "it has no docstring; its first line is the scenario's title in menus" in text


def test_a_broken_file_leaves_no_module_behind(write: Write) -> None:
    before = set(sys.modules)
    refusal(write("from .data import X\nraise RuntimeError\n", data_py="X = 1\n"))
    assert not {name for name in set(sys.modules) - before if name.startswith("rtbridge_scenario_")}


def test_a_folder_without_agents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ScenarioError, match=r"there is no such file; a scenario is a folder with an agents\.py"
    ):
        load_scenario(tmp_path)
    with pytest.raises(ScenarioError, match=r"no folder in it has an agents\.py"):
        scenario_folders(tmp_path)
    with pytest.raises(ScenarioError, match=r"there is no such folder"):
        scenario_folders(tmp_path / "gone")


def test_every_broken_scenario_is_named(write: Write, tmp_path: Path) -> None:
    write(TWO, name="good")
    write("start = 1", name="bad")
    write("1 +", name="worse")
    with pytest.raises(ScenarioError) as caught:
        load_scenarios(tmp_path)
    assert [Path(line.split(":")[0]).parent.name for line in str(caught.value).splitlines()] == [
        "bad",
        "worse",
    ]
    for name in ("bad", "worse"):
        write(TWO, name=name)
    assert list(load_scenarios(tmp_path)) == ["bad", "good", "worse"]


def test_lines_for_the_engine_are_checked(write: Write) -> None:
    assert "brain.toml: there is no such file" in check(load_scenario(write(TWO)))[0]
    assert "repair the TOML" in check(load_scenario(write(TWO, brain_toml="= 1")))[0]
    lines = "format = 1\n[agents.first]\n[agents.second]\n"
    missing, stranger = check(load_scenario(write(TWO, brain_toml=lines)))
    assert "the agent 'secondAgent' has no lines; add [agents.secondAgent]" in missing
    assert "[agents.second] belongs to no agent" in stranger
    whole = "format = 1\n[agents.first]\n[agents.secondAgent]\n"
    assert check(load_scenario(write(TWO, brain_toml=whole))) == []


def test_an_agent_that_nothing_leads_to_is_noticed(write: Write) -> None:
    lines = "[agents.first]\n[agents.secondAgent]\n"
    scenario = load_scenario(write(TWO + "lost = RealtimeAgent(name='lost')\n", brain_toml=lines))
    [problem] = check(scenario)
    assert "no handoff leads to the agent 'lost'" in problem


def test_the_graph_is_drawn(write: Write) -> None:
    scenario = load_scenario(write(TWO))
    assert mermaid(scenario).splitlines() == [
        "flowchart LR",
        '    caller(("caller")) --> a_first',
        '    a_first["first"]',
        '    a_secondAgent["secondAgent<br/>lookUp()"]',
        "    a_first --> a_secondAgent",
        "    a_secondAgent --> a_first",
    ]


def test_the_list_shows_table_graphs_and_problems(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(TWO, brain_toml="[agents.first]\n[agents.secondAgent]\n")
    assert list_scenarios(tmp_path) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("id    title ")
    assert "demo  Two of them. And more  first, secondAgent" in shown
    assert "%% demo\nflowchart LR" in shown
    write("start = 1", name="bad")
    assert list_scenarios(tmp_path) == 1
    shown = capsys.readouterr().out
    assert "\n1 to repair:\n! " in shown
    assert "demo  Two of them" in shown
    assert list_scenarios(tmp_path / "gone") == 1
    assert capsys.readouterr().out.startswith("! ")
