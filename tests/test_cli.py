"""The command line: what it offers, and that what goes wrong is one clear line and exit code 2."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from rtbridge import __main__ as cli
from rtbridge import doctor
from rtbridge.errors import RtbridgeError, ScenarioError, SettingsError, on_purpose
from rtbridge.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parent.parent
NOWHERE = "ws://127.0.0.1:9/v1/realtime"  # the discard port: nobody listens there, and nobody is called


@pytest.fixture(autouse=True)
def _leave_the_log_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtbridge.logs.configure", lambda **_: None)


def test_help_names_each_command_and_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    for command in (
        "serve",
        "engine",
        "replay",
        "record",
        "approvals",
        "approve",
        "reject",
        "scenarios",
        "mcp",
        "bench",
        "doctor",
    ):
        assert re.search(rf"^    {command}\s", shown, re.MULTILINE)


@pytest.mark.parametrize(
    "module", ["rtbridge.replay.cli", "rtbridge.replay.record", "rtbridge.bench.media", "rtbridge.mcp.server"]
)
def test_every_command_that_is_offered_exists(module: str) -> None:
    assert callable(importlib.import_module(module).run)


def test_env_sample_is_printed_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--env-sample"]) == 0
    assert capsys.readouterr().out == (ROOT / ".env.sample").read_text()


def test_scenarios_are_listed_with_their_graphs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scenarios"]) == 0
    shown = capsys.readouterr().out
    assert "simple_handoff" in shown
    assert "flowchart" in shown


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["serve", "--host", "0.0.0.0"], "Set RTBRIDGE_API_KEYS"),
        (["serve", "--upstream", "carrier-pigeon"], "RTBRIDGE_UPSTREAM: 'carrier-pigeon' is not"),
        (["serve", "--port", "70000"], "RTBRIDGE_PORT: "),
        (["serve", "--upstream", NOWHERE, "--scenarios", "/nowhere"], "/nowhere"),
        (["engine", "--host", "0.0.0.0"], "loopback only"),
    ],
)
def test_what_cannot_be_obeyed_is_one_line_and_exit_code_2(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(argv) == 2
    err = capsys.readouterr().err
    assert err.startswith("rtbridge: ")
    assert said in err
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err


def test_a_taken_port_is_one_line_through_all_task_groups(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert cli.main(["serve", "--port", str(port), "--upstream", NOWHERE]) == 2
    err = capsys.readouterr().err
    assert f"port {port} on 127.0.0.1 is taken" in err
    assert len(err.splitlines()) == 1


def test_an_error_on_purpose_is_found_in_a_group_only_when_it_is_alone() -> None:
    ours = SettingsError("x")
    assert on_purpose(BaseExceptionGroup("", [BaseExceptionGroup("", [ours])])) is ours
    assert on_purpose(BaseExceptionGroup("", [ours, ValueError()])) is None
    assert on_purpose(BaseExceptionGroup("", [ValueError()])) is None


@pytest.mark.parametrize(
    "raised", [ExceptionGroup("", [SettingsError("first line")]), ScenarioError("first line")]
)
def test_errors_of_a_command_are_told_and_bugs_are_not_hidden(
    raised: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise raised

    monkeypatch.setattr(cli, "_scenarios", fail)
    assert cli.main(["scenarios"]) == 2
    assert capsys.readouterr().err == "rtbridge: first line\n"


def test_an_interrupted_command_says_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_scenarios", interrupt)
    assert cli.main(["scenarios"]) == 130


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(_: object) -> int:
        raise ExceptionGroup("", [ZeroDivisionError()])

    monkeypatch.setattr(cli, "_scenarios", bug)
    with pytest.raises(ExceptionGroup):
        cli.main(["scenarios"])


@contextlib.asynccontextmanager
async def serving(*flags: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("RTBRIDGE_", "OPENAI_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rtbridge", "serve", "--port", "0", "--log-format", "json", *flags,
        cwd=ROOT, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
        found = re.fullmatch(r"Open (http://127\.0\.0\.1:\d+) and talk\.\n", line)
        assert found, line
        yield process, found[1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_serve_prints_where_the_page_is_serves_it_and_leaves_cleanly_on_sigterm() -> None:
    async with serving("--upstream", NOWHERE) as (process, url), aiohttp.ClientSession() as client:
        async with client.get(url) as got:
            assert (got.status, got.content_type) == (200, "text/html")
        async with client.get(f"{url}/v1/scenarios") as got:
            listed = await got.json()
        assert listed["demo"] is False
        assert "simple_handoff" in [one["id"] for one in listed["data"]]
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            _, err = await process.communicate()
        assert process.returncode == 0
        assert b"server.stopped" in err
        assert b"Traceback" not in err


# -- the doctor ---------------------------------------------------------------------------------------------
def findings(settings: Settings, *looks: object) -> list[doctor.Finding]:
    return [finding for look in doctor._LOOKS if look in looks or not looks for finding in look(settings)]


def test_the_doctor_counts_what_must_be_repaired(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "_LOOKS", (lambda _: iter([("ok", "fine"), ("note", "hm")]),))
    assert doctor.examine(Settings()) == 0
    assert capsys.readouterr().out == "ok    fine\nnote  hm\n\nReady: rtbridge serve\n"
    monkeypatch.setattr(doctor, "_LOOKS", (lambda _: iter([("bad", "broken")]),))
    assert doctor.examine(Settings()) == 1
    assert capsys.readouterr().out.endswith("1 to repair.\n")


def test_the_doctor_finds_this_checkout_well() -> None:
    found = findings(
        Settings(port=0),
        doctor._python,
        doctor._media,
        doctor._scenarios,
        doctor._page,
        doctor._door,
        doctor._extras,
    )
    assert [finding for finding in found if finding[0] == "bad"] == []
    assert any("libopus loads" in words for _, words in found)


def test_the_doctor_tells_which_upstream_would_answer() -> None:
    def told(**given: object) -> str:
        ((mark, words),) = doctor._upstream(load_settings(**given))
        assert mark == "ok"
        return words

    assert told() == "upstream: the embedded engine (no OPENAI_API_KEY)"
    assert told(upstream="engine", openai_api_key="sk-canary") == "upstream: the embedded engine"
    assert "api.openai.com" in told(openai_api_key="sk-canary")
    assert "canary" not in told(openai_api_key="sk-canary")
    assert "127.0.0.1:9" in told(upstream=NOWHERE)
    assert "canary" not in told(upstream="wss://user:canary@example.org/v1/realtime")


def test_the_doctor_names_a_door_that_would_stay_shut() -> None:
    assert findings(Settings(host="0.0.0.0"), doctor._door)[0][0] == "bad"
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        ((mark, words),) = findings(Settings(port=holder.getsockname()[1]), doctor._door)
    assert mark == "bad"
    assert "try --port 0" in words
    few = findings(Settings(port=0, media_ports="50000-50003"), doctor._door)
    assert few[-1][0] == "note"


def test_the_doctor_notices_a_misspelt_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTBRIDGE_PROT", "1")
    monkeypatch.setenv("RTBRIDGE_PORT", "1")
    notes = [
        words
        for mark, words in findings(Settings(), doctor._extras)
        if mark == "note" and "RTBRIDGE" in words
    ]
    assert len(notes) == 1
    assert notes[0].startswith("RTBRIDGE_PROT ")


def test_the_doctor_tells_broken_scenarios_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "agents.py").write_text("import nothing_of_that_name\n")
    found = findings(Settings(scenarios=tmp_path), doctor._scenarios)
    assert {mark for mark, _ in found} == {"bad"}


def test_the_doctor_minds_a_broken_engine_only_when_it_would_be_used() -> None:
    def broken(**_: object) -> None:
        raise RtbridgeError("model.onnx is missing")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rtbridge.engine.load.load_parts", broken)
        assert findings(Settings(), doctor._engine) == [("bad", "engine: model.onnx is missing")]
        used = Settings(upstream=NOWHERE)
        assert findings(used, doctor._engine) == [("note", "engine: model.onnx is missing")]
