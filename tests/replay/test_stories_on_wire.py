"""The user stories in real time: real ICE, DTLS, SRTP and Opus against `rtbridge serve`, ears and voice and all.

The reduced count plays the bill, the full one the return too. Beside other suites an answer may take its time, and the
caller gives it: only the full count holds a story to its own limits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conftest import ACCEPT
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.read_story import load_story
from rtbridge.replay.story import Start, Story
from rtbridge.replay.wire import play_on_wire
from serve_rig import serving_engine
from story_rig import BILL, EXACT, RETURN, name_of

pytestmark = [pytest.mark.wire, pytest.mark.models, pytest.mark.no_cover]

TIMES = ("respond_within_ms", "stop_within_ms", "bridge_added_p95_ms")
PATIENCE_MS = 6_000
AS_HEARD = {"question"}  # arguments in the caller's own words, which Opus may change by a letter


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("serve")
    with serving_engine(folder, folder / "serve.jsonl") as url:
        yield url


@pytest.mark.parametrize("file", [BILL, RETURN] if ACCEPT else [BILL], ids=name_of)
async def test_a_user_story_is_told_start_to_end_over_the_wire(
    file: Path, bridge: str, keep_figures: Callable[[str, dict[str, Any]], None]
) -> None:
    story = load_story(file)
    result = await play_on_wire(story if ACCEPT else patient(story), url=bridge)
    seen = look(result)
    failed = [one for one in judge(result, seen).failures if ACCEPT or one.what not in TIMES]
    assert [str(failure) for failure in failed] == []
    assert _without_words(seen.tools) == [(name, _known(arguments)) for name, arguments in EXACT[file]]
    figures = {
        "call_s": round(result.duration_ms / 1000, 1),
        "respond_ms": [turn.respond_ms for turn in seen.turns],
        "effects": [tool for _, tool in seen.effects],
    }
    print(figures)
    keep_figures(f"wire_{name_of(file)}", figures)


def patient(story: Story) -> Story:
    """Return `story` with a caller who is not taken in by the silence between a filler and a slow machine's answer."""
    turns = tuple(
        replace(turn, start=Start(turn.start.after, max(turn.start.delay_ms, PATIENCE_MS)))
        for turn in story.turns
    )
    return replace(story, turns=turns)


def _without_words(tools: tuple[tuple[int, str, str], ...]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, _known(json.loads(arguments))) for _, name, arguments in tools]


def _known(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if key not in AS_HEARD}
