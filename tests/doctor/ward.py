"""A keeper's configuration on a virtual localnet with a margin account in it, and a hand on every account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.chain.clock import VirtualClock
from keeper.config.loading import load_config
from keeper.doctor import Examination, Status
from keeper.engine.checkup import checkup
from keeper.protocols.addresses import SPL_TOKEN, SSOL_MINT, WSOL_MINT
from keeper.rehearsal.files import Folder
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.lending_user import Borrower, open_margin_account
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.oracles import Oracles
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from tests.engine.stage import Stage, edit, genesis_of, market_of

INVALID = ("http://localnet.invalid", "ws://localnet.invalid", "http://localnet.invalid")
CONFIG = """\
[cluster]
rpc = ["{rpc}"]
websocket = "{websocket}"
genesis_hash = "{genesis}"

[wallet]
keypair = "wallet.json"
gas_reserve = "1 SOL"

[market]
lookup_tables = ["{table}"]

[market.lrt]
glowsol = "{glowsol}"
pool = "{pool}"
idl = "chain"
mapping = "localnet"

[market.lending]
pools = ["{wsol}", "{ssol}"]

[venues.jupiter]
base_url = "{jupiter}"

[journal]
url = "sqlite:///journal.db"

[telemetry]
decision_log = "decisions.jsonl"

[strategies.arbitrage]
"""


async def configuration(
    net: Localnet, folder: Path, wallet: Keypair, *, urls: tuple[str, str, str] = INVALID, without: tuple[str, ...] = ()
) -> Folder:
    """Wallet and configuration of a keeper on ``net``, but for the tables ``without``; ``urls``: RPC, websocket, Jupiter."""
    market, place = market_of(net), Folder(folder)
    text = CONFIG.format(
        rpc=urls[0],
        websocket=urls[1],
        jupiter=urls[2],
        genesis=await genesis_of(net),
        table=market.lookup_table,
        glowsol=market.glowsol_mint,
        pool=market.lrt_pool,
        wsol=WSOL_MINT,
        ssol=SSOL_MINT,
    )
    tables = [table for table in text.split("\n\n") if not any(table.startswith(f"[{name}]") for name in without)]
    if not place.wallet.exists():
        place.write_wallet(wallet)
    place.config.write_text("\n\n".join(tables))
    return place


async def write(stage: Stage, *, without: tuple[str, ...] = ()) -> None:
    """The keeper's configuration on ``stage``, in the place of the rehearsal's."""
    await configuration(stage.net, stage.place.path, stage.wallet, without=without)


S = TypeVar("S", bound=Any)


@dataclass(slots=True)
class Ward:
    """``stage`` is the localnet with the keeper's files; ``borrower`` is the same wallet's margin account."""

    stage: Stage
    borrower: Borrower

    @classmethod
    async def admit(cls, folder: Path) -> Ward:
        stage = await Stage.build(
            folder, config=LocalnetConfig(bank=BankConfig(slot_ms=400), clock="virtual", liquidator=None)
        )
        await write(stage)
        borrower = open_margin_account(
            stage.net.bank, market_of(stage.net), stage.wallet, collateral=("glowSOL", "sSOL")
        )
        stage.net.bank.advance_slot(2)
        return cls(stage, borrower)

    @property
    def market(self) -> Market:
        return market_of(self.stage.net)

    @property
    def oracles(self) -> Oracles:
        assert self.stage.net.oracles is not None
        return self.stage.net.oracles

    @property
    def clock(self) -> VirtualClock:
        return self.stage.clock

    async def examined(self) -> Examination:
        """As ``keeper doctor`` would."""
        return await checkup(load_config(self.stage.place.config), self.stage.edges)

    # planting faults

    def account(self, key: Pubkey) -> Account:
        found = self.stage.net.bank.get_account(key)
        assert found is not None, key
        return found

    def put(self, key: Pubkey, data: bytes, *, owner: Pubkey | None = None, lamports: int | None = None) -> None:
        """Replace an account's data, and what else is named."""
        known = self.account(key)
        self.stage.net.bank.set_account(
            key, Account(known.lamports if lamports is None else lamports, data, owner or known.owner)
        )
        self.stage.net.bank.advance_slot(2)  # confirmed lags by a slot

    def give(self, key: Pubkey, data: bytes) -> None:
        """A new SPL token account."""
        self.stage.net.bank.set_account(key, Account(self.stage.net.bank.rent_exempt(len(data)), data, SPL_TOKEN))
        self.stage.net.bank.advance_slot(2)

    def change(self, key: Pubkey, decode: Callable[[bytes], S], **fields: Any) -> None:
        """Set ``fields`` of what lies at ``key``."""
        state = decode(bytes(self.account(key).data))
        self.put(key, replace(state, **fields).encode())

    def remove(self, key: Pubkey) -> None:
        self.stage.net.bank.set_account(key, Account(0, b"", Pubkey.default()))
        self.stage.net.bank.advance_slot(2)

    def edit(self, old: str, new: str) -> None:
        """Change the configuration file."""
        edit(self.stage.place, old, new)


def red(examination: Examination) -> set[str]:
    return {finding.check for finding in examination.failed}


def doubtful(examination: Examination) -> set[str]:
    return {finding.check for finding in examination.findings if finding.status is Status.UNKNOWN}
