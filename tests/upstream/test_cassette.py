"""A cassette against a bridge that is quicker or slower than the one that was recorded."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from rtbridge.replay.clock import on_virtual_time
from rtbridge.upstream.cassette import CassetteUpstream
from rtbridge.upstream.frames import Cassette, Row
from rtbridge.upstream.port import Capabilities

ROWS = (
    Row(0.5, "out", {"type": "response.create"}),
    Row(1.0, "in", {"type": "response.output_audio.delta", "item_id": "a", "delta": ""}),
    Row(
        3.0,
        "out",
        {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 1500},
    ),
)


@pytest.mark.parametrize(
    ("waits_s", "audio_end_ms", "is_same"),
    [
        (2.0, 1500, True),
        (2.0, 1850, True),  # two clocks hear the caller begin within two words
        (2.0, 2000, False),
        (3.0, 2500, True),  # a second later it is a second more
        (3.0, 1500, True),
        (3.0, 2000, False),
        (1.5, 1000, True),
    ],
)
@on_virtual_time()
async def test_how_much_was_heard_is_held_against_how_long_it_has_been_playing(
    waits_s: float, audio_end_ms: int, is_same: bool
) -> None:
    upstream = CassetteUpstream(Cassette("x.jsonl", Capabilities(), ROWS))
    await upstream.connect()
    upstream.send({"type": "response.create"})
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5 + waits_s):
            async for event in upstream.events():
                assert event["item_id"] == "a"
    upstream.send(dict(ROWS[2].event) | {"audio_end_ms": audio_end_ms})
    await upstream.close()
    told = [] if is_same else [f"conversation.item.truncate #1: audio_end_ms was 1500, is {audio_end_ms}"]
    assert [one.split(", is")[0] for one in upstream.mismatches] == [one.split(", is")[0] for one in told]
