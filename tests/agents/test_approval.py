"""What a scenario says about approval: read, or refused in words, when it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtbridge.agents.scenario import Scenario
from rtbridge.core.filler import APPROVAL_PHRASES
from rtbridge.errors import ScenarioError
from session_rig import scenario_in

HEAD = '''"""One agent."""
from agents import function_tool
from agents.realtime import RealtimeAgent
from rtbridge.agents.supervisor import Supervisor
'''
AGENT = "start = RealtimeAgent(name='a', instructions='x')\n"


def load(folder: Path, source: str) -> Scenario:
    return scenario_in(folder, HEAD + source)


def tool(needs: str) -> str:
    return f"@function_tool(needs_approval={needs})\ndef t() -> str:\n    return ''\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            tool("'yes'") + "start = RealtimeAgent(name='a', instructions='x', tools=[t])",
            r"agent 'a': needs_approval of the tool 't' is a str; make it True, False or a function",
        ),
        (
            tool("True") + "behind = Supervisor(name='behind', instructions='y', tools=(t,))\n" + AGENT,
            r"the supervisor 'behind' has a tool 't' that needs an approval, .* give that tool to a voice agent",
        ),
        (
            AGENT + "approval = 'caller'",
            r"`approval` is 'caller'; write \"operator\", or \"page\" where callers may approve",
        ),
        (
            AGENT + "approval_fillers = 'wait'",
            r"`approval_fillers` must be a list of sentences without quotation marks",
        ),
    ],
)
def test_what_nobody_could_approve_is_refused_when_the_scenario_is_loaded(
    tmp_path: Path, source: str, message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        load(tmp_path, source)


def test_who_approves_and_what_is_said_meanwhile_are_the_scenarios_to_say(tmp_path: Path) -> None:
    usual = load(tmp_path, AGENT)
    assert usual.approval is None
    assert usual.approval_fillers == APPROVAL_PHRASES
    own = load(
        tmp_path, AGENT + "approval = 'page'\napproval_fillers = ['Ask your mother.', 'Still asking.']\n"
    )
    assert (own.approval, own.approval_fillers) == ("page", ("Ask your mother.", "Still asking."))
    # Fillers in another language serve this wait too, rather than ours in English.
    german = load(tmp_path, AGENT + "fillers = ['Einen Moment.', 'Gleich.']\n")
    assert german.approval_fillers == ("Einen Moment.", "Gleich.")
