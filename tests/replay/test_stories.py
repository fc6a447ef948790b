"""The stories that ship, on the real engine: they pass, they are the same every time, and they are cheap.

The full count plays one story of each scenario twenty times, both user stories among them, and all others twice; the
runs of a story are spread over two processes and leave the same bytes. The reduced count plays those three and every
other one of the rest, once.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from conftest import ACCEPT
from story_rig import BILL, EXACT, RETURN, STORIES, Told, name_of, play_story, players, story_named

pytestmark = [pytest.mark.models, pytest.mark.no_cover]

TWO_MINUTES = story_named("simple_handoff", "two_minutes")
HAIKU = story_named("simple_handoff", "haiku")
OFTEN = (TWO_MINUTES, BILL, RETURN)
TWICE_ALWAYS = HAIKU  # short: a repetition that every run of the tests can afford
# Played by scenarios/test_retail_effects.py in any run, with its effects on disk and judged by the same checks.
SECOND_RETURN = story_named("customer_service_retail", "second_return")
REST = [file for file in STORIES if file not in (*OFTEN, TWICE_ALWAYS, SECOND_RETURN)]
PLAYED = STORIES if ACCEPT else [*OFTEN, TWICE_ALWAYS, *REST[::2]]

Runs = dict[Path, list[Future[Told]]]


def times(file: Path) -> int:
    if ACCEPT:
        return 20 if file in OFTEN else 2
    return 2 if file == TWICE_ALWAYS else 1


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with players() as running:
        yield running


@pytest.fixture(scope="module")
def runs(pool: ProcessPoolExecutor, request: pytest.FixtureRequest) -> Runs:
    """Submit the runs of all stories that were asked for, the longest first, so that both processes end together."""
    params = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    asked = {one.params["file"] for one in params if one is not None and "file" in one.params}
    files = sorted(asked, key=lambda file: (-times(file), -file.stat().st_size))
    return {file: [pool.submit(play_story, file) for _ in range(times(file))] for file in files}


@pytest.mark.parametrize("file", PLAYED, ids=name_of)
def test_every_story_that_ships_passes_and_is_the_same_every_time(
    file: Path, runs: Runs, keep_figures: Callable[[str, dict[str, Any]], None]
) -> None:
    told = [run.result() for run in runs[file]]
    assert [failure for one in told for failure in one.failures] == []
    assert set(told[0].digests) == {"call.wav", "cassette.jsonl", "events.jsonl", "labels.txt", "turns.json"}
    assert [one.digests for one in told] == [told[0].digests] * times(file)
    figures = {
        "runs": len(told),
        "passed": len(told),
        "call_s": round(told[0].duration_ms / 1000, 1),
        "cpu_s": [round(one.cpu_s, 2) for one in told],
    }
    print(name_of(file), figures)
    keep_figures(f"story_{name_of(file)}", figures)
    if file == TWO_MINUTES:
        assert told[0].duration_ms >= 120_000
        if ACCEPT:
            assert max(one.cpu_s for one in told[2:]) < 10  # without the models' own first calls


def test_every_scenario_has_six_stories_and_more() -> None:
    assert min(Counter(file.parts[-3] for file in STORIES).values()) >= 6


@pytest.mark.parametrize("file", [BILL, RETURN], ids=name_of)
def test_the_user_stories_call_these_tools_with_these_arguments_and_no_others(file: Path, runs: Runs) -> None:
    (told, *_) = [run.result() for run in runs[file]]
    assert [(name, json.loads(arguments)) for name, arguments in told.tools] == EXACT[file]


def test_a_wrong_expectation_fails_with_the_turn_the_wish_and_what_was_heard(
    tmp_path: Path, pool: ProcessPoolExecutor
) -> None:
    (tmp_path / "stories").mkdir()
    shutil.copytree(HAIKU.parent.parent / "audio", tmp_path / "audio")
    file = tmp_path / "stories" / "wrong_expectation.toml"
    text = HAIKU.read_text()
    assert text.count('heard = "goodbye"') == 1
    file.write_text(text.replace('heard = "goodbye"', 'heard = "see you in court"'))
    (failure,) = pool.submit(play_story, file).result().failures
    assert failure.startswith('turn "enough": expected to hear /see you in court/; heard "Goodbye')
    assert " from haikuWriter at " in failure
