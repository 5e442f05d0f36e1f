"""The folder of a rehearsal: wallet, configuration, journal, logs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from solders.keypair import Keypair

SDK_PYTHON = Path(".venv-jupiter/bin/python")

TEMPLATE = """\
# Written by a rehearsal. The same keys as in production: see docs/configuration.md.

[cluster]
rpc = ["{rpc}"]
websocket = "{websocket}"
genesis_hash = "{genesis}"

[wallet]
keypair = "wallet.json"
gas_reserve = "1 SOL"

[market]
lookup_tables = ["{lookup_table}"]
watch = {watch}

[market.lrt]
glowsol = "{glowsol}"
pool = "{lrt_pool}"
idl = "chain"
mapping = "localnet"

[venues]
slippage = "3 bps"

[venues.jupiter]
base_url = "{jupiter}"
requests_per_minute = 60000
{sdk}
[execution]
rebroadcast_interval = 0.4
poll_interval = 0.1

[engine]
min_interval = 0.2
max_interval = 2.0
max_view_age_slots = 40

[journal]
url = "sqlite:///journal.db"
lease = "10 s"

[telemetry]
port = {port}
log_format = "json"
decision_log = "decisions.jsonl"

[strategies.arbitrage]
sizes = ["1 SOL", "3 SOL", "8 SOL", "20 SOL", "40 SOL"]
max_trade = "40 SOL"
queue_capital = "250 SOL"
"""

SDK_TABLE = """
[venues.jupiter_sdk]
python = "{python}"
base_url = "{jupiter}/swap/v1"
"""


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

    def write_config(self, net: Net, *, port: int, sdk_python: Path | None) -> None:
        """The configuration of a keeper that works ``net``. ``port`` 0 takes any free one for telemetry."""
        sdk = SDK_TABLE.format(python=sdk_python, jupiter=net.jupiter) if sdk_python is not None else ""
        self.config.write_text(
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
                sdk=sdk,
            )
        )


def sdk_python() -> Path | None:
    """The interpreter of the jupiter-python-sdk environment, where ``make`` has built one beside this environment."""
    beside = Path(sys.prefix).parent / SDK_PYTHON
    return beside if beside.exists() else None
