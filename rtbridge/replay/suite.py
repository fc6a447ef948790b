"""All runs of all stories, judged together.

How many runs of each must pass, whether they were the same, and whether they became slower than they were.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rtbridge.errors import StoryError
from rtbridge.replay.outcome import Complaint, Outcome

WORSE_BY_MS: Final = 20.0  # a frame: what lies below is not worse
BASELINE_METRICS: Final = ("respond_p95_ms", "stop_p95_ms", "bridge_added_p95_ms")


@dataclass(slots=True)
class StoryRuns:
    """One story, played once or more."""

    file: Path
    name: str
    scenario: str
    runs: list[Outcome] = field(default_factory=list)

    @property
    def first(self) -> Outcome:
        """Return the run that stands for the story: the first that was carried out, or the first of all."""
        ordered = sorted(self.runs, key=lambda outcome: outcome.job.run)
        return next((outcome for outcome in ordered if outcome.broke is None), ordered[0])

    @property
    def passes(self) -> int:
        """Return how many runs passed."""
        return sum(outcome.passed for outcome in self.runs)

    @property
    def broke(self) -> Outcome | None:
        """Return a run that could not be carried out."""
        return next((outcome for outcome in self.runs if outcome.broke is not None), None)

    @property
    def identical(self) -> int:
        """Return how many of the runs left the same bytes as the first."""
        return sum(outcome.prints == self.first.prints for outcome in self.runs)


@dataclass(frozen=True, slots=True)
class Bar:
    """What a story must reach."""

    min_pass: float = 1.0  # share of its runs that must pass
    same_bytes: bool = False  # and whether all of them must be the same, as on the virtual road
    baseline: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # story -> metrics of an earlier run

    def complaints(self, story: StoryRuns) -> list[Complaint]:
        """Return what keeps a story from passing. Nothing is a pass."""
        found: list[Complaint] = []
        needed = math.ceil(self.min_pass * len(story.runs) - 1e-9)
        if story.passes < needed:
            for outcome in sorted(story.runs, key=lambda one: one.job.run):
                lead = f"run {outcome.job.run}: " if len(story.runs) > 1 else ""
                found += [Complaint(c.what, lead + c.message, lead + c.where) for c in outcome.complaints]
        if self.same_bytes and story.identical < len(story.runs):
            found.append(self._difference(story))
        found += self._slower(story)
        return found

    def _difference(self, story: StoryRuns) -> Complaint:
        other = next(outcome for outcome in story.runs if outcome.prints != story.first.prints)
        names = [name for name, print_ in story.first.prints.items() if other.prints.get(name) != print_]
        message = (
            f"only {story.identical} of {len(story.runs)} runs left the same bytes: run {other.job.run} differs from "
            f"run {story.first.job.run} in {', '.join(names) or 'everything'}"
        )
        return Complaint("same_bytes", message, f"{story.file}: {message}")

    def _slower(self, story: StoryRuns) -> list[Complaint]:
        before = self.baseline.get(story.name)
        if before is None:
            return []
        found = []
        for name in BASELINE_METRICS:
            was, now = before.get(name), worst(story, name)
            if was is not None and now is not None and now > was + WORSE_BY_MS:
                message = f"{name} is {now:g} ms; the baseline has {was:g} ms"
                found.append(Complaint("baseline", message, f"{story.file}: {message}"))
        return found


def worst(story: StoryRuns, metric: str) -> float | None:
    """Return the highest value of a metric over all runs of a story."""
    values = [outcome.metrics.get(metric) for outcome in story.runs]
    return max((float(value) for value in values if value is not None), default=None)


def gather(outcomes: Sequence[Outcome], order: Sequence[Path]) -> list[StoryRuns]:
    """Return the outcomes by story, in the order of the files."""
    stories: dict[Path, StoryRuns] = {}
    for outcome in sorted(outcomes, key=lambda one: (order.index(one.job.file), one.job.run)):
        known = stories.setdefault(
            outcome.job.file, StoryRuns(outcome.job.file, outcome.story, outcome.scenario)
        )
        known.runs.append(outcome)
    return list(stories.values())


def read_baseline(path: Path) -> dict[str, Mapping[str, Any]]:
    """Read the metrics of earlier runs: a turns.json, or a folder with one for each story.

    Raises StoryError when there is none, or one that cannot be read.
    """
    files = sorted(path.glob("**/turns.json")) if path.is_dir() else [path]
    files = [file for file in files if not file.parent.name.startswith("run-")]
    if not files:
        raise StoryError(f"{path}: no turns.json in this folder: give the --out folder of an earlier replay")
    found: dict[str, Mapping[str, Any]] = {}
    for file in files:
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            found[str(told["story"])] = dict(told["metrics"])
        except OSError as error:
            raise StoryError(f"{file}: cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise StoryError(
                f"{file}: not the turns.json of a replay: {type(error).__name__} {error}"
            ) from error
    return found
