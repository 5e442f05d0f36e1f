"""The keeper's builders and quotes against the localnet's models, which were written apart from them: to the lamport."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols import jupiter, solayer, stake_pool, token
from keeper.protocols.addresses import (
    GLOW_LRT,
    LST_MINT,
    SOLAYER_STAKE_POOL,
    SPL_TOKEN,
    SSOL_MINT,
    STAKE_POOL_PROGRAM,
    WSOL_MINT,
)
from keeper.protocols.errors import ProgramErrors, explain
from keeper.protocols.glow_lrt import (
    LOCALNET_LRT_MAPPING,
    Idl,
    LrtBooks,
    LrtPool,
    LrtProgram,
    cancel_fee,
    decode_idl_account,
    idl_address,
    localnet_pool_address,
    quote_deposit_sol,
    quote_deposit_ssol,
    quote_request,
)
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.interface import BankConfig, TransactionRecord
from keeper.sim.localnet.market import create_market
from keeper.sim.localnet.market_addresses import GLOWSOL_MINT, derived_keypair
from keeper.sim.localnet.programs.jupiter_router import find_route, minimum_out, route_instruction
from keeper.units import SSOL, STAKE_POOL_LST, Epoch, Lamports, Mint, TokenAmount, UnixTime

SOL = 10**9
GLOWSOL = Mint(str(GLOWSOL_MINT), "glowSOL", 9)


@dataclass
class Net:
    """A localnet with its market, and a wallet that acts through the keeper's own builders."""

    bank: Bank
    user: Actor

    def data(self, address: Pubkey) -> bytes:
        account = self.bank.get_account(address)
        assert account is not None
        return bytes(account.data)

    def owner(self, address: Pubkey) -> Pubkey:
        account = self.bank.get_account(address)
        assert account is not None
        return account.owner

    @property
    def stake_pool(self) -> stake_pool.StakePool:
        return stake_pool.decode_stake_pool(self.data(SOLAYER_STAKE_POOL), owner=self.owner(SOLAYER_STAKE_POOL))

    @property
    def lrt(self) -> LrtProgram:
        text = decode_idl_account(self.data(idl_address(GLOW_LRT)))
        program = LrtProgram(Idl.parse(text), LOCALNET_LRT_MAPPING, GLOW_LRT, localnet_pool_address(GLOWSOL_MINT))
        return program.with_pool_state(program.decode_pool(self.data(program.pool), owner=self.owner(program.pool)))

    @property
    def pool(self) -> LrtPool:
        state = self.lrt.pool_state
        assert state is not None
        return state

    @property
    def books(self) -> LrtBooks:
        account = self.bank.get_account(self.lrt.pool)
        assert account is not None
        rent = self.bank.rent_exempt(len(account.data))
        vault = token.decode_token_account(self.data(self.pool.ssol_vault), owner_program=SPL_TOKEN)
        supply = token.decode_mint(self.data(GLOWSOL_MINT)).supply
        return LrtBooks(
            pool=self.pool,
            liquid=Lamports(account.lamports - rent),
            ssol=TokenAmount(SSOL, vault.amount),
            ssol_rate=self.stake_pool.rate,
            supply=TokenAmount(GLOWSOL, supply),
        )

    def run(self, *instructions: Instruction) -> TransactionRecord:
        record = self.user.send(*instructions)
        assert record.err is None, (record.err, *record.logs)
        self.bank.advance_slot()
        return record

    def ata(self, mint: Pubkey) -> Pubkey:
        return token.associated_token_address(self.user.key, mint)


@pytest.fixture
def net() -> Net:
    bank = Bank(BankConfig(seed=3, slots_per_epoch=400, warp=4_000))
    user = Actor(bank, create_market(bank), derived_keypair("keeper"))
    user.fund(10_000 * SOL)
    user.open_accounts(LST_MINT, SSOL_MINT, GLOWSOL_MINT)
    bank.advance_slot()
    return Net(bank, user)


@pytest.mark.parametrize("lamports", [3, 123_456_789, 777 * SOL + 1])
def test_stake_pool_and_solayer_pay_what_was_quoted_both_ways(net: Net, lamports: int) -> None:
    pool, deposit = net.stake_pool, Lamports(lamports)
    expected = stake_pool.quote_deposit_sol(pool, deposit)
    who = {"funder": net.user.key, "destination": net.ata(LST_MINT)}
    net.run(
        stake_pool.deposit_sol_with_slippage(SOLAYER_STAKE_POOL, pool, **who, amount=deposit, minimum_out=expected),
        solayer.restake(net.user.key, expected),
    )
    assert net.user.tokens(SSOL_MINT) == solayer.quote_restake(expected).units
    net.run(solayer.unrestake(net.user.key, TokenAmount(SSOL, expected.units)))
    assert net.user.tokens(LST_MINT) == expected.units
    pool = net.stake_pool
    out = stake_pool.quote_withdraw_sol(pool, expected, epoch=Epoch(net.bank.clock.epoch))
    before = net.user.lamports
    record = net.run(
        stake_pool.withdraw_sol_with_slippage(
            SOLAYER_STAKE_POOL,
            pool,
            owner=net.user.key,
            source=net.ata(LST_MINT),
            destination=net.user.key,
            amount=TokenAmount(STAKE_POOL_LST, expected.units),
            minimum_out=out,
        )
    )
    assert net.user.lamports == before + out.value - record.fee


def test_one_unit_above_the_quote_is_refused_by_name(net: Net) -> None:
    pool, deposit = net.stake_pool, Lamports(SOL)
    expected = stake_pool.quote_deposit_sol(pool, deposit)
    more = expected + TokenAmount(STAKE_POOL_LST, 1)
    built = stake_pool.deposit_sol_with_slippage(
        SOLAYER_STAKE_POOL, pool, funder=net.user.key, destination=net.ata(LST_MINT), amount=deposit, minimum_out=more
    )
    assert explain(net.user.send(built).err, (STAKE_POOL_PROGRAM,)) == "stake-pool: ExceededSlippage (39)"


@pytest.mark.parametrize("units", [5, 1_234_567, 321 * SOL + 7])
def test_glowsol_is_minted_queued_claimed_and_cancelled_as_quoted(net: Net, units: int) -> None:
    owner, deposit = net.user.key, Lamports(units)
    expected = quote_deposit_sol(net.books, deposit)
    net.run(net.lrt.deposit_sol(owner, deposit, expected))
    assert net.user.tokens(GLOWSOL_MINT) == expected.units
    assets = quote_request(net.books, expected)
    requested_at = net.bank.clock.unix_timestamp
    net.run(net.lrt.create_queue(owner), net.lrt.request_unstake(owner, expected))
    queue = net.lrt.queue_address(owner)
    (slot,) = net.lrt.decode_queue(net.data(queue), owner=net.owner(queue), wallet=owner)
    assert (slot.assets, slot.shares, slot.requested_at) == (assets, expected.units, UnixTime(requested_at))
    assert slot.waiting == net.pool.waiting_period
    fee = cancel_fee(net.books, expected)
    net.run(net.lrt.cancel_unstake(owner, slot.index))
    assert net.user.tokens(GLOWSOL_MINT) == expected.units - fee.units
    assert net.lrt.decode_queue(net.data(queue)) == ()


def test_a_claim_pays_the_assets_fixed_at_the_request(net: Net) -> None:
    owner = net.user.key
    net.run(net.lrt.deposit_sol(owner, Lamports(50 * SOL)), net.lrt.create_queue(owner))
    net.run(net.lrt.request_unstake(owner, TokenAmount(GLOWSOL, 10 * SOL)))
    (slot,) = net.lrt.decode_queue(net.data(net.lrt.queue_address(owner)))
    early = net.user.send(net.lrt.claim_unstake(owner, slot.index))
    registry = ProgramErrors.standard()
    net.lrt.register_errors(registry)
    assert explain(early.err, (GLOW_LRT,), registry=registry) == "glow_lrt: WaitingPeriodNotPassed (6007)"
    while net.bank.clock.unix_timestamp < slot.ready_at.value:
        net.bank.advance_slot()
    before = net.user.lamports
    record = net.run(net.lrt.claim_unstake(owner, slot.index))
    assert net.user.lamports == before + slot.assets.value - record.fee
    net.run(net.lrt.close_queue(owner))
    assert net.bank.get_account(net.lrt.queue_address(owner)) is None


def test_ssol_is_taken_at_the_stake_pools_rate(net: Net) -> None:
    pool, deposit = net.stake_pool, Lamports(40 * SOL)
    lst = stake_pool.quote_deposit_sol(pool, deposit)
    who = {"funder": net.user.key, "destination": net.ata(LST_MINT)}
    net.run(stake_pool.deposit_sol(SOLAYER_STAKE_POOL, pool, **who, amount=deposit), solayer.restake(net.user.key, lst))
    ssol = TokenAmount(SSOL, lst.units)
    expected = quote_deposit_ssol(net.books, ssol)
    net.run(net.lrt.deposit_ssol(net.user.key, ssol, expected))
    assert net.user.tokens(GLOWSOL_MINT) == expected.units


@pytest.mark.parametrize("v2", [False, True])
def test_swaps_of_the_localnets_router_promise_what_was_asked_for(net: Net, v2: bool) -> None:
    amount, slippage_bps = 5 * SOL, 37
    route = find_route(net.bank, WSOL_MINT, GLOWSOL_MINT, amount, dexes=None, exclude=frozenset(), direct_only=False)
    assert route is not None
    built = route_instruction(
        route,
        net.user.key,
        source=net.ata(WSOL_MINT),
        destination=net.ata(GLOWSOL_MINT),
        quoted_out=route.out_amount,
        slippage_bps=slippage_bps,
        v2=v2,
    )
    seen = jupiter.decode_swap(bytes(built.data))
    assert seen.kind == ("route_v2" if v2 else "route")
    assert (seen.in_amount, seen.quoted_out_amount) == (amount, route.out_amount)
    assert 0 <= minimum_out(route.out_amount, slippage_bps) - seen.minimum_out <= 1
