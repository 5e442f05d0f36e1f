"""Compounding end to end: every source that the strategy knows, from the configuration file to transactions that land on the
localnet, and books that agree with the chain. Only the market's other people are played by the tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from keeper.config.loading import load_config
from keeper.engine.setting_up import SetupOptions, set_up
from keeper.engine.tick import TickResult
from keeper.execution.outcome import Landed
from keeper.execution.reconcile import drift
from keeper.plan import Atomic, Decision, Deposit, Expected, Hold, Plan
from keeper.protocols.addresses import SSOL_MINT, WSOL_MINT
from keeper.protocols.token import decode_token_account, wrap
from keeper.sim.localnet.market_addresses import derived_keypair
from keeper.sim.localnet.market_book import TokenBook
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.curves import Rate
from keeper.sim.localnet.programs.dex_state import AMM_DEX_PROGRAM, Curve, DexPool, pool_address
from keeper.units import SOL, Bps, Duration, Lamports, TokenAmount
from keeper.view import View
from tests.engine.scripted import scripted
from tests.engine.stage import SOL_UNIT, Stage, market_of, open_token_account, pay, stake_and_queue

REWARD = derived_keypair("reward mint").pubkey()
ISSUER = derived_keypair("reward issuer")
WORTH = Rate(1, 100)  # of the reward, in lamports a base unit
DAY = 43  # slots of the stage's chain
LENT = 50 * SOL_UNIT


@dataclass(slots=True)
class Compounding:
    """A keeper whose only strategy is compound. ``said`` is its last decision."""

    stage: Stage
    said: Decision | None = None

    @classmethod
    async def build(cls, folder: Path, *, funds: int, table: str = "") -> Compounding:
        stage = await Stage.build(folder, funds=funds)
        text = stage.place.config.read_text()
        more = f'[market.lending]\nairspace = "default"\n\n[allocation]\nprotect = "0 SOL"\n\n[strategies.compound]\n{table}\n'
        stage.place.config.write_text(f"{text}\n{more}")
        stage.net.bank.advance_slot(5 * DAY)  # the stake pool has an epoch behind it that earned something
        return cls(stage)

    def units(self, mint: Pubkey) -> int:
        """What the wallet holds of a token."""
        for _, account in self.stage.net.bank.token_accounts_by_owner(self.stage.wallet.pubkey()):
            held = decode_token_account(bytes(account.data), owner_program=account.owner)
            if held.mint == mint:
                return held.amount
        return 0

    @property
    def glowsol(self) -> int:
        return self.units(market_of(self.stage.net).glowsol_mint)

    @property
    def lamports(self) -> int:
        account = self.stage.net.bank.get_account(self.stage.wallet.pubkey())
        assert account is not None
        return account.lamports

    async def ticks(self, count: int, decide: Callable[[View], Decision] | None = None) -> list[str]:
        """The reasons of compound's plans that landed whole in ``count`` ticks of a process of its own; the books agree with the
        chain behind each. ``decide`` acts in compound's name, in place of the strategy."""
        stage, reasons = self.stage, list[str]()
        loaded = load_config(stage.place.config)
        own = [one for one in loaded.strategies if one.name == "compound"]
        async with AsyncExitStack() as life:
            tick = await stage.open(life, [scripted("compound", decide)] if decide is not None else own)
            parts = stage.parts
            for _ in range(count):
                result = await tick.run()
                self.said = tick.memory.decisions["compound"]
                if result is TickResult.TRADED:
                    assert isinstance(self.said, Plan)
                    assert [type(one) for one in tick.memory.outcomes] == [Landed] * len(self.said.steps)
                    reasons.append(self.said.reason)
                    stage.net.bank.advance_slot(2)
                    found = await drift(parts.journal, parts.endpoints.primary, parts.owner, parts.market.lending)
                    assert found == ()
            await stage.lease.give_up()
        return reasons


def list_reward(stage: Stage, *, held: int, worth: Rate = WORTH) -> None:
    """Somebody's token, with a pool against SOL in which it is ``worth`` lamports a base unit, and ``held`` of it with us."""
    bank, deep = stage.net.bank, 1_000 * SOL_UNIT
    address, bump = pool_address(AMM_DEX_PROGRAM, REWARD, WSOL_MINT)
    vaults = cpi.associated_address(address, REWARD), cpi.associated_address(address, WSOL_MINT)
    pool = DexPool(
        program=AMM_DEX_PROGRAM,
        address=address,
        bump=bump,
        curve=Curve.CONSTANT_PRODUCT,
        index=0,
        paused=False,
        fee_bps=20,
        mint_a=REWARD,
        mint_b=WSOL_MINT,
        vault_a=vaults[0],
        vault_b=vaults[1],
        rate_authority=ISSUER.pubkey(),
        amplification=1,
        rate=Rate(1, 1),
    )
    book = TokenBook(bank)
    book.mint(REWARD, ISSUER.pubkey())
    book.give(address, REWARD, worth.unscale(deep))
    book.give(address, WSOL_MINT, deep)
    book.give(stage.wallet.pubkey(), REWARD, held)
    book.write()
    data = pool.encode()
    bank.set_account(address, Account(bank.rent_exempt(len(data)), data, AMM_DEX_PROGRAM))


REWARDED = f'rewards = ["{REWARD}:9:0.01 SOL:300 bps"]'


async def test_a_reward_token_is_sold_and_its_sol_minted(tmp_path: Path) -> None:
    keeper = await Compounding.build(tmp_path, funds=2 * SOL_UNIT, table=REWARDED)
    list_reward(keeper.stage, held=300 * SOL_UNIT)
    open_token_account(keeper.stage.net, keeper.stage.wallet, market_of(keeper.stage.net).glowsol_mint)
    before = keeper.lamports
    assert await keeper.ticks(1) == ["mint_reward_1"]
    assert keeper.units(REWARD) == 0
    worth = 3 * SOL_UNIT + before - SOL_UNIT  # the reward's by its reference, and what lay above the gas reserve
    assert 0.97 * worth < keeper.glowsol * 1.05 < 1.0 * worth
    assert keeper.lamports >= SOL_UNIT
    assert await keeper.ticks(2) == []


@pytest.mark.parametrize("price", [Rate(1, 104), Rate(1, 96)])
async def test_a_reward_token_off_its_reference_stays(tmp_path: Path, price: Rate) -> None:
    keeper = await Compounding.build(
        tmp_path, funds=SOL_UNIT + 50_000, table=REWARDED
    )  # only fees lie above the reserve
    list_reward(keeper.stage, held=300 * SOL_UNIT, worth=price)
    assert await keeper.ticks(1) == []
    assert keeper.said is not None
    assert keeper.said.reason == "reward_price_off"
    assert keeper.units(REWARD) == 300 * SOL_UNIT


async def test_interest_on_lent_sol_is_withdrawn_and_minted_and_the_principal_stays(tmp_path: Path) -> None:
    keeper = await Compounding.build(tmp_path, funds=LENT + 2 * SOL_UNIT, table='lent_principal = "50 SOL"')
    stage = keeper.stage
    done = await set_up(
        load_config(stage.place.config),
        SetupOptions(lend=("SOL",)),
        ask=lambda _: True,
        say=lambda _: None,
        edges=stage.edges,
    )
    assert done.landed
    pool = str(market_of(stage.net).lending_pools["SOL"].pool)

    def lend(_: View) -> Decision:
        expected = Expected(Lamports(0), Lamports(0), Bps(0), Lamports(LENT), Duration(0), Lamports(-LENT - 10**6))
        return Plan((Atomic((Deposit(pool, TokenAmount(SOL, LENT)),)),), expected, "lend")

    assert await keeper.ticks(1, lend) == ["lend"]
    stage.net.bank.advance_slot(30 * DAY)
    seen: list[View] = []

    def look(view: View) -> Decision:
        seen.append(view)
        return Hold("looked")

    def lent(view: View) -> int:
        assert view.margin is not None
        return next(place.amount.units for place in view.margin.collateral if place.lent and place.mint == SOL)

    await keeper.ticks(1, look)
    earned = lent(seen[-1]) - LENT
    assert earned > SOL_UNIT // 1_000, "a month's interest"
    assert await keeper.ticks(1) in (["mint_interest"], ["buy_interest"])
    assert keeper.glowsol > 0
    await keeper.ticks(1, look)
    assert LENT <= lent(seen[-1]) < LENT + earned // 100
    assert await keeper.ticks(1) == []


async def test_wrapped_sol_and_native_sol_are_minted_together(tmp_path: Path) -> None:
    keeper = await Compounding.build(tmp_path, funds=6 * SOL_UNIT)
    pay(keeper.stage.net, keeper.stage.wallet, *wrap(keeper.stage.wallet.pubkey(), Lamports(3 * SOL_UNIT)))
    assert await keeper.ticks(2) == ["mint_idle"]
    assert keeper.units(WSOL_MINT) == 0
    assert keeper.glowsol * 1.05 > 4.9 * SOL_UNIT
    assert keeper.lamports >= SOL_UNIT


async def test_ssol_becomes_glowsol_where_that_yields_more(tmp_path: Path) -> None:
    keeper = await Compounding.build(tmp_path, funds=2 * SOL_UNIT, table='restaking_yield = "200 bps"')
    book = TokenBook(keeper.stage.net.bank)
    book.give(keeper.stage.wallet.pubkey(), SSOL_MINT, 20 * SOL_UNIT)
    book.write()
    assert sorted(await keeper.ticks(3)) == ["mint_idle", "stake_ssol"]
    assert keeper.units(SSOL_MINT) == 0
    assert keeper.glowsol > 20 * SOL_UNIT


async def test_a_ripe_request_is_claimed_and_put_to_work_again(tmp_path: Path) -> None:
    keeper = await Compounding.build(tmp_path, funds=12 * SOL_UNIT)
    stage = keeper.stage
    async with AsyncExitStack() as life:
        lrt = (await stage.assemble(life)).market.lrt
    assert lrt is not None
    stake_and_queue(stage.net, stage.wallet, lrt, stake=10 * SOL_UNIT, queue=[5 * SOL_UNIT])
    stage.net.bank.advance_slot(8 * DAY)
    assert await keeper.ticks(3) == ["claim_ripe", "mint_idle"]
    assert keeper.glowsol * 1.05 > 10 * SOL_UNIT
