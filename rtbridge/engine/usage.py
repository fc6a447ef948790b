"""What a response counts as, in tokens.

The engine has no tokeniser, so it counts by rules that anybody can redo: audio by the published rates of the Realtime
API (caller: one token per 100 ms; assistant: one per 50 ms), text at one token per four characters, rounded up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rtbridge.core import pcm as audio
from rtbridge.engine.items import Item

_USER_AUDIO_MS = 100
_ASSISTANT_AUDIO_MS = 50


def text_tokens(text: str) -> int:
    """Return the tokens of `text`."""
    return -(-len(text) // 4)


def audio_tokens(samples: int, *, of_caller: bool) -> int:
    """Return the tokens of `samples` of audio."""
    return -(-samples * 1000 // (audio.RATE * (_USER_AUDIO_MS if of_caller else _ASSISTANT_AUDIO_MS)))


def item_text_tokens(item: Item) -> int:
    """Return the text tokens of an item; a transcript of the assistant's own audio counts, the caller's does not."""
    wire = item.wire
    parts = wire.get("content", ())
    texts = [part.get("text") or "" for part in parts]
    texts += [part.get("transcript") or "" for part in parts if part["type"] == "output_audio"]
    return sum(map(text_tokens, [*texts, *(wire.get(key, "") for key in ("name", "arguments", "output"))]))


def _audio(items: Iterable[Item]) -> int:
    return sum(audio_tokens(item.samples, of_caller=item.is_audio("user")) for item in items)


def output_tokens(output: Iterable[Item]) -> int:
    """Return the tokens of what a response has put out so far."""
    output = list(output)
    return _audio(output) + sum(map(item_text_tokens, output))


def usage(instructions: str, context: list[Item], output: list[Item]) -> dict[str, Any]:
    """Return `response.usage` (Realtime: RealtimeResponseUsage). Nothing is ever cached."""
    text_in = text_tokens(instructions) + sum(map(item_text_tokens, context))
    audio_in = _audio(context)
    text_out, audio_out = sum(map(item_text_tokens, output)), _audio(output)
    return {
        "total_tokens": text_in + audio_in + text_out + audio_out,
        "input_tokens": text_in + audio_in,
        "output_tokens": text_out + audio_out,
        "input_token_details": {
            "text_tokens": text_in,
            "audio_tokens": audio_in,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
    }
