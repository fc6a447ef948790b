"""What is left of one run of one story when the run is over: small, plain, and fit to cross a process border.

Recordings and journals stay where they were written; of them an outcome holds the fingerprints, so that two runs can
be told apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtbridge.core import pcm
from rtbridge.replay.hearing import bursts_of
from rtbridge.replay.metrics import metrics
from rtbridge.replay.report import Report, line_of, with_line


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one story: what a worker is handed."""

    file: Path
    run: int  # from 1
    folder: Path | None  # where the story's artifacts go; None for none

    @property
    def own_folder(self) -> Path | None:
        """Return where this run's artifacts go: the first run's are the story's own."""
        if self.folder is None or self.run == 1:
            return self.folder
        return self.folder / f"run-{self.run:02}"


@dataclass(frozen=True, slots=True)
class Complaint:
    """An expectation that did not come true, in words that name file and line."""

    what: str  # the expectation's key
    message: str
    where: str  # "file:line: message"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run, judged. `broke` is why it could not be carried out, and then the rest is empty."""

    job: Job
    story: str
    scenario: str
    line: str = ""  # for the terminal
    broke: str | None = None
    complaints: tuple[Complaint, ...] = ()
    notes: tuple[str, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    turns_played: int = 0
    turns_told: int = 0
    duration_ms: int = 0
    said: tuple[tuple[int, int], ...] = ()  # from when to when the caller was audible, in ms
    heard: tuple[tuple[int, int], ...] = ()  # and what the caller heard
    prints: Mapping[str, str] = field(default_factory=dict)  # artifact -> fingerprint of its bytes
    began_s: float = 0.0  # monotonic, one clock for all workers of a machine
    ended_s: float = 0.0

    @property
    def report(self) -> Path | None:
        """Return the run's report.html. A later run leaves one only where it failed."""
        kept = self.broke is None and (self.job.run == 1 or not self.passed)
        return self.job.own_folder / "report.html" if kept and self.job.own_folder else None

    @property
    def passed(self) -> bool:
        """Say whether every expectation came true."""
        return self.broke is None and not self.complaints


def outcome_of(
    report: Report, job: Job, artifacts: Mapping[str, bytes], began_s: float, ended_s: float
) -> Outcome:
    """Return what is left of a run."""
    story = report.result.story
    return Outcome(
        job=job,
        story=story.name,
        scenario=story.scenario,
        line=line_of(report),
        complaints=tuple(
            Complaint(failure.what, str(failure), with_line(report, failure))
            for failure in report.verdict.failures
        ),
        notes=report.verdict.notes,
        metrics=metrics(report.seen),
        turns_played=len(report.result.played),
        turns_told=len(story.turns),
        duration_ms=report.result.duration_ms,
        said=_audible(report.result.said),
        heard=_audible(report.result.heard),
        prints={name: hashlib.sha256(content).hexdigest()[:16] for name, content in artifacts.items()},
        began_s=began_s,
        ended_s=ended_s,
    )


def _audible(side: bytes) -> tuple[tuple[int, int], ...]:
    spans = [(pcm.ms_of_samples(burst.start), pcm.ms_of_samples(burst.end)) for burst in bursts_of(side)]
    return tuple(spans)
