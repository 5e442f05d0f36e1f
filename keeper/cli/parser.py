"""The commands and their options. Heavy imports wait until a command runs, so that ``--help`` answers at once."""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path


def build_parser() -> argparse.ArgumentParser:
    """The ``keeper`` command."""
    parser = argparse.ArgumentParser(prog="keeper", description="A keeper for glowSOL.")
    parser.add_argument("--version", action="version", version=f"glow-keeper {version('glow-keeper')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _run(commands.add_parser("run", help="run the daemon"))
    _books(commands.add_parser("books", help="hold the ledger against the chain; book what the operator moved by hand"))
    _unwind(commands.add_parser("unwind", help="order strategies to leave their positions, beside a keeper that runs"))
    _setup(
        commands.add_parser("setup", help="open what the wallet needs before it trades; shows what it costs and asks")
    )
    _doctor(commands.add_parser("doctor", help="examine cluster, wallet and market, each with pass, fail or a remedy"))
    config = commands.add_parser("config", help="look at a configuration file")
    _check(
        config.add_subparsers(required=True, metavar="ACTION").add_parser("check", help="explain what is wrong with it")
    )
    _localnet(commands.add_parser("localnet", help="serve a whole market in a box: JSON-RPC, websocket, Jupiter"))
    _demo(
        commands.add_parser(
            "demo", help="a localnet, a moving market and the keeper at work on it, for about two minutes"
        )
    )
    _campaign(commands.add_parser("campaign", help="a strategy through many hostile markets on paper, and a report"))
    return parser


def _run(parser: argparse.ArgumentParser) -> None:
    from keeper.cli.commands import run

    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the TOML configuration")
    parser.set_defaults(run=run)


def _books(parser: argparse.ArgumentParser) -> None:
    from keeper.cli.commands import books

    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the TOML configuration")
    parser.add_argument(
        "--accept", action="store_true", help="book the differences as external; the keeper must be stopped"
    )
    parser.set_defaults(run=books)


def _unwind(parser: argparse.ArgumentParser) -> None:
    from keeper.cli.commands import unwind

    parser.add_argument("strategies", nargs="*", metavar="STRATEGY", help="which (default: all that are configured)")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the TOML configuration")
    parser.add_argument("--cancel", action="store_true", help="lift the order: the strategies may enter again")
    parser.set_defaults(run=unwind)


def _setup(parser: argparse.ArgumentParser) -> None:
    from keeper.cli.commands import setup

    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the TOML configuration")
    parser.add_argument("--dry-run", action="store_true", help="only show what is missing and what it costs")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--close", action="store_true", help="close what holds nothing, so that its rent comes back")
    pools = "symbol or mint of a configured pool; may be given again"
    parser.add_argument(
        "--borrow", action="append", metavar="TOKEN", help=f"open a loan position there (default: SOL); {pools}"
    )
    parser.add_argument("--lend", action="append", metavar="TOKEN", help=f"open a deposit position there; {pools}")
    parser.set_defaults(run=setup)


def _doctor(parser: argparse.ArgumentParser) -> None:
    from keeper.cli.commands import doctor

    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the TOML configuration")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.set_defaults(run=doctor)


def _check(parser: argparse.ArgumentParser) -> None:
    from keeper.cli.commands import check

    parser.add_argument("config", type=Path, metavar="FILE", help="the TOML configuration")
    parser.set_defaults(run=check)


def _localnet(parser: argparse.ArgumentParser) -> None:
    from keeper.cli.commands import localnet

    parser.add_argument("--host", default="127.0.0.1", help="address to serve on (default %(default)s)")
    parser.add_argument(
        "--rpc-port", type=int, default=8899, help="JSON-RPC and Jupiter; websockets on the next port too"
    )
    parser.add_argument("--slot-ms", type=int, default=400, help="real milliseconds a slot (default %(default)s)")
    parser.add_argument("--warp", type=int, default=1, help="chain seconds per real second (default %(default)s)")
    parser.add_argument("--slots-per-epoch", type=int, default=432_000, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of blockhashes, keys and faults (default %(default)s)")
    parser.add_argument("--scenario", action="store_true", help="let traders push glowSOL's price about")
    parser.add_argument("--demo-pace", action="store_true", help="the demo's own market, scenario and speed")
    parser.add_argument("--length", type=int, default=700, help="slots that the scenario lasts (default %(default)s)")
    parser.add_argument("--jupiter-api-key", metavar="KEY", help="answer 401 to any other key")
    parser.add_argument("--jupiter-per-minute", type=int, metavar="N", help="answer 429 beyond N requests in 60 s")
    parser.add_argument("--drop-rate-bps", type=int, default=0, help="share of sent transactions that are swallowed")
    parser.add_argument(
        "--bpf-program",
        nargs=2,
        action="append",
        default=[],
        metavar=("ADDRESS", "FILE"),
        help="load a program; replaces a model",
    )
    parser.add_argument(
        "--account",
        nargs="+",
        action="append",
        default=[],
        metavar="[ADDRESS] FILE",
        help="load an account (Solana CLI's JSON)",
    )
    parser.set_defaults(run=localnet)


def _demo(parser: argparse.ArgumentParser) -> None:
    from keeper.cli.commands import demo

    parser.add_argument("--seed", type=int, default=7, help="of the market's path (default %(default)s)")
    parser.add_argument(
        "--seconds", type=int, default=70, help="how long it works before it unwinds (default %(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=9464, help="of /metrics; 0 takes any free one (default %(default)s)"
    )
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep wallet, configuration, journal and logs there")
    parser.add_argument(
        "--with",
        type=Path,
        dest="tables",
        metavar="FILE",
        help="TOML with further [strategies.NAME] tables to merge in",
    )
    parser.add_argument(
        "--virtual", action="store_true", help="in virtual time, in one process: the same seed repeats exactly"
    )
    parser.set_defaults(run=demo)


def _campaign(parser: argparse.ArgumentParser) -> None:
    from keeper.cli.campaign import campaign

    parser.add_argument("--paths", type=int, default=1_000, metavar="N", help="markets (default %(default)s)")
    parser.add_argument("--days", type=int, default=30, help="of each, 7 at least (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first; they count up from it (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes (default %(default)s)")
    parser.add_argument("--strategy", default="loop", metavar="NAME", help="which (default %(default)s)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of it; shipped defaults otherwise"
    )
    parser.add_argument("--replay", type=int, metavar="SEED", help="tell this one path line by line instead")
    parser.set_defaults(run=campaign)
