"""The folder of a rehearsal: wallet, configuration, journal, logs."""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from solders.keypair import Keypair

from keeper.rehearsal.configuration import NOTHING, TEMPLATE, Tables, merged, toml

SDK_PYTHON = Path(".venv-jupiter/bin/python")
HEAD = "# Written by a rehearsal. The same keys as in production: see docs/configuration.md.\n"


@dataclass(frozen=True, slots=True)
class Net:
    """Where a running localnet is."""

    rpc: str
    websocket: str
    jupiter: str
    genesis: str
    glowsol: str
    lrt_pool: str
    lookup_table: str
    watch: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """A rehearsal's own folder. Nothing outside it is written."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "keeper.toml"

    @property
    def journal(self) -> Path:
        return self.path / "journal.db"

    @property
    def decisions(self) -> Path:
        return self.path / "decisions.jsonl"

    @property
    def wallet(self) -> Path:
        return self.path / "wallet.json"

    def write_wallet(self, keypair: Keypair) -> None:
        """A keypair file, readable by its owner alone from the first byte on."""
        self.wallet.touch(mode=0o600)
        self.wallet.write_text(json.dumps(list(bytes(keypair))))

    def write_config(self, net: Net, *, port: int, sdk_python: Path | None, further: Tables = NOTHING) -> None:
        """The configuration of a keeper that works ``net``. ``port`` 0 takes any free one for telemetry; ``further`` is merged
        into it. Raises ``UnusableTables`` for values that no configuration has."""
        tables = tomllib.loads(
            TEMPLATE.format(
                rpc=net.rpc,
                websocket=net.websocket,
                jupiter=net.jupiter,
                genesis=net.genesis,
                glowsol=net.glowsol,
                lrt_pool=net.lrt_pool,
                lookup_table=net.lookup_table,
                watch=json.dumps(list(net.watch)),
                port=port,
            )
        )
        if sdk_python is not None:
            worker = {"python": str(sdk_python), "base_url": f"{net.jupiter}/swap/v1"}
            tables["venues"]["jupiter_sdk"] = worker
        self.config.write_text(HEAD + toml(merged(tables, further)) + "\n", encoding="utf-8")


def sdk_python() -> Path | None:
    """The interpreter of the jupiter-python-sdk environment, where ``make`` has built one beside this environment."""
    beside = Path(sys.prefix).parent / SDK_PYTHON
    return beside if beside.exists() else None
