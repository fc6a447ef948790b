"""`rtbridge bench engine`: how many callers one core of the offline engine answers, and how soon.

The engine is served by a process of its own, pinned to one core; the callers are clients of its Realtime WebSocket,
in real time, half with a synthetic voice and half with recorded human prompts where those are installed. Latency runs
from the last audible sample of an utterance to the first audio of the answer, and so holds the silence setting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from rtbridge.bench.child import Child
from rtbridge.bench.engine_caller import EngineCaller
from rtbridge.errors import RtbridgeError
from rtbridge.replay.caller_voice import CallerVoice
from rtbridge.replay.sound import read_sound

P50_MS: Final = 400  # above the silence setting
P95_MS: Final = 600
PROBE_S: Final = 0.1
SEED: Final = 24
HUMAN: Final = Path("/usr/share/asterisk/sounds/en_US_f_Allison")  # Debian's asterisk-core-sounds-en-wav
PROMPTS: Final = ("queue-thankyou", "invalid", "ss-noservice", "conf-getpin", "all-circuits-busy-now")
TEXTS: Final = (
    "When are you open on Sunday?",
    "I would like to know where my order is.",
    "I want to send back the snowboard that I bought.",
    "Please cancel my order, I do not need it any more.",
    "Can you tell me something about your shop?",
)


def run(args: argparse.Namespace) -> int:
    """Run the bench and print it. Returns 0, 2 for arguments that cannot be, 3 when it could not be carried out."""
    in_bounds = 1 <= args.calls <= 60 and 5 <= args.seconds <= 600 and 200 <= args.silence_ms <= 2000
    if not in_bounds or not 1 <= args.repeat <= 20:
        print(
            "bench engine: --calls 1..60, --seconds 5..600, --silence-ms 200..2000, --repeat 1..20",
            file=sys.stderr,
        )
        return 2
    runs = []
    try:
        for _ in range(args.repeat):
            runs.append(asyncio.run(_measured(args.calls, args.seconds, args.silence_ms)))
        result = medians(runs)
    except (RtbridgeError, RuntimeError, OSError, ClientError, ExceptionGroup) as error:
        print(f"bench engine: {error}", file=sys.stderr)
        return 3
    print(json.dumps(result, indent=2) if args.json else table(result))
    return 0


async def _measured(calls: int, seconds: float, silence_ms: int) -> dict[str, Any]:
    synthetic, human = _utterances()
    core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    loop = asyncio.get_running_loop()
    with Child("rtbridge.bench.pinned", str(core), "engine", "--port", "0", "--log-level", "error") as child:
        rng = random.Random(SEED)
        url = f"ws://127.0.0.1:{child.port}/v1/realtime"
        callers = []
        for n in range(calls):
            voices = human if human and n % 2 else synthetic
            mine = [voices[(n // 2 + k) % len(voices)] for k in range(len(voices))]
            begin_after_s = 1.0 + rng.random() * 4.0
            callers.append(EngineCaller(url, mine, silence_ms=silence_ms, begin_after_s=begin_after_s))
        lag = _Lag(f"http://127.0.0.1:{child.port}/livez")
        async with ClientSession(timeout=ClientTimeout(None)) as http:
            begin_s, cpu_s = loop.time(), child.cpu_s()
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(lag.watch(http))
                async with asyncio.TaskGroup() as talking:
                    for caller in callers:
                        talking.create_task(caller.run(http, begin_s + seconds))
                took_s = loop.time() - begin_s
                cpu_pct = 100 * (child.cpu_s() - cpu_s) / took_s
                watching.cancel()
        rss_mb = child.rss_bytes() / 1e6
    figures = [caller.figures for caller in callers]
    missed = sum(one.missed for one in figures)
    first = [value for one in figures for value in one.first_audio_s]
    measured = {
        "calls": calls,
        "cores": 1 if hasattr(os, "sched_setaffinity") else os.cpu_count(),
        "silence_ms": silence_ms,
        "seconds": round(took_s, 1),
        "human_callers": calls // 2 if human else 0,
        "turns": len(first) + missed,
        "missed_turns": missed,
        "errors": [message for one in figures for message in one.errors],
        "cpu_pct": round(cpu_pct, 1),
        "rss_mb": round(rss_mb, 1),
        "first_audio_ms": quantiles(first),
        "stt_ms": quantiles([value for one in figures for value in one.stt_s]),
        "engine_loop_lag_ms": quantiles(lag.engine_s),
        "bench_loop_lag_ms": quantiles(lag.own_s),
    }
    return measured


def medians(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of several runs, with the bars they meet. What went wrong in one of them went wrong."""
    result = dict(runs[0])
    for name in ("seconds", "cpu_pct", "rss_mb"):
        result[name] = round(statistics.median(run[name] for run in runs), 1)
    for name in ("first_audio_ms", "stt_ms", "engine_loop_lag_ms", "bench_loop_lag_ms"):
        found = [run[name] for run in runs if run[name]]
        keys = found[0] if found else {}
        result[name] = {key: round(statistics.median(one[key] for one in found), 1) for key in keys}
    result["turns"] = min(run["turns"] for run in runs)
    result["missed_turns"] = sum(run["missed_turns"] for run in runs)
    result["errors"] = [message for run in runs for message in run["errors"]]
    result["first_audio_p95_ms"] = [run["first_audio_ms"].get("p95") for run in runs]  # of each run
    return result | {"repeats": len(runs), "bars": bars(result)}


def bars(measured: dict[str, Any]) -> dict[str, bool]:
    """Hold the figures against what the engine promises for ten calls on one core."""
    first, silence_ms = measured["first_audio_ms"], measured["silence_ms"]
    heard = measured["turns"] > measured["missed_turns"]
    return {
        f"end of speech to first audio p50 at most {P50_MS} ms + silence": heard
        and first["p50"] <= P50_MS + silence_ms,
        f"end of speech to first audio p95 at most {P95_MS} ms + silence": heard
        and first["p95"] <= P95_MS + silence_ms,
        "no turn missed": heard and measured["missed_turns"] == 0,
        "no error event": not measured["errors"],
        "every call had a turn": measured["turns"] >= measured["calls"],
        "one core is enough": measured["cores"] == 1 and measured["cpu_pct"] < 100,
    }


class _Lag:
    """How late loops run: the engine's, by how long its health check takes, and that of the bench itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.engine_s: list[float] = []
        self.own_s: list[float] = []

    async def watch(self, http: ClientSession) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + PROBE_S
            await asyncio.sleep(PROBE_S)
            begin_s = loop.time()
            self.own_s.append(begin_s - due_s)
            async with http.get(self._url) as answer:
                await answer.read()
            self.engine_s.append(loop.time() - begin_s)


def _utterances() -> tuple[list[bytes], list[bytes]]:
    """Return what synthetic and what human callers say; no humans where the prompts are not installed."""
    voice = CallerVoice()
    synthetic = [voice.speak(text, "").pcm for text in TEXTS]
    files = [HUMAN / f"{name}.wav" for name in PROMPTS]
    human = [read_sound(file, file.name).pcm for file in files if file.is_file()]
    return synthetic, human


def quantiles(values_s: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and max of seconds, in ms; nothing of nothing."""
    if not values_s:
        return {}
    ordered = sorted(values_s)
    at = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    last = len(ordered) - 1
    return {name: round(ordered[round(share * last)] * 1000, 1) for name, share in at.items()}


def table(result: dict[str, Any]) -> str:
    """Return the figures as text."""
    lines = [
        f"{result['calls']} calls ({result['human_callers']} of them recorded humans) on {result['cores']} core, "
        f"{result['seconds']} s, silence setting {result['silence_ms']} ms, medians of {result['repeats']}",
        f"{'turns':24}{result['turns']}, {result['missed_turns']} missed",
        f"{'CPU of the core':24}{result['cpu_pct']} %",
        f"{'RSS':24}{result['rss_mb']} MB",
    ]
    for name in ("first_audio_ms", "stt_ms", "engine_loop_lag_ms", "bench_loop_lag_ms"):
        found = result[name] or {"p50": "-", "p95": "-", "max": "-"}
        lines.append(f"{name:24}p50 {found['p50']}  p95 {found['p95']}  max {found['max']}")
    lines += [f"{'met' if met else 'MISSED':8}{bar}" for bar, met in result["bars"].items()]
    lines += [f"error   {message}" for message in dict.fromkeys(result["errors"])]
    return "\n".join(lines)
