"""Scenarios as a coding assistant sees them: read anew each time, so that what it just wrote is what it gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rtbridge.agents.mcp_thread import McpThread
from rtbridge.agents.scenario import Scenario, check, load_scenario, mermaid, scenario_folders
from rtbridge.errors import ScenarioError, StoryError
from rtbridge.replay.caller_voice import CallerVoice
from rtbridge.replay.read_story import load_story


def within(root: Path, path: str) -> Path:
    """Return `path`, relative to `root` or absolute, as a real path below it. Raises ScenarioError for any other.

    Links are followed first: a link that leads out of the root is outside.
    """
    try:
        real = (root / path).resolve()
    except (OSError, ValueError):
        raise ScenarioError(f"{path[:200]!r} is no path; give one inside {root}") from None
    if not real.is_relative_to(root.resolve()):
        raise ScenarioError(
            f"{path[:200]!r} is outside the scenarios in {root}; name a story or a folder inside it"
        )
    if not real.exists():
        raise ScenarioError(f"{path[:200]!r} is not in {root}; list_scenarios shows what is")
    return real


def described(root: Path, *, connect_timeout_s: float) -> list[dict[str, Any]]:
    """Return every scenario: title, agents with tools and handoffs, its graph, its stories; or why it does not load."""
    loaded: list[Scenario | dict[str, Any]] = []
    for folder in scenario_folders(root):
        try:
            loaded.append(load_scenario(folder))
        except ScenarioError as error:
            loaded.append({"id": folder.name, "problems": str(error).splitlines()})
    with McpThread(
        (one.mcp for one in loaded if isinstance(one, Scenario)), connect_timeout_s=connect_timeout_s
    ):
        return [_described(one) if isinstance(one, Scenario) else one for one in loaded]


def problems(root: Path, name: str, *, connect_timeout_s: float) -> list[str]:
    """Return what is wrong with one scenario and its stories, each with file and what to do; nothing when all is well.

    Raises ScenarioError when there is no scenario of that name.
    """
    folders = {folder.name: folder for folder in scenario_folders(root)}
    folder = folders.get(name)
    if folder is None:
        raise ScenarioError(f"there is no scenario {name[:64]!r} in {root}; there are: {', '.join(folders)}")
    try:
        scenario = load_scenario(folder)
    except ScenarioError as error:
        return str(error).splitlines()
    with McpThread([scenario.mcp], connect_timeout_s=connect_timeout_s):
        found = check(scenario)
    for story in _stories(folder):
        try:
            load_story(story, {scenario.id: tuple(scenario.agents)}, CallerVoice.among([scenario], None))
        except StoryError as error:
            found += str(error).splitlines()
    return found


def _described(scenario: Scenario) -> dict[str, Any]:
    return {
        "id": scenario.id,
        "title": scenario.title,
        "folder": str(scenario.folder),
        "start": scenario.start,
        "agents": [
            {
                "name": name,
                "description": agent.handoff_description or "",
                "tools": [tool.name for tool in agent.tools],
                "handoffs": [getattr(one, "agent_name", None) or one.name for one in agent.handoffs],  # type: ignore[union-attr]
            }
            for name, agent in scenario.agents.items()
        ],
        "mcp_servers": [link.name for link in scenario.mcp.links],
        "graph": mermaid(scenario),
        "stories": [f"{scenario.id}/stories/{story.name}" for story in _stories(scenario.folder)],
    }


def _stories(folder: Path) -> list[Path]:
    return sorted((folder / "stories").glob("*.toml"))
