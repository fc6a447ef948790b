"""`pytest scenarios/`: stories are tests, in anybody's project."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from rtbridge.agents.scenario import default_root
from rtbridge.engine.parts import EngineParts, Say
from rtbridge.replay import stage
from scripted_engine import scripted
from session_rig import scenario_in

pytest_plugins = ["pytester"]

PLUGIN = "rtbridge.replay.pytest_plugin"
STORY = """\
name = "{name}"
scenario = "desks"
[[turn]]
type = "good day"
expect = {{heard = "{heard}"}}
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """A project of somebody's, with a scenario and an empty folder of stories."""
    scenario_in(pytester.path)
    (pytester.path / "desks" / "stories").mkdir()
    return pytester.path


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in that project with nothing but this plugin, on an engine without models; count its loads."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def load(**_: object) -> EngineParts:
        print("the engine is loaded")
        return scripted(lambda turn: [Say("You said something.")])

    monkeypatch.setattr(stage, "load_parts", load)
    return lambda *args: pytester.runpytest_inprocess("-p", PLUGIN, "-s", *map(str, args))


def write(project: Path, file: str, *, heard: str = "you said") -> Path:
    path = project / "desks" / "stories" / file
    path.write_text(STORY.format(name=path.stem, heard=heard))
    return path


def test_stories_are_collected_and_pass_on_an_engine_that_is_loaded_once(project: Path, run: Run) -> None:
    write(project, "a.toml")
    write(project, "b.toml")
    (project / "desks" / "brain.toml").write_text("not a story")
    result = run("-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["desks/stories/a.toml::a *", "desks/stories/b.toml::b *"])
    assert result.stdout.str().count("the engine is loaded") == 1


def test_a_story_that_fails_shows_its_messages_with_file_and_line_and_no_traceback(
    project: Path, run: Run
) -> None:
    write(project, "good.toml")
    bad = write(project, "bad.toml", heard="ocean")
    result = run()
    result.assert_outcomes(passed=1, failed=1)
    shown = result.stdout.str()
    assert f'{bad}:3: turn "turn 1": expected to hear /ocean/; heard "You said something."' in shown
    assert "Traceback" not in shown
    assert "pytest_plugin.py" not in shown
    assert result.ret == 1


def test_an_invalid_story_is_an_error_of_collection_with_file_and_line(project: Path, run: Run) -> None:
    bad = write(project, "bad.toml")
    bad.write_text(bad.read_text().replace('"desks"', '"desk"'))
    result = run()
    result.assert_outcomes(errors=1)
    assert f'{bad}:2: no scenario "desk"; did you mean `desks`?' in result.stdout.str()
    assert "Traceback" not in result.stdout.str()
    assert result.ret == 2


def test_a_broken_scenario_is_an_error_of_collection_too(project: Path, run: Run) -> None:
    write(project, "a.toml")
    (project / "desks" / "agents.py").write_text("def broken(:\n")
    result = run()
    result.assert_outcomes(errors=1)
    assert "agents.py" in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_recordings_and_reports_are_left_where_they_are_wanted(project: Path, run: Run) -> None:
    write(project, "a.toml")
    run().assert_outcomes(passed=1)
    assert not list(project.rglob("call.wav"))
    run("--rtbridge-out", "left").assert_outcomes(passed=1)
    assert (project / "left" / "desks" / "a" / "call.wav").exists()
    assert (project / "left" / "desks" / "a" / "turns.json").exists()


def test_a_folder_that_cannot_be_written_and_a_bridge_that_is_not_there_are_told(
    project: Path, run: Run
) -> None:
    file = write(project, "a.toml")
    (project / "left").write_text("a file")
    result = run("--rtbridge-out", "left")
    result.assert_outcomes(failed=1)
    assert f"{file}: " in result.stdout.str()
    result = run("--rtbridge-wire", "http://127.0.0.1:9")
    result.assert_outcomes(failed=1)
    assert "http://127.0.0.1:9: the call could not be carried out" in result.stdout.str()
    assert "pytest_plugin.py" not in result.stdout.str()


def test_scenarios_may_lie_elsewhere(project: Path, run: Run) -> None:
    story = write(project, "a.toml")
    apart = project / "apart" / "stories"
    apart.mkdir(parents=True)
    story.rename(apart / "a.toml")
    run("apart").assert_outcomes(errors=1)  # the shipped scenarios have no desks
    run("apart", "--rtbridge-scenarios", project).assert_outcomes(passed=1)


def test_a_bug_keeps_its_traceback(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, "a.toml")

    def wrong(self: stage.Stage, job: object) -> None:
        raise AssertionError("this is a bug")

    monkeypatch.setattr(stage.Stage, "play", wrong)
    result = run()
    result.assert_outcomes(failed=1)
    assert "this is a bug" in result.stdout.str()
    assert "pytest_plugin.py" in result.stdout.str()


def test_a_project_without_stories_pays_nothing(pytester: pytest.Pytester) -> None:
    """The module is loaded everywhere; what it needs is not."""
    code = f"""if True:
        import sys, pytest
        before = set(sys.modules)
        import {PLUGIN}
        new = {{name for name in set(sys.modules) - before if not name.startswith("rtbridge")}}
        ours = {{name for name in sys.modules if name.startswith("rtbridge")}}
        assert ours == {{"rtbridge", "rtbridge.replay", "{PLUGIN}"}}, ours
        assert not new, new
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_declares_the_plugin() -> None:
    project = tomllib.loads((default_root().parent / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"rtbridge": PLUGIN}
