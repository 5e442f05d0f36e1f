"""A stage whose keeper has a lending market configured and nothing set up, and short ways to run ``keeper setup`` on it."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from keeper.config.loading import Loaded, load_config
from keeper.engine.accounting import account
from keeper.engine.assembly import Parts
from keeper.engine.setting_up import Preview, SetupDone, SetupOptions, set_up
from keeper.journal.journal import Journal
from keeper.protocols.addresses import GLOW_AIRSPACE, SYSTEM
from keeper.protocols.glow_margin import margin_account_address
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.lending_addresses import AIRSPACE
from keeper.sim.localnet.market_addresses import Market as SimMarket
from keeper.sim.localnet.programs.glow_margin_config import AirspacePermit, TokenConfig
from keeper.sim.localnet.programs.glow_margin_state import MarginAccount
from tests.engine.stage import FUNDS, Stage, genesis_of, market_of, quiet_config

CONFIG = """
[cluster]
rpc = ["http://localnet.invalid"]
websocket = "ws://localnet.invalid"
genesis_hash = "{genesis}"
[wallet]
keypair = "wallet.json"
gas_reserve = "1 SOL"
[market.lrt]
glowsol = "{glowsol}"
pool = "{pool}"
mapping = "localnet"
[market.lending]
pools = {pools}
[venues.jupiter]
base_url = "http://localnet.invalid"
requests_per_minute = 60000
[execution]
rebroadcast_interval = 0.4
poll_interval = 0.1
[journal]
url = "sqlite:///journal.db"
[strategies.arbitrage]
"""


@dataclass(slots=True)
class Operator:
    """Runs the command and keeps what it said. ``answer`` is what is typed at the question."""

    stage: Stage
    answer: bool = True
    asked: list[Preview] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    before_answer: Callable[[], None] = lambda: None

    async def run(
        self,
        *,
        borrow: tuple[str, ...] | None = None,
        lend: tuple[str, ...] = (),
        close: bool = False,
        dry_run: bool = False,
    ) -> SetupDone:
        options = SetupOptions(borrow, lend, close, dry_run)
        return await set_up(self.loaded(), options, ask=self._ask, say=self.said.append, edges=self.stage.edges)

    def _ask(self, preview: Preview) -> bool:
        self.asked.append(preview)
        self.before_answer()
        return self.answer

    # the chain

    @property
    def sim(self) -> SimMarket:
        return market_of(self.stage.net)

    @property
    def bank(self) -> Bank:
        return self.stage.net.bank

    @property
    def margin_account(self) -> Pubkey:
        return margin_account_address(self.stage.wallet.pubkey(), AIRSPACE, 0)

    def stored(self, key: Pubkey) -> Account:
        found = self.bank.get_account(key)
        assert found is not None
        return found

    def lamports(self) -> int:
        """What the wallet holds."""
        return self.stored(self.stage.wallet.pubkey()).lamports

    def transactions(self) -> int:
        """How many transactions the wallet has paid for."""
        bank, owner = self.bank, self.stage.wallet.pubkey()
        records = [bank.transaction(signature) for signature in bank.signatures_for(owner)]
        return sum(record is not None and record.account_keys[0] == owner for record in records)

    def put(self, key: Pubkey, account: Account) -> None:
        self.bank.set_account(key, account)
        self.bank.advance_slot(2)

    def give(self, lamports: int) -> None:
        """Somebody sends the wallet SOL."""
        owner = self.stage.wallet.pubkey()
        self.put(owner, Account(self.lamports() + lamports, b"", SYSTEM))

    def erase(self, key: Pubkey) -> None:
        self.put(key, Account(0, b"", SYSTEM))

    def corrupt(self, key: Pubkey) -> None:
        held = self.stored(key)
        self.put(key, Account(held.lamports, b"\xff" + bytes(held.data)[1:], held.owner))

    def issue_permit(self, key: Pubkey) -> None:
        permit = AirspacePermit(AIRSPACE, self.stage.wallet.pubkey(), self.sim.admin.pubkey()).encode()
        self.put(key, Account(self.bank.rent_exempt(len(permit)), permit, GLOW_AIRSPACE))

    def rewrite_margin_account(self, **changes: object) -> None:
        held = self.stored(self.margin_account)
        state = MarginAccount.decode(bytes(held.data))
        for name, value in changes.items():
            setattr(state, name, value)
        self.put(self.margin_account, Account(held.lamports, state.encode(), held.owner))

    def restrict(self, symbol: str) -> None:
        """Governance marks a raw token as restricted."""
        key = self.sim.raw_tokens[symbol].config
        held = self.stored(key)
        config = replace(TokenConfig.decode(bytes(held.data)), token_features=5)
        self.put(key, Account(held.lamports, config.encode(), held.owner))

    async def owe(self, units: int) -> None:
        """Let the SOL pool's loan position carry a balance."""
        held = self.stored(self.margin_account)
        state = MarginAccount.decode(bytes(held.data))
        note = self.sim.lending_pools["SOL"].loan_note_mint
        position = next(one for one in state.positions if one.token == note)
        position.set_balance(units, self.bank.clock.unix_timestamp)
        self.put(self.margin_account, Account(held.lamports, state.encode(), held.owner))

    def rename_position(self, mint: Pubkey, token_account: Pubkey) -> None:
        """Let the position in ``mint`` lie at another token account."""
        held = self.stored(self.margin_account)
        state = MarginAccount.decode(bytes(held.data))
        next(one for one in state.positions if one.token == mint).address = token_account
        self.put(self.margin_account, Account(held.lamports, state.encode(), held.owner))

    # the keeper

    async def accept_books(self) -> None:
        """Tell the ledger of money that was moved by hand."""
        await account(self.loaded(), accept=True, edges=self.stage.edges)

    def loaded(self) -> Loaded:
        return load_config(self.stage.place.config)

    async def journal(self) -> Journal:
        return await Journal.open(self.loaded().settings.journal.url, wall=self.stage.clock.wall)

    async def tables(self) -> list[Pubkey]:
        """The keeper's own lookup tables, as its journal knows them."""
        async with await self.journal() as journal:
            return [Pubkey.from_string(table.address) for table in await journal.tables()]

    async def assembled(self) -> Parts:
        """The parts of a keeper that starts now (closed again: for looking at what was discovered)."""
        async with AsyncExitStack() as closing:
            return await self.stage.assemble(closing)

    def take_over(self) -> None:
        """Another replica takes the lead, as one may once a lease has run out."""
        path = str(self.stage.place.journal)
        with sqlite3.connect(path) as conn:
            conn.execute("UPDATE leadership SET holder = 'keeper-1', epoch = epoch + 1")
        conn.close()

    def without_lending(self) -> None:
        text = self.stage.place.config.read_text()
        start = text.index("[market.lending]")
        self.stage.place.config.write_text(text[:start] + text[text.index("[venues.jupiter]") :])

    def with_pools(self, *symbols: str) -> None:
        text = self.stage.place.config.read_text()
        pools = json.dumps([str(self.sim.lending_pools[symbol].mint) for symbol in symbols])
        self.stage.place.config.write_text(re.sub(r"^pools = .*$", f"pools = {pools}", text, flags=re.MULTILINE))


async def make_operator(folder: Path, *, funds: int = FUNDS) -> Operator:
    still = replace(quiet_config(), crowd=None, liquidator=None)  # nobody else acts: nothing changes but what we do
    stage = await Stage.build(folder, config=still, funds=funds)
    sim = market_of(stage.net)
    pools = json.dumps([str(sim.lending_pools[symbol].mint) for symbol in ("SOL", "sSOL")])
    text = CONFIG.format(genesis=await genesis_of(stage.net), glowsol=sim.glowsol_mint, pool=sim.lrt_pool, pools=pools)
    stage.place.config.write_text(text)
    stage.net.bank.advance_slot(40)
    return Operator(stage)


@pytest.fixture
async def operator(tmp_path: Path) -> Operator:
    return await make_operator(tmp_path)
