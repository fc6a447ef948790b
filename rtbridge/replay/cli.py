"""`rtbridge replay PATH…`: play stories, print a line a story, leave a report, and tell by the exit code.

0 all passed, 1 an expectation failed, 2 a story is invalid, 3 a run could not be carried out. No story is
played before all have been read.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rtbridge.agents.mcp_thread import McpThread
from rtbridge.agents.scenario import Scenario, default_root, load_scenarios
from rtbridge.engine.load import load_parts
from rtbridge.errors import ReplayError, RtbridgeError, StoryError
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.read_story import load_story
from rtbridge.replay.report import Report, line_of, write_call, write_junit
from rtbridge.replay.result import RunResult
from rtbridge.replay.run import play
from rtbridge.replay.story import Story
from rtbridge.replay.wire import play_on_wire
from rtbridge.settings import Settings

PASSED: Final = 0
FAILED: Final = 1
INVALID: Final = 2
NOT_CARRIED_OUT: Final = 3
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it

Play = Callable[[Story], RunResult]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `rtbridge replay` takes."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a story, or a folder of stories")
    parser.add_argument("--out", type=Path, metavar="DIR", help="leave recordings, journal and JUnit in DIR")
    parser.add_argument(
        "--wire", metavar="URL", help="play in real time over WebRTC against the bridge at URL"
    )
    parser.add_argument(
        "--scenarios", type=Path, metavar="DIR", help="folder of scenario folders; the shipped ones if empty"
    )


def run(args: argparse.Namespace, settings: Settings | None = None) -> int:
    """Play the stories that `args` names; return the exit code. Ctrl-C ends it with what was done so far."""
    settings = settings or Settings()
    try:
        stories, scenarios = _read(args, settings)
    except RtbridgeError as error:
        print(error, file=sys.stderr)
        return INVALID
    reports: list[Report] = []
    broken: list[tuple[str, str]] = []
    code = PASSED
    try:
        play_one = _road(args, settings, scenarios)
        played = {story.scenario for story in stories}
        servers = (scenario.mcp for name, scenario in scenarios.items() if name in played)
        with McpThread(servers, connect_timeout_s=settings.mcp_connect_timeout_s):
            for folder, story in _folders(stories):
                code = max(
                    code, _one(story, play_one, args.out / folder if args.out else None, reports, broken)
                )
    except KeyboardInterrupt:
        print(f"interrupted; {len(reports)} of {len(stories)} stories were played", file=sys.stderr)
        code = INTERRUPTED
    except (RtbridgeError, OSError) as error:
        print(error, file=sys.stderr)
        code = NOT_CARRIED_OUT
    return max(code, _leave(args.out, reports, broken))


def _leave(out: Path | None, reports: Sequence[Report], broken: Sequence[tuple[str, str]]) -> int:
    try:
        if out is not None:
            write_junit(reports, broken, out / "junit.xml")
    except OSError as error:
        print(f"{out}: the report cannot be written: {error.strerror}", file=sys.stderr)
        return NOT_CARRIED_OUT
    if len(reports) + len(broken) > 1:
        passed = sum(report.verdict.passed for report in reports)
        print(f"{passed} of {len(reports) + len(broken)} stories passed")
    return PASSED


def _one(
    story: Story,
    play_one: Play,
    out: Path | None,
    reports: list[Report],
    broken: list[tuple[str, str]],
) -> int:
    try:
        result = play_one(story)
    except ReplayError as error:
        broken.append((story.name, str(error)))
        print(f"BROKE {story.name}\n      {story.file}: {error}", flush=True)
        if error.__cause__ is not None and not isinstance(error.__cause__, RtbridgeError | OSError):
            traceback.print_exception(error.__cause__)
        return NOT_CARRIED_OUT
    seen = look(result)
    report = Report(result, seen, judge(result, seen))
    reports.append(report)
    print(line_of(report), flush=True)
    if out is not None:
        write_call(report, out)
    return PASSED if report.verdict.passed else FAILED


def _read(args: argparse.Namespace, settings: Settings) -> tuple[list[Story], Mapping[str, Scenario]]:
    """Read every story and scenario. Raises StoryError with the problems of all stories, or ScenarioError."""
    scenarios: Mapping[str, Scenario] = {}
    graphs = None
    if not args.wire:  # over the wire the bridge knows its scenarios, and says so
        root = args.scenarios or settings.scenarios or default_root()
        scenarios = load_scenarios(root, tool_timeout_s=settings.tool_timeout_s)
        graphs = {name: tuple(scenario.agents) for name, scenario in scenarios.items()}
    stories: list[Story] = []
    problems: list[str] = []
    for file in _files(args.paths, problems):
        try:
            story = load_story(file, graphs)
            if story.faults and args.wire:
                raise StoryError(
                    f"{file}: its faults happen on the virtual road only: leave --wire out, or give the bridge an "
                    "upstream that fails (`rtbridge engine --faults FILE`)"
                )
            stories.append(story)
        except StoryError as error:
            problems.append(str(error))
    if problems:
        raise StoryError("\n".join(problems))
    return stories, scenarios


def _files(paths: Sequence[Path], problems: list[str]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        found = sorted(path.rglob("*.toml")) if path.is_dir() else [path]
        if path.is_dir():
            found = [f for f in found if f.parent.name == "stories" or f.parent == path]
            found = [f for f in found if f.name != "brain.toml"]
            if not found:
                problems.append(
                    f"{path}: no stories in this folder: they are *.toml in a folder named stories"
                )
        files += [file for file in found if file not in files]
    return files


def _road(args: argparse.Namespace, settings: Settings, scenarios: Mapping[str, Scenario]) -> Play:
    if args.wire:
        key = settings.api_keys[0].get_secret_value() if settings.api_keys else ""
        return lambda story: asyncio.run(play_on_wire(story, url=args.wire, api_key=key))
    root = args.scenarios or settings.scenarios or default_root()
    parts = load_parts(brains=root, model_dir=settings.model_dir, moderation_words=settings.moderation_words)
    return lambda story: play(story, scenario=scenarios[story.scenario], parts=parts, settings=settings)


def _folders(stories: Sequence[Story]) -> list[tuple[str, Story]]:
    """Give each story a folder of its own name; stories of one name are numbered."""
    taken: dict[str, int] = {}
    named = []
    for story in stories:
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", story.file.stem).strip("._") or "story"
        taken[name] = taken.get(name, 0) + 1
        named.append((name if taken[name] == 1 else f"{name}-{taken[name]}", story))
    return named
