"""`rtbridge bench media`: what a call costs and how late it is, ours and stock aiortc in the same run.

For each repetition the two bridges run in turn, each in a process of its own, with the same light callers and the
same echoing upstream; beside them runs an idle paced process whose lateness is the machine's. Figures are CPU
seconds of the bridge's process per second of call, shares and medians, since machines are noisy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from aiohttp import ClientSession, ClientTimeout

from rtbridge.bench.caller import BenchCaller, ControlEar, bursts, median, pace
from rtbridge.bench.child import Child

WARM_UP_S: Final = 2.0
LATE_MS: Final = 20.0
PACKETS: Final = 500  # ten seconds, looped
OURS_URL: Final = "/v1/realtime/calls?scenario=echo"
# An echo has no transcript, so nothing of it would ever be cleared by a guardrail: it has none.
_AGENT: Final = '''"""An agent that says back what it hears."""

from agents.realtime import RealtimeAgent

guardrails = []
start = RealtimeAgent(name="echo", instructions="Say back what you hear.")
'''
_SERVE: Final = ("serve", "--port", "0", "--log-level", "error")
STOCK_URL: Final = "/v1/realtime/calls"


@dataclass(frozen=True, slots=True)
class Run:
    """One bridge, one repetition."""

    bridge: str
    calls: int
    cpu_ms_per_session_s: float
    late_pct: float  # frames that came more than 20 ms later than the earliest
    control_late_pct: float  # the same of the idle paced process beside it
    packets_per_s: float  # per call; 50 is all of them
    echo_p50_ms: float | None
    echo_p95_ms: float | None
    echoes: int
    rss_mb: float
    threads: int


def run(args: argparse.Namespace) -> int:
    """Run the bench and print it. Returns 0, or 3 when it could not be carried out."""
    if not 1 <= args.calls <= 128 or not 2 <= args.seconds <= 600 or not 1 <= args.repeat <= 50:
        print("bench media: --calls 1..128, --seconds 2..600, --repeat 1..50", file=sys.stderr)
        return 2
    result = summary(measured(args.calls, args.seconds, args.repeat))
    print(json.dumps(result, indent=2) if args.json else table(result))
    return 0


def measured(calls: int, seconds: float, repeat: int) -> list[Run]:
    """Carry out the calls of both bridges, `repeat` times in turn."""
    with TemporaryDirectory() as scenarios:
        folder = Path(scenarios, "echo")
        folder.mkdir()
        (folder / "agents.py").write_text(_AGENT)
        return asyncio.run(_all(calls, seconds, repeat, scenarios))


async def _all(calls: int, seconds: float, repeat: int, scenarios: str) -> list[Run]:
    packets = bursts(PACKETS)
    runs = []
    with Child("rtbridge.bench.echo") as echo:
        realtime = f"ws://127.0.0.1:{echo.port}/v1/realtime"
        for _ in range(repeat):
            with Child("rtbridge.bench.stock", f"{realtime}?echo=1") as stock:
                runs.append(await _one("stock", stock, STOCK_URL, packets, calls, seconds))
            served = (*_SERVE, "--upstream", realtime, "--scenarios", scenarios)
            with Child("rtbridge", *served, env={"RTBRIDGE_MAX_CALLS": "128"}) as ours:
                runs.append(await _one("rtbridge", ours, OURS_URL, packets, calls, seconds))
    return runs


async def _one(bridge: str, child: Child, path: str, packets: list[bytes], calls: int, seconds: float) -> Run:
    loop = asyncio.get_running_loop()
    callers = [BenchCaller(packets) for _ in range(calls)]
    transport, ear = await loop.create_datagram_endpoint(ControlEar, local_addr=("127.0.0.1", 0))
    try:
        async with ClientSession(timeout=ClientTimeout(30)) as http:
            for caller in callers:
                await caller.connect(http, f"http://127.0.0.1:{child.port}{path}")
        with Child("rtbridge.bench.control", str(transport.get_extra_info("sockname")[1])):
            start_s = loop.time() + WARM_UP_S
            end_s = start_s + seconds
            marks: list[float] = []
            loop.call_at(start_s, lambda: marks.append(child.cpu_s()))
            loop.call_at(end_s, lambda: marks.append(child.cpu_s()))
            await pace(callers, end_s + 1.0)
        rss_mb, threads = child.rss_bytes() / 1e6, child.threads()
    finally:
        transport.close()
        for caller in callers:
            await caller.close()
    late = [ms for caller in callers for ms in caller.arrivals.lateness_ms(start_s, end_s)]
    control = ear.arrivals.lateness_ms(start_s, end_s)
    echoes = sorted(ms for caller in callers for ms in caller.latencies_ms(start_s, end_s))
    return Run(
        bridge=bridge,
        calls=calls,
        cpu_ms_per_session_s=round((marks[1] - marks[0]) * 1000 / seconds / calls, 2),
        late_pct=_late_pct(late),
        control_late_pct=_late_pct(control),
        packets_per_s=round(len(late) / seconds / calls, 2),
        echo_p50_ms=_quantile(echoes, 0.5),
        echo_p95_ms=_quantile(echoes, 0.95),
        echoes=len(echoes),
        rss_mb=round(rss_mb, 1),
        threads=threads,
    )


def _late_pct(lateness_ms: list[float]) -> float:
    return round(100 * sum(ms > LATE_MS for ms in lateness_ms) / max(1, len(lateness_ms)), 2)


def _quantile(values: list[float], share: float) -> float | None:
    return round(values[min(len(values) - 1, int(share * len(values)))], 1) if values else None


_FIGURES: Final = (
    "cpu_ms_per_session_s",
    "late_pct",
    "control_late_pct",
    "packets_per_s",
    "echo_p50_ms",
    "echo_p95_ms",
    "rss_mb",
    "threads",
)


def summary(runs: list[Run]) -> dict[str, Any]:
    """Return the medians of each bridge, the ratios, and every run."""
    medians: dict[str, dict[str, float | None]] = {}
    for bridge in ("rtbridge", "stock"):
        mine = [asdict(one) for one in runs if one.bridge == bridge]
        medians[bridge] = {
            name: median([one[name] for one in mine if one[name] is not None]) for name in _FIGURES
        }
    ours, stock = medians["rtbridge"], medians["stock"]
    above = [one.late_pct - one.control_late_pct for one in runs if one.bridge == "rtbridge"]
    return {
        "machine": {"cores": os.cpu_count(), "python": sys.version.split()[0]},
        "calls": runs[0].calls if runs else 0,
        "repeats": len(runs) // 2,
        "median": medians,
        "ratio": {
            "cpu": _ratio(ours["cpu_ms_per_session_s"], stock["cpu_ms_per_session_s"]),
            "echo_p50": _ratio(ours["echo_p50_ms"], stock["echo_p50_ms"]),
        },
        "late_above_control_pct": median(above),
        "runs": [asdict(one) for one in runs],
    }


def _ratio(ours: float | None, stock: float | None) -> float | None:
    return round(ours / stock, 3) if ours is not None and stock else None


def table(result: dict[str, Any]) -> str:
    """Return the medians as text."""
    ours, stock = result["median"]["rtbridge"], result["median"]["stock"]
    lines = [
        f"{result['calls']} calls, medians of {result['repeats']} runs",
        f"{'':24}{'rtbridge':>12}{'stock aiortc':>14}",
    ]
    lines += [f"{name:24}{ours[name]!s:>12}{stock[name]!s:>14}" for name in _FIGURES]
    lines.append(f"CPU ratio {result['ratio']['cpu']}, echo ratio {result['ratio']['echo_p50']}")
    lines.append(f"late above the control process: {result['late_above_control_pct']} percentage points")
    return "\n".join(lines)
