"""A deadline holds even for work that does not listen."""

from __future__ import annotations

import asyncio

import pytest

from rtbridge.agents.deadline import GRACE_S, Late, within
from rtbridge.replay.clock import on_virtual_time


async def stubborn(seconds: float, ended: list[str]) -> str:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        await asyncio.sleep(seconds)
    ended.append("late")
    raise RuntimeError("nobody looks at this")


@on_virtual_time()
async def test_work_that_listens_ends_with_its_deadline() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    with pytest.raises(Late):
        await within(2.0, work())
    assert ended == ["cleaned up"]
    assert asyncio.get_running_loop().time() == pytest.approx(2.0)


@on_virtual_time(limit_s=90)
async def test_work_that_does_not_listen_is_left_behind_and_its_end_is_of_no_interest() -> None:
    ended: list[str] = []
    with pytest.raises(Late):
        await within(2.0, stubborn(30, ended))
    assert asyncio.get_running_loop().time() == pytest.approx(2.0 + GRACE_S)
    await asyncio.sleep(60)
    assert ended == ["late"]
    assert len(asyncio.all_tasks()) == 1


@on_virtual_time()
async def test_what_work_returns_and_raises_is_handed_on_a_timeout_of_its_own_too() -> None:
    async def work(error: Exception | None) -> int:
        if error is not None:
            raise error
        return 7

    assert await within(1.0, work(None)) == 7
    with pytest.raises(TimeoutError, match="the database"):
        await within(1.0, work(TimeoutError("the database")))


@on_virtual_time()
async def test_cancelling_whoever_waits_cancels_the_work() -> None:
    ended: list[str] = []
    task = asyncio.get_running_loop().create_task(within(60, stubborn(0, ended)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert ended == ["late"]
