"""The command line: `rtbridge serve | engine | replay | record | talk | approvals | scenarios | mcp | bench | doctor`.

Here the settings are read, and an error on purpose becomes one clear line and exit
code 2. Each command imports what it needs when it is called, so that `rtbridge --help` is quick and a bridge with
a key needs no speech models.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtbridge import logs, remote
from rtbridge.errors import RtbridgeError, SettingsError, on_purpose
from rtbridge.replay.arguments import add_arguments as replay_arguments
from rtbridge.replay.arguments import add_record_arguments as record_arguments
from rtbridge.replay.arguments import add_talk_arguments as talk_arguments
from rtbridge.settings import Settings, env_sample, load_settings

if TYPE_CHECKING:
    from rtbridge.engine.faults import Fault

_FLAGS = ("host", "port", "upstream", "scenarios", "log_format", "log_level")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0 done, 2 refused with a reason, 130 interrupted."""
    args = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = args.command
    try:
        return command(args)
    except RtbridgeError as error:
        for line in str(error).splitlines():
            print(f"rtbridge: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BaseExceptionGroup as group:
        first = on_purpose(group)
        if first is None:
            raise
        print(f"rtbridge: {first}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rtbridge", description="The WebRTC media bridge for voice agents.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], help_: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_, description=help_)
        made.set_defaults(command=command)
        return made

    def add_log(to: argparse.ArgumentParser) -> None:
        to.add_argument("--log-format", choices=("auto", "pretty", "json"))
        to.add_argument("--log-level", choices=("debug", "info", "warning", "error"))

    serve = add("serve", _serve, "Serve the page and take calls.")
    serve.add_argument("--host", help="address to listen on; anything but loopback needs RTBRIDGE_API_KEYS")
    serve.add_argument("--port", type=int, help="port to listen on; 0 picks a free one")
    serve.add_argument("--upstream", help="auto, openai, engine, or a ws:// or wss:// URL")
    serve.add_argument("--scenarios", type=Path, help="folder of scenario folders")
    add_log(serve)

    engine = add("engine", _engine, "Serve the offline Realtime API alone, for any client.")
    engine.add_argument("--host", default="127.0.0.1", help="loopback only: the engine asks nobody for a key")
    engine.add_argument("--port", type=int, help="port to listen on; 0 picks a free one")
    engine.add_argument(
        "--brains", type=Path, help="folder of scenario folders with offline lines (brain.toml)"
    )
    engine.add_argument(
        "--faults",
        type=Path,
        metavar="FILE",
        help="TOML with [[fault]] tables, for every connection to fail by",
    )
    add_log(engine)

    replay = add("replay", _replay, "Play stories against the bridge and check what is heard.")
    replay_arguments(replay)
    add_log(replay)

    record = add("record", _record, "Make a story of a recorded call, with its audio and cassette.")
    record_arguments(record)
    add_log(record)

    talk = add("talk", _talk, "Make one call from a file or a microphone; its transcript as it happens.")
    talk_arguments(talk)
    add_log(talk)

    scenarios = add("scenarios", _scenarios, "List and check all scenarios and draw their graphs.")
    scenarios.add_argument("--scenarios", type=Path, help="folder of scenario folders")
    writing = scenarios.add_subparsers(metavar="WHAT")
    new = writing.add_parser("new", help="Write a scenario to begin with, one that talks at once.")
    new.set_defaults(command=_new_scenario)
    new.add_argument("name", metavar="NAME", help="its folder and id, like my_agent")
    new.add_argument("--into", type=Path, default=Path("scenarios"), help="folder to put it in (scenarios)")
    prompt = writing.add_parser("prompt", help="Print the guide that makes a prompt out of a description.")
    prompt.set_defaults(command=_prompt)
    prompt.add_argument(
        "description", nargs="?", default="", metavar="DESCRIPTION", help="with OPENAI_API_KEY it is answered"
    )

    mcp = add(
        "mcp", _mcp, "Serve scenarios, replays and transcripts to a coding assistant, over stdio (MCP)."
    )
    mcp.add_argument("--scenarios", type=Path, help="folder of scenario folders")
    mcp.add_argument("--out", type=Path, default=Path("out"), help="folder for what replays leave (out)")
    mcp.add_argument(
        "--bridge", metavar="URL", help="running bridge whose calls are listed; by host and port"
    )
    add_log(mcp)

    benches = commands.add_parser("bench", help="Measure this machine.").add_subparsers(
        required=True, metavar="WHAT"
    )
    media = benches.add_parser(
        "media", help="CPU, late frames and echo of the media road, beside stock aiortc."
    )
    media.set_defaults(command=_bench_media)
    media.add_argument("--calls", type=int, default=8, help="calls at once (8)")
    media.add_argument("--seconds", type=float, default=20.0, help="seconds measured a run (20)")
    media.add_argument("--repeat", type=int, default=5, help="runs of each bridge; medians are taken (5)")
    media.add_argument("--json", action="store_true", help="print JSON instead of a table")
    engine_ = benches.add_parser(
        "engine", help="Callers of the offline engine on one core: how soon answered."
    )
    engine_.set_defaults(command=_bench_engine)
    engine_.add_argument("--calls", type=int, default=10, help="calls at once (10)")
    engine_.add_argument("--seconds", type=float, default=40.0, help="seconds in which turns begin (40)")
    engine_.add_argument("--repeat", type=int, default=5, help="runs; medians are taken (5)")
    engine_.add_argument("--silence-ms", type=int, default=500, help="silence that ends a turn (500)")
    engine_.add_argument("--json", action="store_true", help="print JSON instead of a table")

    guardrail = benches.add_parser(
        "guardrail",
        help="What is heard of forbidden sentences, and what the gate costs, on the virtual clock.",
    )
    guardrail.set_defaults(command=_bench_guardrail)
    guardrail.add_argument("--cases", type=int, default=200, help="calls, under each of three policies (200)")
    guardrail.add_argument("--seed", type=int, default=0, help="of the first case (0)")
    guardrail.add_argument("--json", action="store_true", help="print JSON instead of a table")

    bargein = benches.add_parser(
        "bargein", help="Who interrupts the agent and who does not: 300 calls on the virtual clock."
    )
    bargein.set_defaults(command=_bench_bargein)
    bargein.add_argument("--cases", type=int, default=300, help="calls (300)")
    bargein.add_argument("--seed", type=int, default=5, help="what draws the sounds and their moments (5)")
    bargein.add_argument("--json", action="store_true", help="print JSON instead of a table")

    replays = benches.add_parser(
        "replay", help="How many seconds of call a second the stories of all scenarios are played in."
    )
    replays.set_defaults(command=_bench_replay)
    replays.add_argument("--workers", type=int, default=2, help="processes (2)")
    replays.add_argument("--json", action="store_true", help="print JSON instead of text")

    remote.add_commands(add)
    doctor = add("doctor", _doctor, "Tell what is installed, what is missing, and what `serve` would use.")
    doctor.add_argument("--env-sample", action="store_true", help="print .env.sample instead")
    return parser


# -- serve ------------------------------------------------------------------------------------------------
def _serve(args: argparse.Namespace) -> int:
    settings = _settings(args)
    settings.refuse_open_doors()
    from rtbridge.serving import serving

    _run(serving(settings))
    return 0


# -- the other commands -----------------------------------------------------------------------------------
def _engine(args: argparse.Namespace) -> int:
    from rtbridge.addresses import is_loopback

    settings = load_settings(
        engine_port=args.port, log_format=args.log_format, log_level=args.log_level, upstream="engine"
    )
    _configure_log(settings)
    if not is_loopback(args.host):
        raise SettingsError(
            f"the engine asks nobody for a key, so it listens on loopback only, not on {args.host}; "
            "`rtbridge serve` is for other machines"
        )
    from rtbridge.agents.scenario import default_root
    from rtbridge.serving import engine_alone, load_engine

    parts = load_engine(settings, args.brains or settings.scenarios or default_root())
    faults: Sequence[Fault] = ()
    if args.faults:
        from rtbridge.replay.read_faults import load_faults

        faults = load_faults(args.faults)
    _run(engine_alone(parts, args.host, settings.engine_port, faults))
    return 0


def _replay(args: argparse.Namespace) -> int:
    from rtbridge.replay import cli

    return cli.run(args, _settings(args))


def _record(args: argparse.Namespace) -> int:
    from rtbridge.replay import record

    return record.run(args, _settings(args))


def _talk(args: argparse.Namespace) -> int:
    from rtbridge.replay import talk

    return talk.run(args, _settings(args))


def _scenarios(args: argparse.Namespace) -> int:
    from rtbridge.agents.listing import list_scenarios
    from rtbridge.agents.scenario import default_root

    settings = _settings(args)
    return list_scenarios(
        settings.scenarios or default_root(), mcp_connect_timeout_s=settings.mcp_connect_timeout_s
    )


def _new_scenario(args: argparse.Namespace) -> int:
    from rtbridge.agents.scaffold import new_scenario, next_steps

    print(next_steps(new_scenario(args.name, args.into)))
    return 0


def _prompt(args: argparse.Namespace) -> int:
    from rtbridge.agents.metaprompt import answered, metaprompt

    settings = _settings(args)
    if args.description and settings.openai_api_key:
        print(answered(args.description, settings))
    else:
        print(metaprompt(args.description), end="")
    return 0


def _mcp(args: argparse.Namespace) -> int:
    from rtbridge.mcp import server

    return server.run(args, _settings(args))


def _bench_media(args: argparse.Namespace) -> int:
    from rtbridge.bench import media

    return media.run(args)


def _bench_engine(args: argparse.Namespace) -> int:
    from rtbridge.bench import engine

    return engine.run(args)


def _bench_guardrail(args: argparse.Namespace) -> int:
    from rtbridge.bench import guardrail

    return guardrail.run(args)


def _bench_bargein(args: argparse.Namespace) -> int:
    from rtbridge.bench import bargein

    return bargein.run(args)


def _bench_replay(args: argparse.Namespace) -> int:
    from rtbridge.bench import replay

    return replay.run(args)


def _doctor(args: argparse.Namespace) -> int:
    if args.env_sample:
        print(env_sample(), end="")
        return 0
    from rtbridge.doctor import examine

    return examine(load_settings())


# -- shared -----------------------------------------------------------------------------------------------
def _settings(args: argparse.Namespace) -> Settings:
    settings = load_settings(**{flag: getattr(args, flag, None) for flag in _FLAGS})
    _configure_log(settings)
    return settings


def _configure_log(settings: Settings) -> None:
    logs.configure(form=settings.log_format, level=settings.log_level, secrets=settings.keys())


def _run(work: Coroutine[Any, Any, None]) -> None:
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):  # uvloop is an extra
        from uvloop import new_event_loop as loop_factory
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(work)


if __name__ == "__main__":
    sys.exit(main())
