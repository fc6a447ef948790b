"""The virtual clock: what it jumps over, what it runs in place, how it gives up."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rtbridge.replay.clock import ClockLimit, ClockStalled, VirtualLoop, on_virtual_time, run_virtual

colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


def test_an_hour_of_sleep_takes_no_time_and_ends_exactly_on_the_hour() -> None:
    async def sleeper() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    began = time.perf_counter()
    assert run_virtual(sleeper, limit_s=4000) == 3600.0
    assert time.perf_counter() - began < 5


@on_virtual_time(limit_s=400)
async def test_ten_thousand_frames_of_twenty_ms_do_not_drift() -> None:
    loop = asyncio.get_running_loop()
    for n in range(1, 10_001):
        await asyncio.sleep(n * 0.020 - loop.time())
        assert round(loop.time() * 1e9) == n * 20_000_000


@on_virtual_time()
async def test_timers_fire_in_order_and_at_their_own_time() -> None:
    loop = asyncio.get_running_loop()
    fired: list[tuple[str, float]] = []
    done = loop.create_future()
    loop.call_at(2.5, lambda: fired.append(("late", loop.time())))
    loop.call_at(2.75, done.set_result, None)
    loop.call_at(1.0, lambda: fired.append(("first", loop.time())))
    loop.call_at(1.0, lambda: fired.append(("second", loop.time())))
    loop.call_later(0.25, lambda: fired.append(("soon", loop.time())))
    await done
    assert fired == [("soon", 0.25), ("first", 1.0), ("second", 1.0), ("late", 2.5)]


@on_virtual_time()
async def test_a_timeout_of_asyncio_counts_virtual_seconds() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(7):
            await loop.create_future()
    assert loop.time() == 7.0


@on_virtual_time()
async def test_a_thread_is_run_in_place_and_costs_no_virtual_time() -> None:
    def compute() -> str:
        time.sleep(0.02)
        return "computed"

    loop = asyncio.get_running_loop()
    began = loop.time()
    ticks: list[float] = []
    loop.call_at(0.001, lambda: ticks.append(loop.time()))
    assert await asyncio.to_thread(compute) == "computed"
    assert loop.time() == began
    assert ticks == []


def test_an_executor_that_somebody_sets_is_not_waited_for_at_the_end() -> None:
    class Slow(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            raise AssertionError("nothing ran in it")

    async def program() -> str:
        asyncio.get_running_loop().set_default_executor(Slow())
        return await asyncio.to_thread(str.upper, "done")

    assert run_virtual(program, limit_s=1) == "DONE"


@on_virtual_time()
async def test_a_thread_sees_the_context_and_cannot_change_it() -> None:
    def look() -> str:
        seen = colour.get()
        colour.set("thread")
        return seen

    colour.set("red")
    assert await asyncio.to_thread(look) == "red"
    assert await asyncio.get_running_loop().run_in_executor(None, look) == "red"
    assert colour.get() == "red"


@on_virtual_time()
async def test_what_a_thread_raises_reaches_whoever_awaits_it() -> None:
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(lambda: 1 / 0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.to_thread(next, iter(()))


@on_virtual_time()
async def test_a_pair_of_sockets_in_the_process_is_ready_before_the_clock_moves() -> None:
    left, right = socket.socketpair()
    reader, left_writer = await asyncio.open_connection(sock=left)
    _, right_writer = await asyncio.open_connection(sock=right)
    right_writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    assert asyncio.get_running_loop().time() == 0.0
    for writer in (left_writer, right_writer):
        writer.close()
        await writer.wait_closed()


def test_a_stall_says_which_task_waits_and_where() -> None:
    async def lonely() -> None:
        await asyncio.sleep(3)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(ClockStalled, match=r"at 3\.000 s; waiting: .*test_clock\.py:\d+"):
        run_virtual(lonely, limit_s=10)


def test_a_stall_lets_the_program_clean_up_and_cannot_be_swallowed() -> None:
    steps: list[str] = []

    async def stubborn() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await asyncio.sleep(1)
            steps.append("cleaned up")

    with pytest.raises(ClockStalled):
        run_virtual(stubborn, limit_s=10)
    assert steps == ["cleaned up"]


def test_a_stall_while_cleaning_up_still_ends_the_run() -> None:
    async def hopeless() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.shield(asyncio.get_running_loop().create_future())

    with pytest.raises(ClockStalled):
        run_virtual(hopeless, limit_s=10)


def test_a_run_past_its_virtual_time_is_ended_with_a_message() -> None:
    async def endless() -> None:
        for _ in range(1000):
            await asyncio.sleep(0.5)

    with pytest.raises(ClockLimit, match=r"after 30 s of virtual time; waiting: .*test_clock\.py"):
        run_virtual(endless, limit_s=30)


def test_the_task_groups_children_are_cancelled_in_the_same_order_every_time() -> None:
    def order() -> list[int]:
        ended: list[int] = []

        async def child(n: int) -> None:
            try:
                await asyncio.sleep(100)
            finally:
                ended.append(n)

        async def group() -> None:
            async with asyncio.TaskGroup() as tasks:
                for n in range(40):
                    tasks.create_task(child(n))
                await asyncio.sleep(1)
                raise KeyError("enough")

        with pytest.raises(BaseExceptionGroup):
            run_virtual(group, limit_s=10)
        return ended

    first = order()
    ballast = [object() for _ in range(1000)]
    assert [order() for _ in range(5)] == [first] * 5
    assert len(ballast) == 1000


def test_what_the_program_raises_passes_through() -> None:
    async def failing() -> None:
        await asyncio.sleep(1)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run_virtual(failing, limit_s=10)


def test_a_cancellation_of_its_own_is_not_taken_for_a_stall() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_virtual(cancelled, limit_s=10)


def test_a_new_loop_starts_at_zero() -> None:
    loop = VirtualLoop(limit_s=1)
    try:
        assert loop.time() == 0.0
    finally:
        loop.close()
