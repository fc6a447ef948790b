"""What `rtbridge scenarios` prints: a table, what is wrong, and each graph as Mermaid."""

from __future__ import annotations

from pathlib import Path

from rtbridge.agents.mcp_thread import McpThread
from rtbridge.agents.scenario import Scenario, check, load_scenario, mermaid, scenario_folders
from rtbridge.errors import ScenarioError


def list_scenarios(root: Path, *, mcp_connect_timeout_s: float = 5.0) -> int:
    """Print all scenarios under `root`; return 0 when nothing is wrong, 1 otherwise.

    Their MCP servers are connected for it, so that the graphs show their tools.
    """
    scenarios: list[Scenario] = []
    problems: list[str] = []
    try:
        folders = scenario_folders(root)
    except ScenarioError as error:
        print(f"! {error}")
        return 1
    for folder in folders:
        try:
            scenario = load_scenario(folder)
        except ScenarioError as error:
            problems += str(error).splitlines()
        else:
            scenarios.append(scenario)
    with McpThread((one.mcp for one in scenarios), connect_timeout_s=mcp_connect_timeout_s):
        for scenario in scenarios:
            problems += check(scenario)
        _print_table(scenarios)
        for scenario in scenarios:
            print(f"\n%% {scenario.id}\n{mermaid(scenario)}")
    if problems:
        print(f"\n{len(problems)} to repair:")
        for problem in problems:
            print(f"! {problem}")
    return 1 if problems else 0


def _print_table(scenarios: list[Scenario]) -> None:
    rows = [("id", "title", "agents (the first answers)")]
    rows += [(one.id, one.title, ", ".join(one.agents)) for one in scenarios]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for row in rows:
        print(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip())
