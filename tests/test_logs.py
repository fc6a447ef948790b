"""The log: one line an entry, no keys, nothing that could forge a line or drive a terminal."""

from __future__ import annotations

import io
import json
import logging
import warnings
from typing import Any

import pytest

from rtbridge import logs
from rtbridge.core.journal import (
    AgentHandedOff,
    AudioDropped,
    CallerSaid,
    ToolEnded,
    TurnChanged,
    UpstreamErred,
)

ATTACK = "\x1b[2Jhi\r\n2026-01-01 [info] call.closed\u2028\u202eevil\x9b31m\x00"


class Lines:
    """A log that is kept in memory."""

    def __init__(self, **how: Any) -> None:
        self.out = io.StringIO()
        logs.configure(stream=self.out, **how)

    @property
    def text(self) -> str:
        return self.out.getvalue()

    @property
    def json(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


def test_an_entry_is_one_line_with_its_event_its_call_and_its_fields() -> None:
    lines = Lines(form="json")
    logs.record("rtc_7", 1240, AgentHandedOff("greeter", "haikuWriter", 310))
    (line,) = lines.json
    assert list(line) == ["timestamp", "level", "event", "call", "at_ms", "from", "to", "took_ms"]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "agent.handed_off",
        "level": "info",
        "call": "rtc_7",
        "at_ms": 1240,
        "from": "greeter",
        "to": "haikuWriter",
        "took_ms": 310,
    }


def test_a_terminal_gets_pretty_lines_and_a_pipe_gets_json() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    logs.configure(stream=out)
    logs.get().info("server.started", url="http://x")
    assert "\x1b[" in out.getvalue()
    assert not out.getvalue().startswith("{")
    lines = Lines()
    logs.get().info("server.started", url="http://x")
    assert lines.json[0]["url"] == "http://x"


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_no_text_of_a_stranger_can_forge_a_line_or_drive_a_terminal(form: str) -> None:
    lines = Lines(form=form)
    logs.record("rtc_1", 0, CallerSaid("i", ATTACK))
    logging.getLogger("aiortc").warning("bad packet %s", ATTACK)
    logs.get().warning(ATTACK, nested={"a": [ATTACK, (ATTACK,)]})
    assert len(lines.text.splitlines()) == 3
    assert not logs._CONTROLS.search(lines.text.replace("\n", ""))


def test_a_traceback_keeps_its_lines_but_none_looks_like_an_event() -> None:
    lines = Lines(form="pretty")
    try:
        raise ValueError(ATTACK)
    except ValueError:
        logs.get().exception("task.failed")
    first, *rest = lines.text.splitlines()
    assert "task.failed" in first
    assert len(rest) >= 4
    assert all(line.startswith("  | ") for line in rest)
    assert not logs._CONTROLS.search("".join(rest))


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_keys_are_never_shown_wherever_they_turn_up(form: str) -> None:
    lines = Lines(form=form, secrets=["canary-of-a-caller-key", ""])
    canaries = ["canary-of-a-caller-key", "sk-proj-canary123456", "ek_canary123456789"]
    for canary in canaries:
        log = logs.get()
        log.info(canary)
        log.info("x", header=f"Bearer {canary}", api_key=canary, authorization=canary, turn_secret=canary)
        log.info("x", deep={"list": [f"a {canary} b"], canary: 1, "object": ValueError(canary)})
        logs.record("rtc_1", 0, ToolEnded("c", "t", json.dumps({"key": canary}), canary, 3))
        logging.getLogger("aiohttp.server").error("Authorization: Bearer %s", canary)
        try:
            raise RuntimeError(canary)
        except RuntimeError:
            log.exception("task.failed")
    for canary in canaries:
        assert canary not in lines.text
    assert lines.text.count(logs.REDACTED) >= 8 * len(canaries)


def test_bearer_tokens_of_any_form_are_redacted() -> None:
    lines = Lines(form="json")
    logs.get().info("x", header="Authorization: bearer abc.def-ghi; next")
    assert lines.json[0]["header"] == f"Authorization: bearer {logs.REDACTED}; next"


def test_other_libraries_speak_only_of_trouble_and_by_name() -> None:
    lines = Lines(form="json", level="debug")
    for name in ("aiortc.rtcpeerconnection", "aioice.ice", "asyncio", "openai.agents"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("trouble %d", 3)
    assert [(line["library"], line["event"]) for line in lines.json] == [
        ("aiortc.rtcpeerconnection", "trouble 3"),
        ("aioice.ice", "trouble 3"),
        ("asyncio", "trouble 3"),
        ("openai.agents", "trouble 3"),
    ]


def test_the_requests_of_aiohttp_are_not_logged() -> None:
    lines = Lines(form="json", level="debug")
    logging.getLogger("aiohttp.access").info("GET /")
    logging.getLogger("aiohttp.access").error("GET /")
    assert lines.text == ""


def test_python_warnings_become_lines() -> None:
    lines = Lines(form="json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("beware", UserWarning, stacklevel=1)
    assert "beware" in lines.json[0]["event"]


def test_the_steps_of_a_turn_are_shown_only_on_request() -> None:
    lines = Lines(form="json")
    logs.record("rtc_1", 0, TurnChanged("LISTENING", "CALLER_SPEAKING", "speech_started"))
    assert lines.text == ""
    lines = Lines(form="json", level="debug")
    logs.record("rtc_1", 0, TurnChanged("LISTENING", "CALLER_SPEAKING", "speech_started"))
    assert lines.json[0]["level"] == "debug"


def test_trouble_is_a_warning_and_a_benign_race_is_not() -> None:
    lines = Lines(form="json", level="warning")
    logs.record("rtc_1", 0, AudioDropped("mic", 20))
    logs.record("rtc_1", 0, UpstreamErred("c", "m", benign=False))
    logs.record("rtc_1", 0, UpstreamErred("c", "m", benign=True))
    assert [line["level"] for line in lines.json] == ["warning", "warning"]


def test_a_text_without_end_is_cut_and_says_so() -> None:
    lines = Lines(form="json")
    logs.get().info("x", text="a" * 10_000)
    assert lines.json[0]["text"] == "a" * 4096 + "…(+5904 characters)"


def test_wall_time_counts_seconds_since_the_epoch() -> None:
    assert 1_577_836_800 < logs.wall_time_s() < 4_102_444_800  # within 2020 to 2100
