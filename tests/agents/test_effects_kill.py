"""T3: effects under kill points, by an exception in 2,000 interleavings and by a real kill -9 of a process."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rtbridge.agents.effect_book import AFTER_ACT, AFTER_INTENT, BEFORE_INTENT, NOT_DONE, POINTS, EffectBook


class Killed(BaseException):
    """The process died here."""


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
    schedules = count(150, 2000)
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


def in_a_process_of_its_own(folder: Path, items: Sequence[str], kill_at: str, kill_in: int) -> int:
    """Do effects in a fork that is killed at a point of its `kill_in`-th effect; return its wait status.

    The world is a file that each effect adds a line to; what was acknowledged is another.
    """
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    world, acknowledged = folder / "world.txt", folder / "acknowledged.txt"
    begun = 0

    def at(point: str) -> None:
        nonlocal begun
        begun += point == BEFORE_INTENT
        if point == kill_at and begun == kill_in:
            os.kill(os.getpid(), signal.SIGKILL)

    async def ask(book: EffectBook, item: str) -> str:
        async def act() -> str:
            at("before_act")
            with world.open("a") as file:
                file.write(f"{item}\n")
            at("in_act")
            return f"{item} done"

        async def look_up() -> Any:
            there = world.exists() and item in world.read_text().split()
            return f"{item} done" if there else NOT_DONE

        return await book.once(call_id="c", tool="order", arguments={"item": item}, act=act, look_up=look_up)

    async def live() -> None:
        book = EffectBook(folder / "effects.db", at=at)
        for item in items:
            answer = await ask(book, item)
            if answer != f"{item} done":
                os._exit(1)
            with acknowledged.open("a") as file:
                file.write(f"{item}\n")

    asyncio.run(live())
    os._exit(0)


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize("point", [*POINTS, "before_act", "in_act"])
def test_kill_9_at_each_named_point_doubles_nothing_and_loses_nothing(tmp_path: Path, point: str) -> None:
    assert os.WTERMSIG(in_a_process_of_its_own(tmp_path, ["board"], point, 1)) == signal.SIGKILL
    assert lines(tmp_path / "acknowledged.txt") == []
    if point in (
        AFTER_INTENT,
        "before_act",
        "in_act",
        AFTER_ACT,
    ):  # the intent was on disk before anything else
        with sqlite3.connect(tmp_path / "effects.db") as left:
            assert left.execute("SELECT tool, result FROM effects").fetchall() == [("order", None)]
        left.close()
    assert in_a_process_of_its_own(tmp_path, ["board"], "", 0) == 0
    assert lines(tmp_path / "world.txt") == lines(tmp_path / "acknowledged.txt") == ["board"]


def test_many_lives_that_end_by_kill_9_double_nothing_and_lose_nothing(
    tmp_path: Path, count: Callable[[int, int], int], keep_figures: Callable[[str, dict[str, Any]], None]
) -> None:
    schedules, killed = count(8, 100), 0
    items = ["board", "boots", "gloves"]
    for seed in range(schedules):
        rng, folder = random.Random(seed), tmp_path / str(seed)
        folder.mkdir()
        for _ in range(rng.randint(2, 5)):
            point = rng.choice((*POINTS, "before_act", "in_act"))
            status = in_a_process_of_its_own(folder, rng.sample(items, 3), point, rng.randint(1, 3))
            killed += os.WIFSIGNALED(status)
            world = Counter(lines(folder / "world.txt"))
            assert max(world.values(), default=0) <= 1, (seed, world)  # nothing twice
            assert set(lines(folder / "acknowledged.txt")) <= set(world), seed  # nothing acknowledged is lost
        assert in_a_process_of_its_own(folder, items, "", 0) == 0
        assert sorted(lines(folder / "world.txt")) == items, seed
    figures = {"schedules": schedules, "killed": killed, "doubled": 0, "lost": 0}
    print(figures)
    keep_figures("effects_kill_9", figures)
    assert killed >= schedules
