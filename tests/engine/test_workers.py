"""Threads for the models: as many as there are cores, what is due first goes first, and the rest makes way."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import Future

import pytest

from rtbridge.engine.workers import NICER, Urgency, Workers

PATIENCE_S = 30.0


class Busy:
    """One thread, held until `go`."""

    def __init__(self, threads: int = 1) -> None:
        self.workers = Workers(threads)
        self._gate = threading.Event()
        self._held: list[Future[bool]] = []
        self.done: list[str] = []
        begun = [threading.Event() for _ in range(threads)]
        for one in begun:
            self._held.append(self.workers.at(Urgency.AWAITED).submit(self._hold, one))
        assert all(one.wait(PATIENCE_S) for one in begun)

    def _hold(self, begun: threading.Event) -> bool:
        begun.set()
        return self._gate.wait(PATIENCE_S)

    def submit(self, name: str, urgency: Urgency) -> Future[None]:
        return self.workers.at(urgency).submit(self.done.append, name)

    def go(self, *awaited: Future[None]) -> list[str]:
        self._gate.set()
        for future in awaited:
            future.result(PATIENCE_S)
        return self.done


def test_what_is_awaited_goes_before_what_came_earlier_and_is_due_later() -> None:
    busy = Busy()
    last = busy.submit("a pause", Urgency.SOON)
    busy.submit("one caller", Urgency.AWAITED)
    busy.submit("another caller", Urgency.AWAITED)
    assert busy.go(last) == ["one caller", "another caller", "a pause"]


def test_a_sentence_ahead_of_what_is_heard_waits_for_nobody_and_keeps_nobody_waiting() -> None:
    busy = Busy()  # with what is awaited
    busy.submit("second sentence", Urgency.AHEAD).result(PATIENCE_S)
    assert busy.done == ["second sentence"]
    busy.go()


@pytest.mark.parametrize(
    ("urgency", "nicer"), [(Urgency.AWAITED, 0), (Urgency.SOON, 0), (Urgency.AHEAD, NICER)]
)
def test_only_what_has_time_makes_way_for_others(urgency: Urgency, nicer: int) -> None:
    def nice() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    found = Workers(1).at(urgency).submit(nice).result(PATIENCE_S)
    assert found == (min(nice() + nicer, 19) if sys.platform == "linux" else nice())


def test_as_many_are_done_at_a_time_as_there_are_threads() -> None:
    both = Busy(threads=2)  # both are held at the same time
    assert both.go(both.submit("third", Urgency.AWAITED)) == ["third"]


def test_what_is_cancelled_before_its_turn_is_never_done() -> None:
    busy = Busy()
    dropped = busy.submit("dropped", Urgency.AWAITED)
    kept = busy.submit("kept", Urgency.AWAITED)
    assert dropped.cancel()
    assert busy.go(kept) == ["kept"]


def test_an_error_is_handed_to_who_awaits_it_and_the_thread_goes_on() -> None:
    workers = Workers(1)
    failing = workers.at(Urgency.AWAITED).submit(int, "no number")
    with pytest.raises(ValueError, match="no number"):
        failing.result(PATIENCE_S)
    assert workers.at(Urgency.AWAITED).submit(int, "7").result(PATIENCE_S) == 7
