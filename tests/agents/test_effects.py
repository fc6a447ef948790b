"""Effects happen once: whatever is asked again, fails, crashes or cannot be written down."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agents.tool import invoke_function_tool
from agents.tool_context import ToolContext

from agents import FunctionTool, RunContextWrapper, function_tool
from rtbridge.agents import effect_book
from rtbridge.agents.context import CallContext
from rtbridge.agents.effect_book import NOT_DONE, POINTS, UNKNOWN, EffectBook, book_at, canonical
from rtbridge.agents.effects import caller_turn, declared, effect
from rtbridge.agents.tools import guarded
from rtbridge.errors import Refused


class Killed(BaseException):
    """The process died here."""


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


# -- T3: interleavings with kill points --------------------------------------------------------------------------
class World:
    """Effects that can be looked up, or not; the process that makes them dies at any point."""

    def __init__(self, rng: random.Random, path: Path) -> None:
        self.rng, self.path = rng, path
        self.done: Counter[str] = Counter()
        self.acknowledged: dict[str, str] = {}
        self.unknown: set[str] = set()
        self.can_look_up = rng.random() < 0.7
        self.kill_at = ""
        self.book = EffectBook(path, at=self.point)

    def point(self, name: str) -> None:
        if name == self.kill_at:
            raise Killed

    async def ask(self, item: str) -> None:
        async def act() -> str:
            self.point("before_act")
            await asyncio.sleep(0)
            self.done[item] += 1
            self.point("in_act")
            return f"{item} done"

        async def look_up() -> Any:
            return f"{item} done" if self.done[item] else NOT_DONE

        answer = await self.book.once(
            call_id="rtc_1",
            tool="order",
            arguments={"item": item},
            act=act,
            look_up=look_up if self.can_look_up else None,
        )
        if answer == f"{item} done":
            self.acknowledged[item] = answer
        else:
            assert json.loads(answer)["status"] == "unknown"
            self.unknown.add(item)

    async def life(self) -> None:
        """One process: asks some things, at once and in turn, is barged into, and dies or ends."""
        places = (*POINTS, "before_act", "in_act", "", "")
        self.kill_at = self.rng.choice(places)
        try:
            for _ in range(self.rng.randint(1, 3)):
                asks = [asyncio.ensure_future(self.ask(self.item())) for _ in range(self.rng.randint(1, 3))]  # noqa: TID251 - gathered below
                if self.rng.random() < 0.3:
                    await asyncio.sleep(0)
                    asks[0].cancel()
                gathered = await asyncio.gather(*asks, return_exceptions=True)
                if any(isinstance(one, Killed) for one in gathered):
                    raise Killed
        except Killed:
            pass
        self.kill_at = ""
        await self.book.close()
        self.book = EffectBook(self.path, at=self.point)

    def item(self) -> str:
        return self.rng.choice(("board", "boots"))


def interleave(seed: int, path: Path) -> World:
    """Run several lives of one process over one file, inline: threads would make it slow, not more random."""
    world = World(random.Random(seed), path)

    async def run() -> None:
        for _ in range(world.rng.randint(2, 4)):
            await world.life()
        for item in ("board", "boots"):
            await world.ask(item)
        await world.book.close()

    asyncio.run(run())
    return world


def test_random_interleavings_with_kill_points_double_nothing_and_lose_nothing(
    tmp_path: Path, count: Callable[[int, int], int], keep_figures: Callable[[str, dict[str, Any]], None]
) -> None:
    schedules = count(300, 2000)
    doubled = lost = effects = unknown = 0
    for seed in range(schedules):
        world = interleave(seed, tmp_path / f"{seed}.db")
        effects += sum(world.done.values())
        unknown += len(world.unknown)
        doubled += sum(1 for times in world.done.values() if times > 1)
        lost += sum(1 for item in world.acknowledged if not world.done[item])
        if world.can_look_up:  # then everything asked for is done in the end, and known to be
            assert world.done == {"board": 1, "boots": 1}, seed
            assert set(world.acknowledged) == {"board", "boots"}, seed
    figures = {
        "schedules": schedules,
        "effects": effects,
        "unknown": unknown,
        "doubled": doubled,
        "lost": lost,
    }
    print(figures)
    keep_figures("effects_interleavings", figures)
    assert (doubled, lost) == (0, 0)
    assert unknown > 0  # the schedules do reach what cannot be known


def in_a_process_of_its_own(path: Path, world: Path, kill_at: str) -> int:
    """Do the effect in a fork that is killed at a point; return its wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]

    def at(point: str) -> None:
        if point == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    async def act() -> str:
        with world.open("a") as file:
            file.write("x")
        return "done"

    def seen() -> Any:
        return "done" if world.exists() else NOT_DONE

    async def look_up() -> Any:
        return seen()

    book = EffectBook(path, at=at)
    answer = asyncio.run(book.once(call_id="c", tool="t", arguments={}, act=act, look_up=look_up))
    os._exit(0 if answer == "done" else 1)


def test_kill_9_at_each_named_point_doubles_nothing_and_loses_nothing(tmp_path: Path) -> None:
    for point in POINTS:
        path, world = tmp_path / f"{point}.db", tmp_path / f"{point}.txt"
        assert os.WTERMSIG(in_a_process_of_its_own(path, world, point)) == signal.SIGKILL
        assert in_a_process_of_its_own(path, world, "") == 0, point
        assert world.read_text() == "x", point
