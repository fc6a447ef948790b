"""`rtbridge replay`: exit codes, what is printed, what is left."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest

from replay_rig import home_of_desks
from rtbridge.agents.scenario import default_root
from rtbridge.engine.parts import Say
from rtbridge.errors import ReplayError, RtbridgeError
from rtbridge.replay import cli, golden, stage
from rtbridge.replay.arguments import add_arguments
from rtbridge.replay.crew import perform
from rtbridge.replay.outcome import Complaint, Job
from rtbridge.replay.progress import Progress
from rtbridge.replay.result import RunResult
from rtbridge.replay.run import play
from rtbridge.replay.story import Story
from rtbridge.replay.suite import Bar
from rtbridge.settings import Settings
from scripted_engine import scripted

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

    return home_of_desks(tmp_path, monkeypatch)


def write(home: Path, file: str, *, heard: str = "you said", scenario: str = "desks") -> Path:
    path = home / "desks" / "stories" / file
    path.write_text(STORY.format(name=path.stem, heard=heard, scenario=scenario))
    return path


def run(home: Path, *arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args([*map(str, arguments), "--scenarios", str(home)])
    return cli.run(args, Settings())


def test_0_when_all_passed_and_a_report_is_left(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home, "a.toml")
    write(home, "b.toml")
    assert run(home, home / "desks", "--out", home / "out") == 0
    assert "2 of 2 stories passed; " in capsys.readouterr().out
    left = sorted(str(file.relative_to(home / "out")) for file in (home / "out").rglob("*") if file.is_file())
    each = ["call.wav", "cassette.jsonl", "events.jsonl", "labels.txt", "report.html", "turns.json"]
    assert left == [
        *(f"a/{name}" for name in each),
        *(f"b/{name}" for name in each),
        "index.html",
        "junit.xml",
        "summary.md",
    ]
    assert json.loads((home / "out" / "a" / "turns.json").read_text())["passed"] is True


def test_1_when_an_expectation_failed_and_the_message_names_turn_wish_and_what_was_heard(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = write(home, "a.toml"), write(home, "b.toml", heard="ocean")
    assert run(home, good, bad) == 1
    out = capsys.readouterr().out
    assert f'{bad}:3: turn "one": expected to hear /ocean/; heard "You said something." from front at' in out
    assert "1 of 2 stories passed; " in out


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

    monkeypatch.setattr(stage, "play", breaking)
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

    monkeypatch.setattr(stage, "play", interrupted)
    assert run(home, home / "desks", "--out", home / "out") == 130
    assert "interrupted; 1 of 2 runs were played" in capsys.readouterr().err
    assert 'tests="1"' in (home / "out" / "junit.xml").read_text()


def test_stories_of_one_name_do_not_overwrite_each_other(home: Path) -> None:
    first = write(home, "a.toml")
    other = home / "a.toml"
    other.write_text(first.read_text())
    assert run(home, first, other, "--out", home / "out") == 0
    assert (home / "out" / "a" / "turns.json").exists()
    assert (home / "out" / "a-2" / "turns.json").exists()


# -- many runs ------------------------------------------------------------------------------------------------
def test_a_repeated_story_passes_when_all_its_runs_pass_and_are_the_same(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(home, write(home, "a.toml"), "--out", home / "out", "--repeat", "3", "--jobs-summary") == 0
    out = capsys.readouterr().out
    assert out.count("ok    a ") == 3
    assert "3/3" in out.splitlines()[-2]
    assert not list((home / "out" / "a").glob("run-*"))  # what passed again is the same again


def flaky(monkeypatch: pytest.MonkeyPatch, heard: list[str]) -> None:
    """Let the agent of each run say the next of these."""
    real = play

    def differing(story: Story, **rest: object) -> RunResult:
        words = heard.pop(0)
        rest["parts"] = scripted(lambda turn: [Say(words)])
        return real(story, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(stage, "play", differing)


def test_runs_that_differ_are_a_failure_that_names_run_and_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flaky(monkeypatch, ["you said it", "you said it", "you said that"])
    assert run(home, write(home, "a.toml"), "--out", home / "out", "--repeat", "3") == 1
    assert "only 2 of 3 runs left the same bytes: run 3 differs from run 1 in" in capsys.readouterr().out


def test_min_pass_lets_some_runs_fail_but_not_more(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["you said it", "nothing", "you said it", "you said it"]
    file = write(home, "a.toml")
    monkeypatch.setattr(Bar, "_difference", lambda self, story: Complaint("same_bytes", "", ""))
    for share, code in (("0.75", 0), ("0.8", 1)):
        flaky(monkeypatch, words.copy())
        monkeypatch.setattr(cli, "Bar", lambda least, _same, base: Bar(least, False, base))
        assert run(home, file, "--out", home / share, "--repeat", "4", "--min-pass", share) == code
        assert (home / share / "a" / "run-02" / "call.wav").exists()  # what failed can be listened to
    junit = (home / "0.8" / "junit.xml").read_text()
    assert "run 2: turn &quot;one&quot;: expected to hear /you said/" in junit
    capsys.readouterr()


def test_a_worse_latency_than_the_baselines_is_a_failure_with_both_figures(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(home, "a.toml")
    assert run(home, file, "--out", home / "main") == 0
    assert run(home, file, "--out", home / "out", "--baseline", home / "main") == 0
    told = home / "main" / "a" / "turns.json"
    before = json.loads(told.read_text())
    now_ms = before["metrics"]["respond_p95_ms"]
    before["metrics"]["respond_p95_ms"] = now_ms - 21
    told.write_text(json.dumps(before))
    assert run(home, file, "--out", home / "out", "--baseline", told) == 1
    words = f"respond_p95_ms is {now_ms:g} ms; the baseline has {now_ms - 21:g} ms"
    assert words in capsys.readouterr().out
    assert words in (home / "out" / "summary.md").read_text().replace("\\_", "_")


def test_a_baseline_that_is_none_is_refused_before_anything_is_played(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(home, "a.toml")
    (home / "empty").mkdir()
    (home / "turns.json").write_text("[]")
    for path, words in (
        (home / "empty", "no turns.json in this folder"),
        (home / "turns.json", "not the turns.json"),
    ):
        assert run(home, file, "--baseline", path) == 2
        told = capsys.readouterr()
        assert words in told.err
        assert told.out == ""


def test_a_golden_journal_is_written_on_demand_and_then_held_to(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(home, "a.toml")
    kept = golden.golden_file(file)
    assert run(home, file, "--out", home / "out") == 0
    assert not kept.exists()
    assert run(home, file, "--out", home / "out", "--update") == 0
    assert kept.read_bytes() == (home / "out" / "a" / "events.jsonl").read_bytes()
    assert run(home, file, "--out", home / "out") == 0
    capsys.readouterr()
    flaky(monkeypatch, ["you said that"])
    assert run(home, file, "--out", home / "out") == 1
    out = capsys.readouterr().out
    assert "a.golden.jsonl:" in out
    assert "the journal has changed: " in out
    assert "you said that" in out
    assert "run again with --update" in out


def test_a_run_that_fails_is_never_made_golden(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(home, "a.toml", heard="ocean")
    assert run(home, file, "--out", home / "out", "--update") == 1
    assert "not updated, since expectations failed" in capsys.readouterr().out
    assert not golden.golden_file(file).exists()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("-n", "0", "-n 0: between 1 and 64"),
        ("--repeat", "0", "--repeat 0: a story is played 1 to 1000 times"),
        ("--min-pass", "1.5", "--min-pass 1.5: a share of the runs, between 0 and 1"),
    ],
)
def test_an_option_that_cannot_be_is_refused_in_words(
    home: Path, option: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(home, write(home, "a.toml"), option, value) == 2
    assert words in capsys.readouterr().err


def test_golden_journals_are_not_made_over_the_wire(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, write(home, "a.toml"), "--wire", "http://127.0.0.1:9", "--update") == 2
    assert "--update: golden journals are made on the virtual road" in capsys.readouterr().err


# -- side by side ---------------------------------------------------------------------------------------------
@pytest.mark.models
def test_two_workers_play_what_one_plays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = default_root()
    typed = root / "simple_handoff" / "stories" / "typed.toml"
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    alone, both = tmp_path / "alone", tmp_path / "both"
    assert cli.run(parser.parse_args([str(typed), "--out", str(alone)]), Settings()) == 0
    many = parser.parse_args([str(typed), "--out", str(both), "-n", "2", "--repeat", "2"])
    assert cli.run(many, Settings()) == 0
    assert "1 of 1 stories passed; " in capsys.readouterr().out
    for name in ("call.wav", "events.jsonl", "turns.json"):
        assert (alone / "typed" / name).read_bytes() == (both / "typed" / name).read_bytes()


def test_a_worker_without_a_stage_says_why(home: Path) -> None:
    file = write(home, "a.toml")
    road = stage.Road(Settings(), home / "none", frozenset({"desks"}))
    with pytest.raises(RtbridgeError, match="none"):
        list(perform([Job(file, 1, None), Job(file, 2, None)], road, workers=2))


# -- on a terminal --------------------------------------------------------------------------------------------
class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_what_is_going_on_and_a_pipe_only_lines() -> None:
    for stream, live in ((Terminal(), True), (io.StringIO(), False)):
        progress = Progress(["a", "b", "c"], at_once=2, stream=stream)
        progress.done("b", "ok  b")
        progress.done("a", "ok  a")
        progress.close()
        shown = stream.getvalue()
        assert ("0/3  playing a, b" in shown) is live
        assert ("2/3  playing c" in shown) is live
        assert ("\x1b" in shown) is live
        assert [line.split("\x1b[2K")[-1] for line in shown.split("\n")][:2] == ["ok  b", "ok  a"]
        assert shown.endswith("\x1b[2K" if live else "\n")
