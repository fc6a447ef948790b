"""Effects happen once: whatever is asked again, fails, crashes or cannot be written down."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from agents.tool import invoke_function_tool
from agents.tool_context import ToolContext

from agents import FunctionTool, RunContextWrapper, function_tool
from rtbridge.agents import effect_book
from rtbridge.agents.context import CallContext
from rtbridge.agents.effect_book import NOT_DONE, UNKNOWN, EffectBook, book_at, canonical
from rtbridge.agents.effects import caller_turn, declared, effect
from rtbridge.agents.tools import guarded
from rtbridge.errors import Refused


async def call(tool: FunctionTool, context: Any, arguments: dict[str, Any]) -> Any:
    text = json.dumps(arguments)
    ctx = ToolContext(context, tool_name=tool.name, tool_call_id="call_1", tool_arguments=text)
    return json.loads(await invoke_function_tool(function_tool=guarded(tool), context=ctx, arguments=text))


class Shop:
    """A world that counts what was done to it."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.error: Exception | None = None

    def tool(self, **declaration: Any) -> FunctionTool:
        @effect("effectful", **declaration)
        @function_tool
        async def order(ctx: RunContextWrapper[CallContext], item: str) -> dict[str, Any]:
            """Order an item."""
            if self.error is not None:
                raise self.error
            self.done[item] += 1
            return {"order": f"{item}-{self.done[item]}"}

        return order


def context(book: EffectBook | None = None, **more: Any) -> CallContext:
    return CallContext("shop", "seller", call_id="rtc_1", effects=book or EffectBook(), **more)


async def test_an_effect_asked_for_again_is_answered_with_its_result_and_not_done_again() -> None:
    shop, ctx = Shop(), context()
    order = shop.tool()
    first = await call(order, ctx, {"item": "board"})
    assert first == await call(order, ctx, {"item": " Board "}) == {"order": "board-1"}
    assert shop.done == {"board": 1}
    assert await call(order, ctx, {"item": "boots"}) == {"order": "boots-1"}


async def test_another_call_is_another_effect(tmp_path: Path) -> None:
    shop, book = Shop(), EffectBook(tmp_path / "effects.db")
    order = shop.tool()
    for call_id in ("rtc_1", "rtc_2", "rtc_1"):
        await call(order, CallContext("shop", "seller", call_id=call_id, effects=book), {"item": "board"})
    assert shop.done == {"board": 2}
    await book.close()


async def test_a_scope_makes_calls_of_one_customer_one(tmp_path: Path) -> None:
    shop = Shop()
    order = shop.tool(scope=lambda context, _given: context.state["customer"])
    answers = []
    for call_id, customer in (("rtc_1", "a"), ("rtc_2", "a"), ("rtc_3", "b")):
        book = EffectBook(tmp_path / "effects.db")
        ctx = CallContext("shop", "seller", call_id=call_id, effects=book, state={"customer": customer})
        answers.append(await call(order, ctx, {"item": "board"}))
        await book.close()
    assert answers == [{"order": "board-1"}, {"order": "board-1"}, {"order": "board-2"}]


async def test_a_book_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effect_book, "MOST_IN_MEMORY", 5)
    monkeypatch.setattr(effect_book, "PRUNED_EVERY", 10)
    shop, ctx = Shop(), context()
    order = shop.tool()
    for n in range(20):
        await call(order, ctx, {"item": f"item {n}"})
    assert ctx.effects._db is not None
    assert ctx.effects._db.execute("SELECT count(*) FROM effects").fetchone()[0] <= 5


async def test_a_new_word_of_the_caller_can_be_a_new_confirmation() -> None:
    shop = Shop()
    said = [("user", "gloves please")]
    ctx = context(transcript=lambda: said)
    order = shop.tool(confirmation=caller_turn)
    for _ in range(2):
        await call(order, ctx, {"item": "gloves"})
    assert shop.done == {"gloves": 1}
    said.append(("user", "one more pair"))
    await call(order, ctx, {"item": "gloves"})
    assert shop.done == {"gloves": 2}


async def test_two_requests_at_once_are_one_effect_and_both_get_its_result() -> None:
    shop, ctx = Shop(), context()
    order = shop.tool()
    answers = await asyncio.gather(*(call(order, ctx, {"item": "board"}) for _ in range(5)))
    assert answers == [{"order": "board-1"}] * 5
    assert shop.done == {"board": 1}


async def test_an_effect_that_failed_half_way_is_unknown_and_not_run_again() -> None:
    shop, ctx = Shop(), context()
    order = shop.tool()
    shop.error = OSError("the line went dead")
    assert (await call(order, ctx, {"item": "board"}))["status"] == "unknown"
    shop.error = None
    assert (await call(order, ctx, {"item": "board"}))["status"] == "unknown"
    assert shop.done == {}


@pytest.mark.parametrize(
    ("trace", "answer", "done"),
    [
        ({"order": "board-1"}, {"order": "board-1"}, 0),
        (NOT_DONE, {"order": "board-1"}, 1),
        (UNKNOWN, None, 0),
    ],
)
async def test_an_effect_whose_result_was_lost_is_looked_up(trace: Any, answer: Any, done: int) -> None:
    async def look_up(_context: CallContext, arguments: Any) -> Any:
        assert arguments == {"item": "board"}
        return trace

    shop, ctx = Shop(), context()
    order = shop.tool(look_up=look_up)
    shop.error = OSError("the line went dead")
    await call(order, ctx, {"item": "board"})
    shop.error = None
    again = await call(order, ctx, {"item": "board"})
    assert again == answer or (answer is None and again["status"] == "unknown")
    assert shop.done["board"] == done


async def test_a_refusal_is_told_and_leaves_nothing_behind() -> None:
    shop, ctx = Shop(), context()
    allowed = False

    def require(_context: CallContext, _arguments: Any) -> None:
        if not allowed:
            raise Refused("Ask for the phone number first.")

    order = shop.tool(require=require)
    answer = await call(order, ctx, {"item": "board"})
    assert answer == {"error": {"type": "refused", "message": "Ask for the phone number first."}}
    shop.error = Refused("Sold out.")
    allowed = True
    assert (await call(order, ctx, {"item": "board"}))["error"]["message"] == "Sold out."
    shop.error = None
    assert await call(order, ctx, {"item": "board"}) == {"order": "board-1"}


async def test_an_effect_that_cannot_be_written_down_is_not_done(tmp_path: Path) -> None:
    shop = Shop()
    order = shop.tool()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "missing" / "effects.db", tmp_path / "folder", Path("/dev/full")):
        answer = await call(order, context(EffectBook(path)), {"item": "board"})
        assert answer["error"]["type"] == "not_recorded"
    assert (await call(order, {"a": "dict"}, {"item": "board"}))["error"]["type"] == "not_recorded"
    assert shop.done == {}


async def test_a_disk_that_fills_up_refuses_the_next_effect_and_recovers(tmp_path: Path) -> None:
    shop, book = Shop(), EffectBook(tmp_path / "effects.db")
    order, ctx = shop.tool(), context(book)
    await call(order, ctx, {"item": "board"})
    assert book._db is not None
    pages = book._db.execute("PRAGMA page_count").fetchone()[0]
    book._db.execute(f"PRAGMA max_page_count={pages}")
    answers = [await call(order, ctx, {"item": f"item {n}"}) for n in range(200)]
    refused = [n for n, answer in enumerate(answers) if "error" in answer]
    assert refused
    assert sum(shop.done.values()) == 1 + 200 - len(refused)
    await book.close()
    again = await call(order, ctx, {"item": f"item {refused[0]}"})
    assert again == {"order": f"item {refused[0]}-1"}
    await book.close()


async def test_the_intent_is_on_disk_before_the_effect_and_the_result_before_the_answer(
    tmp_path: Path,
) -> None:
    path = tmp_path / "effects.db"
    seen: list[tuple[str, list[Any]]] = []

    def look(point: str) -> None:
        if path.exists():
            with sqlite3.connect(path) as other:
                rows = [row[0] for row in other.execute("SELECT result FROM effects")]
            other.close()
            seen.append((point, rows))

    book = EffectBook(path, at=look)
    shop = Shop()
    answer = await call(shop.tool(), context(book), {"item": "board"})
    assert seen == [("after_intent", [None]), ("after_act", [None]), ("after_result", [json.dumps(answer)])]
    assert book._db is not None
    assert book._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert book._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await book.close()


async def test_what_a_caller_is_known_by_is_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "effects.db"
    book = EffectBook(path)
    await call(Shop().tool(), context(book), {"item": "first"})

    async def act() -> bool:
        return True

    await book.once(call_id="rtc_1", tool="save", arguments={"phone": "2065550123"}, act=act)
    await book.close()
    written = await asyncio.to_thread(lambda: [file.read_bytes() for file in tmp_path.iterdir()])
    assert b"2065550123" not in b"".join(written)


def test_only_spelling_is_made_equal() -> None:
    assert canonical({"b": 1.0, "a": [" Main  ST"]}) == canonical({"a": ("main st",), "b": 1})
    assert canonical({"a": 1}) != canonical({"a": 2})
    assert canonical("1") != canonical(1)


def test_an_effect_is_declared_and_survives_the_guard() -> None:
    @function_tool
    def look() -> str:
        return ""

    assert declared(look) == "none"
    assert declared(guarded(Shop().tool())) == "effectful"
    with pytest.raises(ValueError, match="not 'twice'"):
        effect("twice")  # type: ignore[arg-type]


def test_a_file_is_opened_once_a_process_and_memory_once_a_call(tmp_path: Path) -> None:
    assert book_at(str(tmp_path / "a.db")) is book_at(str(tmp_path / "." / "a.db"))
    assert book_at("") is not book_at("")
