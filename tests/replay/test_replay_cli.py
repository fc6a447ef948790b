"""`rtbridge replay`: exit codes, what is printed, what is left."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from rtbridge.engine.parts import EngineParts, Say
from rtbridge.errors import ReplayError
from rtbridge.replay import cli
from rtbridge.replay.result import RunResult
from rtbridge.replay.run import play
from rtbridge.replay.story import Story
from rtbridge.settings import Settings
from scripted_engine import scripted
from session_rig import scenario_in

STORY = """\
name = "{name}"
scenario = "{scenario}"
[[turn]]
id = "one"
type = "good day"
expect = {{heard = "{heard}"}}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one scenario, and an engine that answers "You said …" without models."""

    def load(**_: object) -> EngineParts:
        return scripted(lambda turn: [Say("You said something.")])

    monkeypatch.setattr(cli, "load_parts", load)
    scenario_in(tmp_path)
    (tmp_path / "desks" / "stories").mkdir()
    return tmp_path


def write(home: Path, file: str, *, heard: str = "you said", scenario: str = "desks") -> Path:
    path = home / "desks" / "stories" / file
    path.write_text(STORY.format(name=path.stem, heard=heard, scenario=scenario))
    return path


def run(home: Path, *arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    args = parser.parse_args([*map(str, arguments), "--scenarios", str(home)])
    return cli.run(args, Settings())


def test_0_when_all_passed_and_a_report_is_left(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home, "a.toml")
    write(home, "b.toml")
    assert run(home, home / "desks", "--out", home / "out") == 0
    assert "2 of 2 stories passed" in capsys.readouterr().out
    left = sorted(str(file.relative_to(home / "out")) for file in (home / "out").rglob("*") if file.is_file())
    each = ["call.wav", "events.jsonl", "turns.json"]
    assert left == [*(f"a/{name}" for name in each), *(f"b/{name}" for name in each), "junit.xml"]
    assert json.loads((home / "out" / "a" / "turns.json").read_text())["passed"] is True


def test_1_when_an_expectation_failed_and_the_message_names_turn_wish_and_what_was_heard(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = write(home, "a.toml"), write(home, "b.toml", heard="ocean")
    assert run(home, good, bad) == 1
    out = capsys.readouterr().out
    assert f'{bad}:3: turn "one": expected to hear /ocean/; heard "You said something." from front at' in out
    assert "1 of 2 stories passed" in out


def test_2_when_a_story_is_invalid_and_nothing_is_played(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = write(home, "a.toml"), write(home, "b.toml", scenario="desk")
    assert run(home, good, bad, home / "none.toml") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        f'{bad}:2: no scenario "desk"; did you mean `desks`?',
        f"{home / 'none.toml'}: cannot be read: No such file or directory",
    ]


def test_2_when_a_folder_holds_no_stories(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, home) == 2
    assert "no stories in this folder: they are *.toml in a folder named stories" in capsys.readouterr().err


def test_2_when_the_scenario_itself_is_broken(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(home, "a.toml")
    (home / "desks" / "agents.py").write_text("def broken(:\n")
    assert run(home, file) == 2
    assert "agents.py" in capsys.readouterr().err


def test_3_when_a_run_could_not_be_carried_out_and_the_others_are_still_played(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(home, "a.toml")
    write(home, "b.toml")
    real, calls = play, iter([True, False])

    def breaking(story: Story, **rest: object) -> RunResult:
        if next(calls):
            raise ReplayError("the clock stood still")
        return real(story, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(cli, "play", breaking)
    assert run(home, home / "desks", "--out", home / "out") == 3
    assert "a.toml: the clock stood still" in capsys.readouterr().out
    assert 'errors="1"' in (home / "out" / "junit.xml").read_text()
    assert (home / "out" / "b" / "turns.json").exists()


def test_3_when_the_bridge_is_not_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, write(home, "a.toml"), "--wire", "http://127.0.0.1:9") == 3
    assert "http://127.0.0.1:9: the call could not be carried out" in capsys.readouterr().out


def test_3_when_the_report_cannot_be_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "out").write_text("a file")
    assert run(home, write(home, "a.toml"), "--out", home / "out") == 3
    assert "the report cannot be written" in capsys.readouterr().err


def test_ctrl_c_keeps_what_was_done_so_far(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(home, "a.toml")
    write(home, "b.toml")
    real, calls = play, iter([False, True])

    def interrupted(story: Story, **rest: object) -> RunResult:
        if next(calls):
            raise KeyboardInterrupt
        return real(story, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(cli, "play", interrupted)
    assert run(home, home / "desks", "--out", home / "out") == 130
    assert "interrupted; 1 of 2 stories were played" in capsys.readouterr().err
    assert 'tests="1"' in (home / "out" / "junit.xml").read_text()


def test_stories_of_one_name_do_not_overwrite_each_other(home: Path) -> None:
    first = write(home, "a.toml")
    other = home / "a.toml"
    other.write_text(first.read_text())
    assert run(home, first, other, "--out", home / "out") == 0
    assert (home / "out" / "a" / "turns.json").exists()
    assert (home / "out" / "a-2" / "turns.json").exists()
