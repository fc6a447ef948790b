"""Whole calls at random through the whole bridge: session, Agents SDK, core and engine, on the virtual clock.

tests/core/test_schedules.py asks the same of the core alone, much more often. A failure names its seed, and tells the
whole call; `RTBRIDGE_SEED=<seed> pytest tests/test_schedules.py` runs that one again.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from conftest import Count, KeepFigures
from desks import scenario_of
from rtbridge.agents.scenario import Scenario
from rtbridge.core import journal
from rtbridge.replay.clock import run_virtual
from schedule_checks import complaints
from schedule_rig import Carried, Schedule

SEED = os.environ.get("RTBRIDGE_SEED")


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Scenario]:
    folder = tmp_path_factory.mktemp("scenarios")
    return {number: scenario_of(folder, number) for number in (2, 3, 4)}


def carry_out(seed: int, desks: dict[int, Scenario]) -> Carried:
    """Run one schedule; raise an AssertionError that tells all of it when something is wrong."""
    schedule = Schedule.of(seed)
    held: list[Carried] = []

    async def run() -> None:
        held.append(Carried(schedule, desks[schedule.desks]))
        await held[0].carry_out()

    try:
        run_virtual(run, limit_s=400)
        problems = complaints(held[0])
        assert not problems, "\n".join(problems)
    except BaseException as failure:
        failure.add_note(f"seed {seed}\n{held[0].story() if held else schedule}")
        raise
    return held[0]


@pytest.mark.no_cover
def test_any_schedule_through_the_whole_bridge_keeps_the_protocol_and_answers_everybody(
    desks: dict[int, Scenario], count: Count, keep_figures: KeepFigures
) -> None:
    figures: dict[str, Any] = dict.fromkeys(
        ("schedules", "turns", "responses", "tools", "handoffs", "barge_ins", "trips", "fillers", "refused"),
        0,
    )
    for seed in range(count(25, 500)) if SEED is None else (int(SEED),):
        carried = carry_out(seed, desks)
        figures["schedules"] += 1
        for name, kind in (
            ("turns", journal.CallerSaid),
            ("responses", journal.ResponseRequested),
            ("tools", journal.ToolEnded),
            ("handoffs", journal.AgentHandedOff),
            ("barge_ins", journal.BargeInConfirmed),
            ("fillers", journal.FillerAsked),
            ("refused", journal.UpstreamErred),
        ):
            figures[name] += len(carried.entries(kind))
        figures["trips"] += sum(
            entry.state == "fail" for _, entry in carried.entries(journal.GuardrailJudged)
        )
    assert SEED or all(figures.values()), f"the schedules do not reach everything: {figures}"
    print(figures)
    keep_figures("schedules_whole_bridge", figures)
