"""Leaving: a drain that lets calls finish, a second signal that ends them, an address that cannot be had."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import aiohttp
import pytest

from rtbridge.errors import SettingsError
from rtbridge.server.run import listening, serve
from server_rig import OFFER, SDP, Running, running


class Serving:
    """A bridge under `serve`, which waits for a signal."""

    def __init__(self, bridge: Running) -> None:
        self.bridge = bridge
        self.url = ""
        self.up = asyncio.Event()

    def ready(self, url: str) -> None:
        self.url = url
        self.up.set()

    async def run(self) -> None:
        await serve(self.bridge.bridge, self.bridge.board, host="127.0.0.1", port=0, ready=self.ready)


async def test_sigterm_refuses_new_calls_at_once_and_lets_running_ones_finish() -> None:
    async with running(listen=False) as bridge, asyncio.TaskGroup() as group:
        serving = Serving(bridge)
        task = group.create_task(serving.run())
        await serving.up.wait()
        bridge.port = int(serving.url.rsplit(":", 1)[1])
        assert (await bridge.call())[0] == 201
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            while (await bridge.ask("GET", "/readyz"))[0] == 200:
                pass
            status, headers, _ = await bridge.call()
            assert (status, "Retry-After" in headers) == (503, True)
            assert not task.done()
            bridge.board.hangup("rtc_1", "over")
            await task


async def test_a_second_signal_hangs_up() -> None:
    async with running(listen=False) as bridge, asyncio.TaskGroup() as group:
        serving = Serving(bridge)
        task = group.create_task(serving.run())
        await serving.up.wait()
        bridge.port = int(serving.url.rsplit(":", 1)[1])
        assert (await bridge.call())[0] == 201
        async with asyncio.timeout(5):
            os.kill(os.getpid(), signal.SIGINT)
            while not bridge.bridge.calls.draining:
                await bridge.ask("GET", "/readyz")
            os.kill(os.getpid(), signal.SIGTERM)
            await task
        assert bridge.board.ended == [("rtc_1", "server_stopping")]


async def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(SettingsError, match=r"is taken.*--port"):
            async with listening(aiohttp.web.Application(), "127.0.0.1", port):
                raise AssertionError("it was free")


async def test_an_address_that_is_not_ours_is_told() -> None:
    with pytest.raises(SettingsError, match=r"cannot listen on 203\.0\.113\.7"):
        async with listening(aiohttp.web.Application(), "203.0.113.7", 0):
            raise AssertionError("it was ours")


async def test_ipv6_loopback_is_served_and_its_url_has_brackets() -> None:
    async with running(listen=False) as bridge, asyncio.TaskGroup() as group:
        serving = Serving(bridge)
        task = group.create_task(serve(bridge.bridge, bridge.board, host="::1", port=0, ready=serving.ready))
        await serving.up.wait()
        assert serving.url.startswith("http://[::1]:")
        async with bridge.client.post(f"{serving.url}/v1/realtime/calls", data=OFFER, headers=SDP) as got:
            assert got.status == 201
        bridge.board.legs.clear()
        os.kill(os.getpid(), signal.SIGTERM)
        await task
