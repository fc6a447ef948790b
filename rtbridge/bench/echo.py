"""An upstream that says back what it hears: the far end of `rtbridge bench media`, in a process of its own.

It speaks just enough of the Realtime API for a bridge to talk to it: sessions are acknowledged, the first
response.create opens a response that never ends, and each `input_audio_buffer.append` comes back as a
`response.output_audio.delta` of it, its base64 untouched, so that nearly all the work measured is the bridge's.
"""

from __future__ import annotations

import asyncio
import json
import sys

from aiohttp import WSMsgType, web

from rtbridge.bench.child import announce

_AUDIO = '"audio"'
_IDS = '"event_id":"event_1","response_id":"resp_1","item_id":"item_1","output_index":0,"content_index":0'


async def _realtime(request: web.Request) -> web.WebSocketResponse:
    wire = web.WebSocketResponse(compress=False, max_msg_size=16 * 1024 * 1024)
    await wire.prepare(request)
    speaking = "echo" in request.query  # stock baseline: no protocol, echo at once
    await wire.send_str('{"type":"session.created","event_id":"event_0","session":{"type":"realtime"}}')
    async for message in wire:
        if message.type is not WSMsgType.TEXT:
            continue
        text: str = message.data
        if '"input_audio_buffer.append"' in text[:60]:
            if speaking:
                start = text.index('"', text.index(_AUDIO) + len(_AUDIO)) + 1
                end = text.index('"', start)
                await wire.send_str(
                    f'{{"type":"response.output_audio.delta",{_IDS},"delta":"{text[start:end]}"}}'
                )
            continue
        event = json.loads(text)
        if event["type"] == "session.update":
            await wire.send_json(
                {"type": "session.updated", "event_id": "event_2", "session": event["session"]}
            )
        elif event["type"] == "response.create" and not speaking:
            speaking = True
            item = {
                "id": "item_1",
                "type": "message",
                "role": "assistant",
                "status": "in_progress",
                "content": [],
            }
            await wire.send_json(
                {
                    "type": "response.created",
                    "event_id": "event_3",
                    "response": {"id": "resp_1", "output": []},
                }
            )
            await wire.send_json(
                {
                    "type": "response.output_item.added",
                    "event_id": "event_4",
                    "response_id": "resp_1",
                    "output_index": 0,
                    "item": item,
                }
            )
    return wire


async def _serve() -> None:
    app = web.Application()
    app.router.add_get("/v1/realtime", _realtime)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    announce(runner.addresses[0][1])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the parent closes it
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve())
