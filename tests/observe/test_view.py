"""What the observer says equals what the bank holds."""

from __future__ import annotations

from dataclasses import replace

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.protocols import addresses
from keeper.protocols.token import associated_token_address, decode_token_account
from keeper.sim.localnet.market_rates import lrt_totals, stake_pool_of
from keeper.sim.localnet.programs.glow_lrt_state import MINIMUM_RESERVE, POOL_SIZE
from keeper.strategy import LadderNeed
from keeper.units import SOL, SSOL, STAKE_POOL_LST, Bps, Duration, Lamports, Rate, TokenAmount
from tests.engine.stage import SOL_UNIT, market_of, open_token_account
from tests.observe.conftest import GAS_RESERVE, QUEUED, Eye, without_lrt


async def test_the_wallet_is_what_the_bank_holds(eye: Eye) -> None:
    open_token_account(eye.net, eye.wallet, addresses.SSOL_MINT)
    eye.net.bank.advance_slot(2)
    wallet = (await eye.observer().view(())).wallet
    account = eye.net.bank.get_account(eye.owner)
    assert account is not None
    assert (wallet.owner, wallet.lamports, wallet.gas_reserve) == (
        str(eye.owner),
        Lamports(account.lamports),
        GAS_RESERVE,
    )
    held = {
        str(decoded.mint): decoded.amount
        for _, raw in eye.net.bank.token_accounts_by_owner(eye.owner)
        for decoded in [decode_token_account(bytes(raw.data), owner_program=raw.owner)]
    }
    assert {amount.mint.address: amount.units for amount in wallet.tokens} == held
    assert wallet.token(eye.lrt.glowsol).units > 0
    assert wallet.has_account(SSOL)
    assert not wallet.has_account(SOL)
    assert not wallet.has_account(STAKE_POOL_LST)


async def test_requests_in_the_queue_carry_their_index_and_moment(eye: Eye) -> None:
    view = await eye.observer().view(())
    assert [(ticket.id.index, ticket.shares.units) for ticket in view.queue] == list(enumerate(QUEUED))
    assert view.glowsol is not None
    for ticket in view.queue:
        assert ticket.ripe_at == ticket.id.requested_at.after(Duration(604_800))
        assert not ticket.ripe(view.block_time)
        worth = view.glowsol.rate.lamports(ticket.shares)  # no reward came in between, only the rounding of deposits
        assert worth - Lamports(1) <= ticket.assets <= worth
    assert view.glowsol.queue_open
    assert view.glowsol.queue_slots_free == 8 - len(QUEUED)


async def test_a_request_is_ripe_when_its_week_is_over(eye: Eye) -> None:
    observer = eye.observer()
    first = await observer.view(())
    due = first.queue[0].ripe_at
    while eye.net.bank.clock.unix_timestamp < due.value:
        eye.net.bank.advance_slot()
    eye.net.bank.advance_slot(2)
    assert (await observer.view(())).queue[0].ripe(due)


async def test_the_books_of_glowsol_are_the_programs_own(eye: Eye) -> None:
    glow = (await eye.observer().view(())).glowsol
    totals = lrt_totals(eye.net.bank, market_of(eye.net))
    assert glow is not None
    assert glow.total_assets == Lamports(totals.total_assets)
    assert glow.outstanding == TokenAmount(eye.lrt.glowsol, totals.outstanding)
    assert glow.rate == Rate(totals.total_assets, totals.outstanding)
    assert glow.waiting_period == Duration(totals.pool.waiting_period)
    assert glow.cancel_fee == Bps(totals.pool.cancel_fee_bps)
    assert not glow.paused
    gross = totals.total_assets + totals.pool.pending_assets
    assert glow.deposit_room == Lamports(totals.pool.deposit_cap - gross)
    assert glow.liquid == Lamports(totals.liquid - MINIMUM_RESERVE)
    raw = eye.net.bank.get_account(eye.lrt.pool)
    assert raw is not None
    assert totals.liquid == raw.lamports - eye.net.bank.rent_exempt(POOL_SIZE)


async def test_a_paused_program_and_a_full_cap_are_seen(eye: Eye) -> None:
    sim, bank = market_of(eye.net), eye.net.bank
    raw, totals = bank.get_account(sim.lrt_pool), lrt_totals(bank, sim)
    assert raw is not None
    pool = replace(totals.pool, paused=True, deposit_cap=1)
    bank.set_account(sim.lrt_pool, Account(raw.lamports, pool.encode(), raw.owner))
    glow = (await eye.observer().view(())).glowsol
    assert glow is not None
    assert glow.paused
    assert glow.deposit_room == Lamports(0)


async def test_the_stake_pool_its_reserve_and_its_turn_of_epoch(eye: Eye) -> None:
    sim, bank = market_of(eye.net), eye.net.bank
    observer = eye.observer()
    (pool,) = (await observer.view(())).pools
    state = stake_pool_of(bank, sim)
    reserve = bank.get_account(sim.reserve_stake)
    assert reserve is not None
    assert pool.mint == SSOL
    assert pool.rate == Rate(state.total_lamports, state.pool_token_supply)
    assert Lamports(0) < pool.reserve < Lamports(reserve.lamports)
    assert Lamports(reserve.lamports) - pool.reserve <= Lamports(bank.rent_exempt(200) + SOL_UNIT)
    assert pool.instant_rate < pool.rate
    fee = (pool.rate.fraction() - pool.instant_rate.fraction()) / pool.rate.fraction()
    assert 0.0007 < float(fee) < 0.0009  # 8 bps
    assert pool.current
    assert pool.last_update_epoch.value == bank.clock.epoch
    bank.advance_slot(bank.clock.slots_per_epoch - bank.clock.slot_index)
    turned = await observer.view(())
    assert turned.epoch.value == bank.clock.epoch
    assert not turned.pools[0].current


async def test_rents_and_fees_are_the_clusters(eye: Eye) -> None:
    view = await eye.observer().view(())
    queue = eye.net.bank.get_account(eye.lrt.program.queue_address(eye.owner))
    assert queue is not None
    assert view.fees.signature == Lamports(5_000)
    assert view.fees.token_account_rent == Lamports(eye.net.bank.rent_exempt(165))
    assert view.fees.queue_account_rent == Lamports(queue.lamports)
    assert view.fees.unit_price.value >= 1_000  # the floor


async def test_a_node_without_fee_advice_costs_the_floor(eye: Eye) -> None:
    def refuse(method: str, answer: dict[str, object]) -> dict[str, object]:
        if method != "getRecentPrioritizationFees":
            return answer
        return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32601, "message": "Method not found"}}

    eye.wire.tamper = refuse
    assert (await eye.observer().view(())).fees.unit_price.value == 1_000


async def test_rents_are_asked_for_once_an_epoch(eye: Eye) -> None:
    observer = eye.observer()
    await observer.view(())
    asked = eye.wire.calls["getMinimumBalanceForRentExemption"]
    await observer.view(())
    assert eye.wire.calls["getMinimumBalanceForRentExemption"] == asked
    eye.net.bank.advance_slot(eye.net.bank.clock.slots_per_epoch)
    await observer.view(())
    assert eye.wire.calls["getMinimumBalanceForRentExemption"] == 2 * asked


async def test_slot_epoch_and_time_are_of_one_moment_and_fresh(eye: Eye) -> None:
    view = await eye.observer().view(())
    clock = eye.net.bank.clock
    assert view.fresh.ok
    assert 0 <= clock.slot - view.slot.value <= 3
    assert view.epoch.value == clock.epoch
    assert abs(clock.unix_timestamp - view.block_time.value) <= 3 * eye.net.config.bank.warp


async def test_everything_is_read_in_one_request(eye: Eye) -> None:
    observer = eye.observer()
    await observer.view(())
    before = eye.wire.calls.copy()
    await observer.view(())
    assert (eye.wire.calls - before)["getMultipleAccounts"] == 1


async def test_ladders_are_what_was_asked_for_by_rising_size(eye: Eye) -> None:
    view = await eye.observer().view(eye.needs)
    for need in eye.needs:
        ladder = view.ladder(need.sizes[0].mint, need.buy)
        assert ladder is not None
        assert tuple(rung.sell for rung in ladder.rungs) == need.sizes
        assert all(rung.min_receive < rung.receive and rung.venue == "jupiter" for rung in ladder.rungs)
        received = [rung.receive for rung in ladder.rungs]
        assert received == sorted(received)


async def test_two_strategies_that_want_one_direction_share_its_quotes(eye: Eye) -> None:
    small = LadderNeed((TokenAmount(SOL, SOL_UNIT),), eye.lrt.glowsol)
    large = LadderNeed((TokenAmount(SOL, SOL_UNIT), TokenAmount(SOL, 2 * SOL_UNIT)), eye.lrt.glowsol)
    nothing = LadderNeed((), eye.lrt.glowsol)
    view = await eye.observer().view((large, nothing, small))
    assert len(view.quotes) == 1
    assert [rung.sell.units for rung in view.quotes[0].rungs] == [SOL_UNIT, 2 * SOL_UNIT]
    assert sum(eye.venue_wire.calls.values()) == 2


async def test_without_the_restaking_program_the_rest_is_seen(eye: Eye) -> None:
    observer = eye.observer(market=without_lrt(eye.market))
    assert (await observer.view(())).quotes == ()
    view = await observer.view(eye.needs)
    assert view.glowsol is None
    assert view.queue == ()
    assert len(view.quotes) == 3  # a strategy that lives without the program still trades on the DEX
    assert view.fresh.ok
    assert view.pools[0].current
    assert eye.lrt.pool not in observer.watched


async def test_a_wallet_that_never_queued_has_no_queue(eye: Eye) -> None:
    queue = eye.lrt.program.queue_address(eye.owner)
    eye.net.bank.set_account(queue, Account(0, b"", Pubkey.default()))
    view = await eye.observer().view(())
    assert view.queue == ()
    assert view.glowsol is not None
    assert not view.glowsol.queue_open
    assert view.glowsol.queue_slots_free == 8


async def test_what_is_watched_is_news_and_the_clock_is_not(eye: Eye) -> None:
    watched = eye.observer().watched
    assert addresses.CLOCK_SYSVAR not in watched
    assert {eye.owner, eye.lrt.pool, eye.lrt.ssol_vault, addresses.SOLAYER_STAKE_POOL} <= set(watched)
    for mint in (SOL, SSOL, STAKE_POOL_LST, eye.lrt.glowsol):
        assert associated_token_address(eye.owner, Pubkey.from_string(mint.address)) in watched
