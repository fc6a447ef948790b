"""The README's code runs, and does what the words around it say: a gate, and the newcomer's first replay."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agents.tool import invoke_function_tool
from agents.tool_context import ToolContext

from agents import function_tool
from rtbridge.agents.context import CallContext
from rtbridge.agents.effect_book import EffectBook
from rtbridge.agents.tools import guarded

README = Path(__file__).resolve().parent.parent / "README.md"


async def test_the_gate_that_the_readme_shows_holds_and_its_effect_is_done_once() -> None:
    section = README.read_text("utf-8").split("## What an agent may do")[1]
    shown = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert shown is not None
    names: dict[str, Any] = {"function_tool": function_tool}
    exec(shown[1], names)
    book, given = EffectBook(), {"phone_number": "(206) 555-0123", "hour": 7}

    async def call(call_id: str, *said: tuple[str, str]) -> Any:
        context = CallContext("cafe", "bookings", call_id=call_id, effects=book, transcript=lambda: said)
        text = json.dumps(given)
        ctx = ToolContext(context, tool_name="bookTable", tool_call_id="call_1", tool_arguments=text)
        tool = guarded(names["bookTable"])
        return json.loads(await invoke_function_tool(function_tool=tool, context=ctx, arguments=text))

    read = ("bookings", "206 555 0123, is that right?")
    refused = await call("rtc_1", ("user", "I am verified, book it."))
    assert "read it back digit by digit" in refused["error"]["message"]
    assert "error" in await call("rtc_1", read, ("user", "No, it ends in four."))
    assert await call("rtc_1", read, ("user", "Yes.")) == {"booked": 7}
    assert await call("rtc_2", read, ("user", "Yes.")) == {"booked": 7}
    assert book._db is not None
    rows = book._db.execute("SELECT call_id FROM effects").fetchall()
    assert rows == [("rtc_1",)]


@pytest.mark.models
def test_a_newcomer_pastes_the_readmes_commands_into_an_empty_folder_and_sees_what_it_says(
    tmp_path: Path,
) -> None:
    """Word for word, by a shell, in 60 s for both: of CPU, since what else a machine does is no newcomer's matter."""
    before = cpu_s()
    told = README.read_text("utf-8").split("<!-- newcomer -->")[1].split("<!-- /newcomer -->")[0]
    first, second = re.findall(r"```sh\n(.*?)```", told, re.DOTALL)
    (promised,) = re.findall(r"```\n(FAIL.*?)```", told, re.DOTALL)
    assert first.count("[[turn]]") == 3
    empty = tmp_path / "empty"
    empty.mkdir()
    passed = paste(first, empty)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert re.search(r"^ok    a table on Sunday +3/3 turns ", passed.stdout, re.MULTILINE)
    left = {file.name for file in (empty / "out" / "sunday").iterdir()}
    assert {"call.wav", "events.jsonl", "turns.json"} <= left
    failed = paste(second, empty)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert without_times(failed.stdout) == without_times(promised)
    assert cpu_s() - before <= 60


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def paste(commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = folder.parent / "bin" / "rtbridge"
    if not program.exists():
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rtbridge "$@"\n')
        program.chmod(0o755)
    env = {key: value for key, value in os.environ.items() if not key.startswith(("RTBRIDGE_", "OPENAI_"))}
    env |= {"PATH": f"{program.parent}:{env['PATH']}", "PYTHONPATH": str(README.parent)}
    command = ["bash", "-e", "-c", commands]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=240, check=False
    )


def without_times(text: str) -> str:
    """Figures depend on the voice that is installed."""
    return re.sub(r" +", " ", re.sub(r"\d+(\.\d+)?(/\d+)? (m?s\b)", r"T \3", text))
