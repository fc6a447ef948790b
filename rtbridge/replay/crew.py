"""Stages side by side: every worker is a process with a stage of its own, and takes one story after another.

With one worker there is no second process at all: stories are played where the command runs.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence

from rtbridge import logs
from rtbridge.errors import ReplayError, RtbridgeError
from rtbridge.replay.arguments import MOST_WORKERS
from rtbridge.replay.outcome import Job, Outcome
from rtbridge.replay.stage import Road, Stage

_stage: Stage | None = None  # of a worker process
_trouble: str | None = None  # why a worker has none


def perform(jobs: Sequence[Job], road: Road, *, workers: int) -> Iterator[Outcome]:
    """Yield the outcome of each job as it comes, with several workers in any order.

    Closing the generator, or an exception thrown through it, ends the workers at once. Raises RtbridgeError when a
    stage cannot be set, OSError when artifacts cannot be written.
    """
    workers = min(workers, len(jobs), MOST_WORKERS)
    if workers <= 1:
        with Stage(road) as stage:
            for job in jobs:
                yield stage.play(job)
        return
    # Spawned: a process that is forked while threads of a speech model run may hang for ever.
    with multiprocessing.get_context("spawn").Pool(workers, _set_stage, (road,)) as pool:
        yield from pool.imap_unordered(_play, jobs)


def _set_stage(road: Road) -> None:
    """Set the stage of a worker, and its log. Ctrl-C is for the parent, who ends the workers."""
    global _stage, _trouble
    settings = road.settings
    logs.configure(form=settings.log_format, level=settings.log_level, secrets=settings.keys())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # Never left: a worker's process ends with it.
        _stage = Stage(road).__enter__()
    except RtbridgeError as error:  # raised here, a pool would start the next worker, for ever
        _trouble = str(error)


def _play(job: Job) -> Outcome:
    if _stage is None:
        raise ReplayError(_trouble or "this worker has no stage")
    return _stage.play(job)
