"""The composite GitHub action as data; the step that replays is run with its own script, on a program that notes."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from rtbridge.__main__ import _parser

ROOT = Path(__file__).resolve().parent.parent
ACTION = ROOT / ".github" / "actions" / "replay" / "action.yml"
README = ROOT / "README.md"


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(ACTION.read_text())
    return loaded


def step(action: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        one for one in action["runs"]["steps"] if name in (one.get("name"), one.get("uses", "").split("@")[0])
    )
    return found


def test_every_input_is_described_has_a_default_and_is_used(action: dict[str, Any]) -> None:
    used = set(re.findall(r"inputs\.([a-z-]+)", ACTION.read_text()))
    assert set(action["inputs"]) == used
    for name, told in action["inputs"].items():
        assert told["description"], name
        assert isinstance(told["default"], str), name


def test_no_input_is_ever_text_of_a_script(action: dict[str, Any]) -> None:
    scripts = [one for one in action["runs"]["steps"] if "run" in one]
    assert scripts
    for one in scripts:
        assert one["shell"] == "bash"
        assert "${{" not in one["run"]


def test_python_is_new_enough_and_the_bridge_is_the_actions_own(action: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    least = tuple(map(int, project["requires-python"].removeprefix(">=").split(".")))
    assert tuple(map(int, action["inputs"]["python-version"]["default"].split("."))) >= least
    install = step(action, "Install rtbridge")["run"]
    (path, extra) = re.findall(r'"\$GITHUB_ACTION_PATH/([./]+)\[(\w+)\]"', install)[0]
    assert (ACTION.parent / path).resolve() == ROOT
    assert extra in project["optional-dependencies"]


def test_what_was_left_is_uploaded_whatever_the_verdict(action: dict[str, Any]) -> None:
    upload = step(action, "actions/upload-artifact")
    assert upload["if"] == "${{ !cancelled() }}"
    assert upload["with"]["path"] == "${{ inputs.out }}"
    assert "~/.cache/rtbridge" in step(action, "actions/cache")["with"]["path"]


@pytest.mark.parametrize("code", [0, 1, 3])
def test_the_replay_step_hands_on_arguments_summary_and_exit_code(
    code: int, action: dict[str, Any], tmp_path: Path
) -> None:
    """As a runner does: inputs in the environment, bash with -eo pipefail, files for summary and outputs."""
    program = tmp_path / "bin" / "rtbridge"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > told\nmkdir -p "my out"\necho "## seen" > "my out/summary.md"\nexit {code}\n'
    )
    program.chmod(0o755)
    for name in ("a", "b"):
        (tmp_path / "scenarios" / name / "stories").mkdir(parents=True)
    given = {
        "stories": "scenarios/*/stories",
        "scenarios": "scenarios",
        "args": "-n 2 --repeat 3",
        "out": "my out",
    }
    replay = step(action, "Replay")
    env = {
        name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: given[found[1]], value)
        for name, value in replay["env"].items()
    }
    env |= {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    env |= {"GITHUB_STEP_SUMMARY": str(tmp_path / "page"), "GITHUB_OUTPUT": str(tmp_path / "outputs")}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", replay["run"]]
    done = subprocess.run(command, cwd=tmp_path, env=env, check=False)
    assert done.returncode == code
    told = (tmp_path / "told").read_text().splitlines()
    assert told == [
        *("replay", "scenarios/a/stories", "scenarios/b/stories", "--scenarios", "scenarios"),
        *("--out", "my out", "-n", "2", "--repeat", "3"),
    ]
    assert _parser().parse_args(told).repeat == 3  # the real program takes what it was told
    assert (tmp_path / "page").read_text() == "## seen\n"
    assert (tmp_path / "outputs").read_text() == f"exit-code={code}\n"


def test_the_workflow_that_the_readme_shows_uses_it_with_inputs_it_has(action: dict[str, Any]) -> None:
    shown = re.search(r"```yaml\n(.*?)```", README.read_text().split("### In CI")[1], re.DOTALL)
    assert shown is not None
    (job,) = yaml.safe_load(shown[1])["jobs"].values()
    (ours,) = [one for one in job["steps"] if "/.github/actions/replay@" in one.get("uses", "")]
    assert set(ours["with"]) <= set(action["inputs"])
