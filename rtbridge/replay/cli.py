"""`rtbridge replay PATH…`: play stories, print a line a story, leave a report, and tell by the exit code.

0 all passed, 1 an expectation failed, 2 a story is invalid, 3 a run could not be carried out. No story is
played before all have been read.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rtbridge.agents.scenario import default_root, load_scenarios
from rtbridge.errors import RtbridgeError, StoryError
from rtbridge.replay.arguments import problems_of
from rtbridge.replay.caller_voice import CallerVoice
from rtbridge.replay.crew import perform
from rtbridge.replay.outcome import Job, Outcome
from rtbridge.replay.progress import Progress
from rtbridge.replay.read_story import Graphs, load_story
from rtbridge.replay.report_index import write_index
from rtbridge.replay.sessions import UNFINISHED, is_session, is_unfinished
from rtbridge.replay.stage import Road
from rtbridge.replay.story import Story
from rtbridge.replay.suite import Bar, gather, read_baseline
from rtbridge.replay.upstreams import refusal
from rtbridge.replay.verdicts import Judged, judged, table, write_junit, write_summary
from rtbridge.settings import Settings

PASSED: Final = 0
FAILED: Final = 1
INVALID: Final = 2
NOT_CARRIED_OUT: Final = 3
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it


@dataclass(frozen=True, slots=True)
class _Told:
    """What was asked for, read and checked."""

    stories: tuple[Story, ...]
    road: Road
    bar: Bar


def run(args: argparse.Namespace, settings: Settings | None = None) -> int:
    """Play the stories that `args` names; return the exit code. Ctrl-C ends it with what was done so far."""
    try:
        told = _read(args, settings or Settings())
    except RtbridgeError as error:
        print(error, file=sys.stderr)
        return INVALID
    jobs = _jobs(told.stories, args.repeat, args.out)
    outcomes: list[Outcome] = []
    code = PASSED
    try:
        _perform(jobs, told, args.workers, outcomes)
    except KeyboardInterrupt:
        print(f"interrupted; {len(outcomes)} of {len(jobs)} runs were played", file=sys.stderr)
        code = INTERRUPTED
    except (RtbridgeError, OSError) as error:
        print(error, file=sys.stderr)
        code = NOT_CARRIED_OUT
    return max(code, _leave(args, told, outcomes))


def _perform(jobs: Sequence[Job], told: _Told, workers: int, outcomes: list[Outcome]) -> None:
    names = {
        (story.file, run): _name(story, run) for story in told.stories for run in {job.run for job in jobs}
    }
    progress = Progress([names[job.file, job.run] for job in jobs], at_once=max(1, workers))
    try:
        for outcome in perform(jobs, told.road, workers=workers):
            outcomes.append(outcome)
            progress.done(names[outcome.job.file, outcome.job.run], outcome.line)
    finally:
        progress.close()


def _leave(args: argparse.Namespace, told: _Told, outcomes: Sequence[Outcome]) -> int:
    """Write and print what all runs come to; return the exit code."""
    stories = judged(gather(outcomes, [story.file for story in told.stories]), told.bar)
    for one in stories:
        for complaint in one.complaints:
            if complaint.what in ("same_bytes", "baseline"):  # the others stand under the line of their run
                print(f"FAIL  {one.story.name}\n      {complaint.where}")
    try:
        if args.out is not None:
            write_junit(stories, args.out / "junit.xml")
            write_summary(stories, args.out / "summary.md")
            write_index(stories, args.out / "index.html")
    except OSError as error:
        print(f"{args.out}: the report cannot be written: {error.strerror}", file=sys.stderr)
        return NOT_CARRIED_OUT
    if args.jobs_summary and stories:
        print(table(stories))
    if len(outcomes) > 1:
        print(_totals(stories, outcomes))
    if any(one.story.broke for one in stories):
        return NOT_CARRIED_OUT
    return PASSED if all(one.passed for one in stories) else FAILED


def _totals(stories: Sequence[Judged], outcomes: Sequence[Outcome]) -> str:
    passed = sum(one.passed for one in stories)
    audio_s = sum(outcome.duration_ms for outcome in outcomes) / 1000
    done = [outcome for outcome in outcomes if outcome.broke is None]
    took_s = max((o.ended_s for o in done), default=0.0) - min((o.began_s for o in done), default=0.0)
    rate = f": {audio_s / took_s:.1f} s of calls a second" if took_s > 0 else ""
    return f"{passed} of {len(stories)} stories passed; {audio_s:.0f} s of calls in {took_s:.1f} s{rate}"


def _read(args: argparse.Namespace, settings: Settings) -> _Told:
    """Read every story and scenario. Raises StoryError with the problems of all stories, or ScenarioError."""
    problems = problems_of(args)
    root = args.scenarios or settings.scenarios or default_root()
    graphs: Graphs | None = None
    voice = CallerVoice(model_dir=settings.model_dir)
    if not args.wire:  # over the wire the bridge knows its scenarios, and says so
        scenarios = load_scenarios(root, tool_timeout_s=settings.tool_timeout_s)
        graphs = {name: tuple(scenario.agents) for name, scenario in scenarios.items()}
        voice = CallerVoice.among(scenarios.values(), settings.model_dir)
    stories: list[Story] = []
    for file in _files(args.paths, problems):
        try:
            story = load_story(file, graphs, voice)
            if story.faults and args.wire:
                raise StoryError(
                    f"{file}: its faults happen on the virtual road only: leave --wire out, or give the bridge an "
                    "upstream that fails (`rtbridge engine --faults FILE`)"
                )
            if why := refusal(story, settings, wire=bool(args.wire)):
                raise StoryError(why)
            stories.append(story)
        except StoryError as error:
            problems.append(str(error))
    if problems:
        raise StoryError("\n".join(problems))
    baseline = read_baseline(args.baseline) if args.baseline else {}
    road = Road(settings, root, frozenset(story.scenario for story in stories), args.wire, args.update)
    virtual = not args.wire and not any(story.upstream.in_real_time for story in stories)
    same_bytes = args.repeat > 1 and virtual
    return _Told(tuple(stories), road, Bar(args.min_pass, same_bytes, baseline))


def _files(paths: Sequence[Path], problems: list[str]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if is_unfinished(path):
            problems.append(f"{path}: {UNFINISHED}")
            continue
        is_folder = path.is_dir() and not is_session(path)  # a recorded call is a story
        found = sorted(path.rglob("*.toml")) if is_folder else [path]
        if is_folder:
            found = [f for f in found if f.parent.name == "stories" or f.parent == path]
            found = [f for f in found if f.name != "brain.toml"]
            found += [one for one in sorted(path.iterdir()) if is_session(one)]
            if not found:
                problems.append(
                    f"{path}: no stories in this folder: they are *.toml in a folder named stories"
                )
        files += [file for file in found if file not in files]
    return files


def _jobs(stories: Sequence[Story], repeat: int, out: Path | None) -> list[Job]:
    """Return every run of every story, one round after another. Stories of one name get numbered folders."""
    folders: dict[Path, Path | None] = {}
    taken: dict[str, int] = {}
    for story in stories:
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", story.file.stem).strip("._") or "story"
        taken[name] = taken.get(name, 0) + 1
        folder = name if taken[name] == 1 else f"{name}-{taken[name]}"
        folders[story.file] = out / folder if out else None
    return [Job(story.file, n, folders[story.file]) for n in range(1, repeat + 1) for story in stories]


def _name(story: Story, run: int) -> str:
    return story.name if run == 1 else f"{story.name} #{run}"
