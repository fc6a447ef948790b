"""Scenarios: found, loaded, checked and drawn.

A scenario is a folder with an `agents.py`: plain openai-agents objects, a docstring whose first line is the title
in menus, `start` for the agent that answers the call, and optionally `company`, `voice`, `settings` and `guardrails`.
Beside it lie `brain.toml` (lines for the embedded engine) and `stories/`. A scenario that cannot be served is not
loaded: the ScenarioError says in which file and line, what is wrong, and what to do.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tomllib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from agents.realtime import RealtimeAgent, RealtimeSessionModelSettings

from agents import InputGuardrail, OutputGuardrail
from rtbridge.agents import agent_settings
from rtbridge.agents.agent_settings import VOICES, AgentSettings, session_of
from rtbridge.agents.context import CallContext
from rtbridge.agents.graph import build, unreachable
from rtbridge.agents.mcp_tools import McpTools
from rtbridge.agents.moderation import Guardrail, default_guardrails
from rtbridge.agents.supervisor import Supervisor
from rtbridge.agents.tools import DEFAULT_TIMEOUT_S
from rtbridge.core.approval import APPROVERS
from rtbridge.core.filler import APPROVAL_PHRASES, PHRASES
from rtbridge.errors import ScenarioError

DEFAULT_VOICE: Final = "sage"
TRANSCRIPTION_MODEL: Final = "gpt-4o-mini-transcribe"
ENTRY: Final = "agents.py"
LINES: Final = "brain.toml"


@dataclass(frozen=True)
class Scenario:
    """One agent graph, ready to serve."""

    id: str  # the folder's name
    title: str
    folder: Path
    start: str
    agents: Mapping[str, RealtimeAgent[Any]]  # every one may be where a call starts; `start` comes first
    company: str | None
    handoffs: Mapping[str, str]  # tool name -> agent name
    voice: str = DEFAULT_VOICE
    guardrails: tuple[Guardrail, ...] = ()  # run by the bridge on what agents and callers say
    fillers: tuple[str, ...] = PHRASES  # said while a tool takes its time
    approval_fillers: tuple[str, ...] = APPROVAL_PHRASES  # ... and while it waits for a person
    approval: str | None = (
        None  # who approves tool calls: operator, or page: the caller too; None: the settings
    )
    text_agents: tuple[str, ...] = ()  # who thinks behind the voices, and has lines of its own for the engine
    mcp: McpTools = field(
        default_factory=McpTools
    )  # servers whose tools agents have while McpThread keeps them
    settings: Mapping[str, AgentSettings] = field(default_factory=dict)  # of agents that differ
    notes: tuple[str, ...] = field(default=())  # problems that do not stop it from being served

    def session_settings(self, model: str = "") -> RealtimeSessionModelSettings:
        """Return what all agents of a call share: voice, transcription of the caller, turn detection."""
        settings: RealtimeSessionModelSettings = {
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "transcription": {"model": TRANSCRIPTION_MODEL},
                    "turn_detection": {
                        "type": "server_vad",
                        "threshold": 0.5,
                        "prefix_padding_ms": 300,
                        "silence_duration_ms": 500,
                    },
                },
                "output": {"voice": self.voice},
            },
        }
        if model:
            settings["model_name"] = model
        return settings

    def sessions(self, model: str = "") -> dict[str, RealtimeSessionModelSettings]:
        """Return the whole session settings of each agent, by name: the shared ones with its own on them."""
        shared = self.session_settings(model)
        own = self.settings
        return {name: session_of(shared, own.get(name, AgentSettings()), own) for name in self.agents}

    def new_context(
        self,
        *,
        call_id: str = "",
        agent: str | None = None,
        **of_call: Any,
    ) -> CallContext:
        """Return a fresh context for one call that starts at `agent` (the scenario's start when None).

        `of_call` are the fields of CallContext that the call itself gives: transcript, text_model, note.
        """
        return CallContext(scenario_id=self.id, agent=agent or self.start, call_id=call_id, **of_call)


def default_root() -> Path:
    """Return the folder of the shipped scenarios: of the repository's checkout, or inside the wheel."""
    package = Path(__file__).resolve().parent.parent
    shipped = package / "shipped" / "scenarios"
    return shipped if shipped.is_dir() else package.parent / "scenarios"


def scenario_folders(root: Path) -> list[Path]:
    """Return the folders under `root` that hold a scenario, by name. Raises ScenarioError when there are none."""
    if not root.is_dir():
        raise ScenarioError(
            f"{root}: there is no such folder; name the folder that holds your scenario folders"
        )
    folders = sorted(path.parent for path in root.glob(f"*/{ENTRY}"))
    if not folders:
        raise ScenarioError(
            f"{root}: no folder in it has an {ENTRY}; put each scenario in a folder of its own"
        )
    return folders


def load_scenarios(root: Path, *, tool_timeout_s: float = DEFAULT_TIMEOUT_S) -> dict[str, Scenario]:
    """Load all scenarios under `root`, by id. Raises one ScenarioError that names every broken one."""
    loaded, broken = {}, []
    for folder in scenario_folders(root):
        try:
            loaded[folder.name] = load_scenario(folder, tool_timeout_s=tool_timeout_s)
        except ScenarioError as error:
            broken.append(str(error))
    if broken:
        raise ScenarioError("\n".join(broken))
    return loaded


def load_scenario(folder: Path, *, tool_timeout_s: float = DEFAULT_TIMEOUT_S) -> Scenario:
    """Load the scenario of `folder`. Raises ScenarioError with all that keeps it from being served.

    Imports its `agents.py` anew each time, as a package of its own, so that it may say `from .data import ORDERS`.
    """
    entry = folder.resolve() / ENTRY
    if not entry.is_file():
        raise ScenarioError(
            f"{folder / ENTRY}: there is no such file; a scenario is a folder with an {ENTRY}"
        )
    module = _import(entry)
    start = getattr(module, "start", None)
    if not isinstance(start, RealtimeAgent):
        found = "is not there" if start is None else f"is a {type(start).__name__}"
        raise ScenarioError(
            f"{entry}: `start` {found}; end the file with `start = <the RealtimeAgent that answers>`"
        )
    graph = build(start, vars(module), tool_timeout_s=tool_timeout_s)
    problems = list(graph.problems)
    title = next(iter((module.__doc__ or "").strip().splitlines()), "")
    if not title:
        problems.append("it has no docstring; its first line is the scenario's title in menus")
    company, voice = (_optional_text(module, name, problems) for name in ("company", "voice"))
    guardrails = _guardrails(module, company, problems)
    if voice is not None and voice not in VOICES:
        problems.append(f"there is no voice {voice!r}; there are: {', '.join(VOICES)}")
    settings = getattr(module, "settings", {})
    problems += agent_settings.problems(settings, graph.agents)
    fillers = _fillers(module, "fillers", PHRASES, problems)
    # Words of the scenario's own may be in another language: then they serve this wait too.
    patient = _fillers(
        module, "approval_fillers", APPROVAL_PHRASES if fillers is PHRASES else fillers, problems
    )
    approval = _approval(module, problems)
    supervisors = [one for one in vars(module).values() if isinstance(one, Supervisor)]
    problems += [
        f"the supervisor {one.name!r} has a tool {tool.name!r} that needs an approval, and a run cannot wait for a "
        "person; give that tool to a voice agent"
        for one in supervisors
        for tool in one.tools
        if tool.needs_approval is not False
    ]
    if problems:
        raise ScenarioError("\n".join(f"{entry}: {problem}" for problem in problems))
    return Scenario(
        id=folder.name,
        title=title.rstrip("."),
        folder=folder.resolve(),
        start=start.name,
        agents=graph.agents,
        company=company,
        handoffs=graph.handoffs,
        voice=voice or DEFAULT_VOICE,
        guardrails=guardrails,
        fillers=fillers,
        mcp=graph.mcp,
        settings=dict(settings),
        approval_fillers=patient,
        approval=approval,
        text_agents=tuple(one.name for one in supervisors),
        notes=tuple(
            f"{entry}: no handoff leads to the agent {name!r}, so no call can start at it or reach it"
            for name in unreachable(start, vars(module))
        ),
    )


def check(scenario: Scenario) -> list[str]:
    """Return what is wrong with a scenario that can be served nevertheless; each names file and what to do.

    Within McpThread that includes MCP servers that cannot be reached and tools of theirs that are not offered.
    """
    entry = scenario.folder / ENTRY
    return [
        *scenario.notes,
        *(f"{entry}: {one}" for one in scenario.mcp.problems()),
        *_missing_lines(scenario),
    ]


def mermaid(scenario: Scenario) -> str:
    """Return the graph as a Mermaid flowchart: agents, their tools, and handoffs as arrows."""
    lines = ["flowchart LR", f"    caller(({_quoted('caller')})) --> {_node(scenario.start)}"]
    for name, agent in scenario.agents.items():
        tools = "".join(f"<br/>{tool.name}()" for tool in agent.tools)
        lines.append(f"    {_node(name)}[{_quoted(name + tools)}]")
    for name, agent in scenario.agents.items():
        lines += [f"    {_node(name)} --> {_node(entry_name)}" for entry_name in _targets(agent)]
    return "\n".join(lines)


def _targets(agent: RealtimeAgent[Any]) -> list[str]:
    return [getattr(entry, "agent_name", None) or entry.name for entry in agent.handoffs]  # type: ignore[union-attr]


def _node(name: str) -> str:
    return "a_" + name.replace("-", "_")  # `end` and other words of Mermaid are no node names


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "#quot;") + '"'


def _missing_lines(scenario: Scenario) -> list[str]:
    lines = scenario.folder / LINES
    if not lines.is_file():
        return [f"{lines}: there is no such file; without it the embedded engine has nothing to say here"]
    try:
        known = tomllib.loads(lines.read_text(encoding="utf-8")).get("agents")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return [f"{lines}: {error}; repair the TOML"]
    named = known if isinstance(known, dict) else {}
    missing = [
        f"{lines}: the agent {name!r} has no lines; add [agents.{name}]"
        for name in scenario.agents
        if name not in named
    ]
    strangers = [
        f"{lines}: [agents.{name}] belongs to no agent of agents.py; rename it or take it out"
        for name in named
        if name not in scenario.agents and name not in scenario.text_agents
    ]
    return missing + strangers


def _fillers(module: ModuleType, name: str, usual: tuple[str, ...], problems: list[str]) -> tuple[str, ...]:
    given = getattr(module, name, usual)
    if given is usual:
        return usual
    if isinstance(given, (list, tuple)) and all(
        isinstance(one, str) and one and '"' not in one for one in given
    ):
        return tuple(given)
    problems.append(
        f"`{name}` must be a list of sentences without quotation marks; leave it out for the usual ones"
    )
    return usual


def _approval(module: ModuleType, problems: list[str]) -> str | None:
    value = getattr(module, "approval", None)
    if value is None or value in APPROVERS:
        return value
    problems.append(
        f'`approval` is {value!r}; write "operator", or "page" where callers may approve what they asked for'
    )
    return None


def _optional_text(module: ModuleType, name: str, problems: list[str]) -> str | None:
    value = getattr(module, name, None)
    if value is not None and not isinstance(value, str):
        problems.append(f"`{name}` is a {type(value).__name__}; make it a string or leave it out")
        return None
    return value


def _guardrails(module: ModuleType, company: str | None, problems: list[str]) -> tuple[Guardrail, ...]:
    """Return what the module's `guardrails` names; moderation in the company's name when it names nothing."""
    given = getattr(module, "guardrails", None)
    if given is None:
        return default_guardrails(company)
    named = tuple(given) if isinstance(given, list | tuple) else (given,)
    for one in named:
        if not isinstance(one, OutputGuardrail | InputGuardrail):
            problems.append(
                f"`guardrails` holds a {type(one).__name__}; put OutputGuardrail and InputGuardrail objects into it, "
                "like rtbridge.agents.moderation.moderation_guardrail(company)"
            )
    return named


def _import(entry: Path) -> ModuleType:
    name = f"rtbridge_scenario_{hashlib.sha256(str(entry).encode()).hexdigest()[:16]}"
    _forget(name)
    spec = importlib.util.spec_from_file_location(name, entry, submodule_search_locations=[str(entry.parent)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look a class's module up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        _forget(name)
        raise _import_error(entry, error) from error
    return module


def _forget(name: str) -> None:
    for known in [known for known in sys.modules if known == name or known.startswith(name + ".")]:
        del sys.modules[known]


def _import_error(entry: Path, error: BaseException) -> ScenarioError:
    if isinstance(error, SyntaxError):
        return ScenarioError(f"{error.filename or entry}:{error.lineno}: {error.msg}; repair the Python")
    here = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(entry.parent)
    ]
    where = f"{here[-1].filename}:{here[-1].lineno}" if here else str(entry)
    return ScenarioError(
        f"{where}: {type(error).__name__}: {error}; the file must import by itself: repair this line"
    )
