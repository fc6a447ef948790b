"""A cassette is read whole or refused whole: file, line, what is wrong, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rtbridge.core import pcm
from rtbridge.errors import StoryError
from rtbridge.upstream import frames
from rtbridge.upstream.cassette import CassetteUpstream
from rtbridge.upstream.frames import Row, head, parse_cassette, read_cassette
from rtbridge.upstream.port import Capabilities

HEAD = head(Capabilities(is_engine=True), texts=True).line()
DELTA = {"type": "response.output_audio_transcript.delta", "delta": "half a pair: \ud83d", "item_id": "a"}
GOOD = [
    HEAD,
    Row(0.5, "out", {"type": "input_audio_buffer.append", "samples": 480}).line(),
    Row(1.0, "in", DELTA).line(),
    Row(1.5, "out", {"type": "rtbridge.text.request", "id": "text_1", "request": {"model": "m"}}).line(),
    Row(2.0, "in", {"type": "rtbridge.text.failed", "id": "text_1", "error": {"type": "E"}}).line(),
]


def lines(*more: object) -> bytes:
    rows = [row if isinstance(row, str) else json.dumps(row) for row in more]
    return "".join(f"{row}\n" for row in rows).encode()


def row(t: object = 3.0, direction: object = "in", **event: Any) -> dict[str, Any]:
    return {"t": t, "dir": direction, "event": event}


def text(kind: str, request_id: object = "text_2", direction: str = "in", **rest: Any) -> dict[str, Any]:
    return row(3.0, direction, type=f"rtbridge.text.{kind}", id=request_id, **rest)


def test_a_whole_cassette_is_read_as_it_was_written() -> None:
    read = parse_cassette("x.jsonl", lines(*GOOD))
    assert (read.name, read.texts, read.capabilities.is_engine) == ("x.jsonl", True, True)
    assert [one.line() for one in read.rows] == GOOD[1:]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "x.jsonl: empty: nothing was recorded"),
        (b" \n\n", "x.jsonl: empty: nothing was recorded"),
        (b"RIFF....WAVEfmt ", "x.jsonl:1: not a line of JSON: the file ends in the middle of it"),
        (b"{}\n", "x.jsonl:1: `t` takes seconds from 0 up, not None"),
        (b"[1]\n", 'x.jsonl:1: a row is {"t": …'),
        (lines(GOOD[1]), "x.jsonl:1: not a cassette: it begins with"),
        (lines(row(0, "head", type="other")), "x.jsonl:1: not a cassette: it begins with"),
        (
            lines(row(0, "head", type="rtbridge.cassette", version=2)),
            "x.jsonl:1: a cassette of version 2; this one",
        ),
        (
            lines(*GOOD)[:-40],
            "x.jsonl:5: not a line of JSON: the file ends in the middle of it; record it again",
        ),
        (lines(*GOOD[:2], "{'t': 1}", *GOOD[2:]), "x.jsonl:3: not a line of JSON"),
        (lines(*GOOD[:2], "", *GOOD[2:]), "x.jsonl:3: not a line of JSON"),
        (
            lines(*GOOD) + b'{"t": 3, "dir": "in", "event": {"type": "\xff"}}\n',
            "x.jsonl:6: not UTF-8 text: invalid",
        ),
        ("\n".join(GOOD).encode("utf-16"), "x.jsonl:1: not UTF-8 text"),
        (lines(*GOOD, row(1.0, type="x")), "x.jsonl:6: t goes back from 2 to 1; rows stand in order"),
        (lines(HEAD, GOOD[2], GOOD[1]), "x.jsonl:3: t goes back from 1 to 0.5"),
        (lines(HEAD, *reversed(GOOD[1:])), "x.jsonl:2: an answer to what was not asked before"),
        (lines(*GOOD, row(-1, type="x")), "x.jsonl:6: `t` takes seconds from 0 up, not -1"),
        (lines(*GOOD, row("soon", type="x")), "x.jsonl:6: `t` takes seconds from 0 up, not soon"),
        (lines(*GOOD, row(True, type="x")), "x.jsonl:6: `t` takes seconds from 0 up, not True"),
        (lines(*GOOD, '{"t": NaN, "dir": "in", "event": {"type": "x"}}'), "x.jsonl:6: `t` takes seconds"),
        (lines(*GOOD, row(3, "up", type="x")), 'x.jsonl:6: `dir` is "out" or "in", not \'up\''),
        (lines(*GOOD, row(3, ["in"], type="x")), 'x.jsonl:6: `dir` is "out" or "in"'),
        (lines(*GOOD, row(3, "in")), "x.jsonl:6: `event` takes an event with a `type`"),
        (lines(*GOOD, row(3, "in", type=7)), "x.jsonl:6: `event` takes an event with a `type`"),
        (
            lines(*GOOD, {"t": 3, "dir": "in", "event": "x"}),
            "x.jsonl:6: `event` takes an event with a `type`",
        ),
        (lines(*GOOD, HEAD.replace("0.0", "3.0")), 'x.jsonl:6: the row of "dir": "head" is the first one'),
        (lines(*GOOD, row(3, "out", type=frames.APPEND)), "x.jsonl:6: `samples` takes the number of samples"),
        (lines(*GOOD, row(3, "out", type=frames.APPEND, samples=-1)), "x.jsonl:6: `samples` takes"),
        (lines(*GOOD, "[" * 100_000), "x.jsonl:6: not a line of JSON"),
        (
            lines(*GOOD, '{"t": 3, "dir": "in", "event": {"type": "x", "y": ' + "[" * 200 + "]" * 200 + "}}"),
            "x.jsonl:6: nested more than 64 deep",
        ),
        (
            lines(*GOOD, text("request", 5, "out", request={})),
            'x.jsonl:6: a rtbridge.text.request goes "out" and has an `id` and an `request`',
        ),
        (lines(*GOOD, text("request", "b", "in", request={})), "x.jsonl:6: a rtbridge.text.request goes"),
        (lines(*GOOD, text("request", "b", "out", request="x")), "x.jsonl:6: a rtbridge.text.request goes"),
        (lines(*GOOD, text("response", output={})), 'x.jsonl:6: a rtbridge.text.response goes "in" and has'),
        (lines(*GOOD, text("response", output=[])), "x.jsonl:6: an answer to what was not asked before"),
        (
            lines(*GOOD, text("response", "text_1", output=[])),
            "x.jsonl:6: a second answer to the text request",
        ),
        (
            lines(*GOOD, text("request", "text_1", "out", request={})),
            "x.jsonl:6: a second text request with the id",
        ),
    ],
)
def test_what_is_no_cassette_is_refused_with_its_line(content: bytes, told: str) -> None:
    with pytest.raises(StoryError) as caught:
        parse_cassette("x.jsonl", content)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_no_cut_of_a_cassette_is_read_as_something_else() -> None:
    whole = lines(*GOOD)
    for length in range(len(whole) - 1):
        try:
            read = parse_cassette("x.jsonl", whole[:length])
        except StoryError:
            continue
        assert [one.line() for one in read.rows] == GOOD[1 : 1 + len(read.rows)], "whole rows are whole"
        assert whole[:length].endswith(b"}") or whole[:length].endswith(b"\n")


@pytest.mark.parametrize(
    ("bound", "most", "told"),
    [
        ("MAX_BYTES", 100, r"x\.jsonl: \d+ bytes; a cassette of at most 100 is read"),
        ("MAX_ROWS", 3, r"x\.jsonl:4: more than 3 rows"),
        ("MAX_LINE", 120, r"x\.jsonl:\d: a row of \d+ bytes; at most 120 make one"),
    ],
)
def test_what_is_too_big_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, told: str
) -> None:
    file = tmp_path / "x.jsonl"
    file.write_bytes(lines(*GOOD, row(3, type="x" * 100)))
    assert read_cassette(file).rows
    monkeypatch.setattr(frames, bound, most)
    with pytest.raises(StoryError, match=told):
        read_cassette(file)


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    for file, why in ((tmp_path / "gone.jsonl", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(StoryError, match=f"{file}: the cassette cannot be read: {why}"):
            read_cassette(file)


def test_an_output_of_a_text_model_that_is_none_is_refused_before_the_call_begins() -> None:
    asked = text("request", direction="out", request={"model": "m"})
    said = {"type": "message", "role": "assistant", "id": "m", "status": "completed", "content": []}
    assert CassetteUpstream(parse_cassette("x.jsonl", lines(*GOOD, asked, text("response", output=[said]))))
    for output in (["x"], [{"type": "nothing"}], [said | {"content": "text"}]):
        cassette = parse_cassette("x.jsonl", lines(*GOOD, asked, text("response", output=output)))
        with pytest.raises(StoryError, match=r"^x\.jsonl:7: `output` takes items of the Responses API"):
            CassetteUpstream(cassette)


HOSTILE: list[Callable[[dict[str, Any]], object]] = [
    lambda event: event.update(item="x"),
    lambda event: event.update(item={"type": ["x"], "role": {}, "call_id": 7}),
    lambda event: event.update(session="x"),
    lambda event: event.update(response=[1]),
    lambda event: event.clear(),
]


@pytest.mark.parametrize("spoil", HOSTILE)
async def test_odd_events_in_a_cassette_are_told_as_differences_and_break_nothing(
    spoil: Callable[[dict[str, Any]], object],
) -> None:
    for kind in (
        "session.update",
        "conversation.item.create",
        "response.create",
        "conversation.item.truncate",
    ):
        sent: dict[str, Any] = {"item": {"type": "message", "role": "user", "id": "u"}, "session": {}}
        was = dict(sent)
        spoil(was)
        cassette = parse_cassette("x.jsonl", lines(HEAD, row(1, "out", **{"type": kind} | was)))
        upstream = CassetteUpstream(cassette)
        await upstream.connect()
        upstream.send_audio(pcm.silence(480))
        upstream.send({"type": kind, **sent})
        assert upstream.mismatches, (kind, was)
        await upstream.close()
