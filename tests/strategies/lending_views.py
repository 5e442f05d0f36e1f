"""Views with a lending market and a margin account, and a paper fill: what a plan would have done at its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keeper.lending import Collateral, LendingMarket, Loan, MarginAccount
from keeper.past import BorrowSample, EpochRates, Past
from keeper.plan import (
    Borrow,
    ClaimUnstake,
    Deposit,
    Intent,
    Plan,
    Repay,
    RequestUnstake,
    Stake,
    Swap,
    TicketId,
    Unstake,
    Withdraw,
)
from keeper.units import BPS, SOL, SSOL, Bps, Duration, Epoch, Lamports, Mint, Rate, Slot, TokenAmount, UnixTime
from keeper.view import Ladder, Rung, Ticket, View
from tests.strategies.market_views import GLOWSOL, NOW, SOL_UNIT, view

POOL = "SolPool1111111111111111111111111111111111111"
PLACE = {GLOWSOL: "glowSOL-collateral", SSOL: "sSOL-collateral"}
GLOW_RATE, SSOL_RATE = Rate(105, 100), Rate(116, 100)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200)
EPOCH = 172_800
PERCENT = 10_000_000  # billionths


def rate_of(mint: Mint) -> Rate:
    return SSOL_RATE if mint == SSOL else GLOW_RATE


def lending(
    *, borrow: int = 4 * PERCENT, slope: int = 0, room: int = 100_000, problem: str = "", exit_problem: str = ""
) -> LendingMarket:
    """A pool of 100 000 SOL, half borrowed, at ``borrow`` billionths per year, ``slope`` more for each 10 000 SOL borrowed."""
    borrowed, idle = 50_000 * SOL_UNIT, 50_000 * SOL_UNIT
    line = (
        (-borrowed, max(borrow - 5 * slope, 0)),
        (0, borrow),
        (room * SOL_UNIT + 1, borrow + slope * room // 10_000),
    )
    return LendingMarket(
        POOL,
        SOL,
        TokenAmount(SOL, borrowed),
        TokenAmount(SOL, idle),
        line,
        Bps(8_000),
        TokenAmount(SOL, room * SOL_UNIT),
        TokenAmount(SOL, 10**15),
        problem,
        exit_problem,
    )


def account(
    collateral: int = 0,
    debt: int = 0,
    *,
    mint: Mint = GLOWSOL,
    price: Rate | None = None,
    weight: int = 9_500,
    leverage: int = 400,
    problem: str = "",
    stale: str = "",
) -> MarginAccount:
    """Collateral in base units of ``mint``, and a debt in lamports."""
    places = tuple(
        Collateral(
            PLACE[one],
            one,
            TokenAmount(one, collateral if one == mint else 0),
            price if price is not None and one == mint else rate_of(one),
            Bps(weight),
            problem=stale if one == mint else "",
        )
        for one in (GLOWSOL, SSOL)
    )
    loan = Loan(POOL, SOL, TokenAmount(SOL, debt), Rate(1, 1), leverage)
    return MarginAccount("margin", places, (loan,), problem)


def epochs(apy: int = 8 * PERCENT, count: int = 6) -> tuple[EpochRates, ...]:
    """Rates that grew evenly at ``apy`` billionths per year, up to today's."""
    scale, step = 10**12, 10**12 * apy // 10**9 * EPOCH // 31_536_000
    found = []
    for back in reversed(range(count)):
        shrink = scale - step * back
        ssol, glow = (Rate(one.numerator * shrink, one.denominator * scale) for one in (SSOL_RATE, GLOW_RATE))
        found.append(EpochRates(Epoch(900 - back), UnixTime(NOW.value - EPOCH * back), ssol, glow))
    return tuple(found)


def borrows(*rates: int, every: int = 86_400) -> tuple[BorrowSample, ...]:
    """Samples at these rates, the last one ``every`` seconds ago."""
    count = len(rates)
    return tuple(
        BorrowSample(UnixTime(NOW.value - every * (count - index)), POOL, rate) for index, rate in enumerate(rates)
    )


def ladder(sell: Mint, buy: Mint, rate: Rate, *, price_bps: int = BPS, depth: int = 10, slippage: int = 3) -> Ladder:
    """Quotes of selling ``sell`` at ``rate`` x ``price_bps``, worsening by ``depth`` bps for each 100 of size."""
    rungs = []
    for size in SIZES:
        units = size * SOL_UNIT
        worth = units * rate.numerator * price_bps // (rate.denominator * BPS)
        received = worth * (BPS * 100 - depth * size) // (BPS * 100)
        rungs.append(
            Rung(
                TokenAmount(sell, units),
                TokenAmount(buy, received),
                TokenAmount(buy, received * (BPS - slippage) // BPS),
                "dex",
            )
        )
    return Ladder(sell, buy, tuple(rungs), Slot(500))


def ladders(mint: Mint, *, price_bps: int = BPS, depth: int = 10) -> tuple[Ladder, ...]:
    """Both directions of ``mint`` against SOL, with a spread of 5 bps to each side; glowSOL also for sSOL."""
    rate = rate_of(mint)
    inverse, cross = Rate(rate.denominator, rate.numerator), Rate(GLOW_RATE.numerator, SSOL_RATE.numerator)
    found = [
        ladder(mint, SOL, rate, price_bps=price_bps - 5, depth=depth),
        ladder(SOL, mint, inverse, price_bps=BPS * BPS // (price_bps + 5), depth=depth),
    ]
    return (
        (*found, ladder(GLOWSOL, SSOL, cross, price_bps=price_bps - 20, depth=depth))
        if mint == GLOWSOL
        else tuple(found)
    )


def loop_view(
    margin: MarginAccount | None = None,
    *,
    mint: Mint = GLOWSOL,
    market: LendingMarket | None = None,
    lamports: int = SOL_UNIT,
    held: int = 0,
    apy: int = 8 * PERCENT,
    price_bps: int = BPS,
    depth: int = 10,
    quotes: Sequence[Ladder] | None = None,
    samples: tuple[BorrowSample, ...] = (),
    order: str = "",
    last_landed: UnixTime | None = None,
    queue: tuple[Ticket, ...] = (),
) -> View:
    """A fresh market with ``margin`` in it, staking that yields ``apy``, a wallet with ``lamports`` and ``held`` of ``mint``."""
    seen = view(lamports=lamports, queue=queue)
    tokens = tuple(TokenAmount(one, held if one == mint else 0) for one in (GLOWSOL, SSOL))
    pool = replace(
        seen.pools[0], stake_rate=Rate(116 * 9_990, 100 * BPS), stake_rent=Lamports(2_282_880), stake_places_free=8
    )
    return replace(
        seen,
        pools=(pool,),
        quotes=tuple(quotes) if quotes is not None else ladders(mint, price_bps=price_bps, depth=depth),
        lending=(market or lending(),),
        wallet=replace(seen.wallet, tokens=tokens),
        margin=margin if margin is not None else account(mint=mint),
        past=Past(epochs(apy), samples, last_landed, order),
        epoch_length=Duration(EPOCH),
        epoch_ends_at=NOW.after(Duration(EPOCH // 2)),
    )


@dataclass(frozen=True)
class Filled:
    """A view that a plan was applied to, and the lowest health that the margin account had between two intents."""

    view: View
    lowest: Bps


def costs_of(plan: Plan) -> int:
    """Fees and rents: what the plan's bound on native SOL allows beyond what its intents move."""
    moved = 0
    for intent in (one for step in plan.steps for one in step.intents):
        match intent:
            case Borrow(_, amount):
                moved += amount.units
            case Repay(_, amount, _):
                moved -= amount.units
            case Stake(Lamports() as spend, _):
                moved -= spend.value
            case Swap(sell, received, _):
                moved += (received.units if received.mint == SOL else 0) - (sell.units if sell.mint == SOL else 0)
            case Unstake(_, received) | ClaimUnstake(_, received):
                moved += received.value
            case _:
                pass
    return moved - plan.expected.min_sol_change.value


def fill(seen: View, plan: Plan) -> Filled:
    """Apply ``plan`` at its bounds: the most leaves, the least arrives, and fees and rents are paid."""
    margin = seen.margin
    assert margin is not None
    tokens = {one.mint: one.units for one in seen.wallet.tokens}
    lamports, queue, lowest = seen.wallet.lamports.value, list(seen.queue), margin.health
    intents: list[Intent] = [intent for step in plan.steps for intent in step.intents]

    def move(mint: Mint, units: int) -> None:
        nonlocal lamports
        if mint == SOL:
            lamports += units
        else:
            tokens[mint] = tokens.get(mint, 0) + units
            assert tokens[mint] >= 0, (plan.reason, mint.symbol, tokens[mint])
        assert lamports >= 0

    for intent in intents:
        match intent:
            case Borrow(market, amount):
                move(SOL, amount.units)
                margin = margin.changed({f"loan:{market}": amount.units})
            case Repay(market, amount, whole):
                owed = next(one for one in margin.loans if one.market == market).amount.units
                assert whole or amount.units <= owed
                assert not whole or amount.units >= owed
                paid = owed if whole else amount.units
                move(SOL, -paid)
                margin = margin.changed({f"loan:{market}": -paid})
            case Deposit(market, amount):
                move(amount.mint, -amount.units)
                margin = margin.changed({market: amount.units})
            case Withdraw(market, amount):
                move(amount.mint, amount.units)
                margin = margin.changed({market: -amount.units})
            case Stake(Lamports() as spend, minted):
                move(SOL, -spend.value)
                move(minted.mint, minted.units)
            case Swap(sell, received, _):
                move(sell.mint, -sell.units)
                move(received.mint, received.units)
            case Unstake(spend, received):
                move(spend.mint, -spend.units)
                move(SOL, received.value)
            case RequestUnstake(spend, assets):
                move(spend.mint, -spend.units)
                queue.append(_requested(seen, spend, assets, len(queue)))
            case ClaimUnstake(ticket, received):
                queue = [one for one in queue if one.id != ticket]
                move(SOL, received.value)
            case _:
                raise AssertionError(intent)
        lowest = min(lowest, margin.health)
    lamports -= costs_of(plan)
    assert lamports >= (seen.wallet.lamports + plan.expected.min_sol_change).value
    wallet = replace(
        seen.wallet,
        lamports=Lamports(lamports),
        tokens=tuple(TokenAmount(mint, units) for mint, units in tokens.items()),
    )
    past = replace(seen.past, last_landed=seen.block_time)
    glow = seen.glowsol
    if glow is not None:
        glow = replace(glow, queue_slots_free=8 - sum(1 for one in queue if one.id.way == "glowsol"), queue_open=True)
    return Filled(replace(seen, wallet=wallet, margin=margin, queue=tuple(queue), past=past, glowsol=glow), lowest)


def _requested(seen: View, spend: TokenAmount, assets: Lamports, count: int) -> Ticket:
    if spend.mint == SSOL:
        rent = seen.pools[0].stake_rent
        return Ticket(TicketId(count, UnixTime(900), "stake"), spend, assets + rent, seen.epoch_ends_at)
    assert seen.glowsol is not None
    return Ticket(TicketId(count, seen.block_time), spend, assets, seen.block_time.after(seen.glowsol.waiting_period))


def later(seen: View, seconds: int) -> View:
    """The same view ``seconds`` later, with everything in the queue ripe that should be."""
    now = seen.block_time.after(Duration(seconds))
    queue = tuple(replace(one, ready=now >= one.ripe_at) for one in seen.queue)
    ends = seen.epoch_ends_at
    while ends < now:
        ends = ends.after(Duration(EPOCH))
    return replace(seen, block_time=now, queue=queue, epoch_ends_at=ends)
