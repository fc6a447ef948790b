"""The baseline of `rtbridge bench media`: a bridge as one writes it on stock aiortc. Frozen, so nobody can move it.

Same work as ours: WebRTC in, 24 kHz mono over a WebSocket as JSON and base64, and back out. It uses aiortc's public
classes as its documentation shows them: `track.recv()`, AudioResampler, an AudioStreamTrack of 20 ms frames. Two
favours: no STUN server (it would cost 5 s where none answers), and 127.0.0.1 as its address.
"""

from __future__ import annotations

import asyncio
import base64
import fractions
import json
import sys
import time

import av
from aiohttp import ClientSession, WSMsgType, web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from rtbridge.bench.child import announce
from rtbridge.rtc import private, sockets

RATE = 24_000
SAMPLES = 480


class _Speaker(MediaStreamTrack):
    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.buffer = bytearray()
        self._start: float | None = None
        self._pts = 0

    async def recv(self) -> av.AudioFrame:
        if self._start is None:
            self._start = time.monotonic()
        else:
            self._pts += SAMPLES
            await asyncio.sleep(max(0, self._start + self._pts / RATE - time.monotonic()))
        size = SAMPLES * 2
        chunk = bytes(self.buffer[:size])
        del self.buffer[:size]
        frame = av.AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        frame.planes[0].update(chunk.ljust(size, b"\0"))
        frame.sample_rate = RATE
        frame.pts = self._pts
        frame.time_base = fractions.Fraction(1, RATE)
        return frame


def _bind_loopback(peer: RTCPeerConnection) -> None:
    """Let aioice gather 127.0.0.1, which it leaves out; how packets travel from there on is its own affair."""
    _, _, ice = private.peer_parts(peer)
    connection = private.connection_of(ice)

    async def gather(component: int, addresses: object) -> list[private.Candidate]:
        return await sockets.gather(
            connection,
            lambda: private.StunProtocol(connection),
            bind=("127.0.0.1",),
            ports=None,
            component=component,
        )

    private.replace_gathering(connection, gather)


async def _carry(upstream: str, track: MediaStreamTrack, speaker: _Speaker) -> None:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    async with ClientSession() as http, http.ws_connect(upstream, max_msg_size=0) as wire:

        async def listen() -> None:
            async for message in wire:
                if message.type is WSMsgType.TEXT:
                    event = json.loads(message.data)
                    if event["type"] == "response.output_audio.delta":
                        speaker.buffer += base64.b64decode(event["delta"])

        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(listen())
            try:
                while True:
                    frame = await track.recv()
                    assert isinstance(frame, av.AudioFrame)
                    for part in resampler.resample(frame):
                        pcm = bytes(part.planes[0])[: part.samples * 2]
                        audio = base64.b64encode(pcm).decode()
                        await wire.send_str(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
            except MediaStreamError:
                listening.cancel()


async def _serve(upstream: str) -> None:
    peers: list[RTCPeerConnection] = []
    async with asyncio.TaskGroup() as calls:

        async def answer(request: web.Request) -> web.Response:
            peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
            peers.append(peer)
            speaker = _Speaker()

            @peer.on("track")
            def on_track(track: MediaStreamTrack) -> None:
                calls.create_task(_carry(upstream, track, speaker))

            await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
            peer.addTrack(speaker)
            _bind_loopback(peer)
            await peer.setLocalDescription(await peer.createAnswer())
            return web.Response(text=peer.localDescription.sdp, status=201, content_type="application/sdp")

        app = web.Application()
        app.router.add_post("/v1/realtime/calls", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        announce(runner.addresses[0][1])
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for peer in peers:
            await peer.close()
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
