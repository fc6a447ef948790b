"""The README's code about gates runs, and does what the words around it say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

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
