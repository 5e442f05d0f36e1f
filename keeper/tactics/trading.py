"""What several strategies reckon alike: costs, sizes, the ways into a staked token and out of it, claims, free collateral.

Pure, in the language of strategies. Every amount is a worst case: what leaves is the most that may leave, what arrives is what
an intent's minimum guarantees on chain. ``tolerance`` is how much a redemption rate may move between view and landing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from keeper.lending import Collateral, MarginAccount
from keeper.plan import Atomic, ClaimUnstake, Deposit, Expected, Plan, RequestUnstake, Stake, Swap, Unstake
from keeper.tactics.yields import interest, redemption_rate
from keeper.units import BPS, SOL, SSOL, Bps, ComputeUnits, Duration, Lamports, Mint, TokenAmount
from keeper.view import GlowSol, Ladder, Rung, Ticket, View

NOW = Duration(0)
NOTHING = Lamports(0)


@dataclass(frozen=True, slots=True)
class Purchase:
    """One way into a staked token: at most ``spend`` leaves, at least ``receive`` arrives. ``rent`` is bound in the accounts
    that it opens; ``obstacle`` is why it may not be taken now, a reason code, empty when it may."""

    way: str
    spend: Lamports
    receive: TokenAmount
    intents: tuple[Stake | Swap, ...]
    rent: Lamports = NOTHING
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Sale:
    """One way out to SOL: all of ``sold`` leaves, at least ``receive`` arrives after ``ripens``. ``rent`` is bound in the
    accounts that it opens; ``obstacle`` is why it may not be taken now, a reason code, empty when it may."""

    way: str
    sold: TokenAmount
    receive: Lamports
    intents: tuple[Swap | Unstake | RequestUnstake, ...]
    rent: Lamports = NOTHING
    ripens: Duration = NOW
    obstacle: str = ""


def transaction_cost(view: View, compute_limit: int, *mints: Mint) -> Lamports:
    """Of one transaction that needs accounts for ``mints``. SOL needs none: a swap opens and closes its own."""
    return view.fees.transaction(ComputeUnits(compute_limit)) + account_rent(view, *mints)


def account_rent(view: View, *mints: Mint) -> Lamports:
    """Rent of the token accounts for ``mints`` that the wallet does not have yet."""
    missing = sum(1 for mint in mints if mint != SOL and not view.wallet.has_account(mint))
    return view.fees.token_account_rent * missing


def affordable(view: View, costs: Lamports) -> Lamports:
    """What a trade may spend, so that the reserves are whole after its costs."""
    return max(view.wallet.spendable - costs, NOTHING)


def candidates(ladder: Ladder | None, cap: TokenAmount, *kinks: TokenAmount) -> Iterator[Rung]:
    """Where the best size can lie: the rungs up to ``cap``, the cap itself, and ``kinks`` where a limit or a cost sets in."""
    for size in dict.fromkeys((*(one.sell for one in ladder.rungs), cap, *kinks)) if ladder is not None else ():
        rung = ladder.at(size) if ladder is not None and size <= cap else None
        if rung is not None and rung.sell.units > 0 and rung.min_receive.units > 0:
            yield rung


def priced(ladder: Ladder | None, size: TokenAmount) -> Rung | None:
    """What selling ``size`` brings, or as much of it as is quoted; None where that is nothing.

    Below the smallest rung it is that rung in proportion: a concave curve through the origin lies above its chord.
    """
    if ladder is None or not ladder.rungs or size.units <= 0:
        return None
    first, last = ladder.rungs[0], ladder.rungs[-1]
    if size < first.sell:
        least, whole = size.units, first.sell.units
        receive, minimum = (
            TokenAmount(one.mint, one.units * least // whole) for one in (first.receive, first.min_receive)
        )
        rung: Rung | None = Rung(size, receive, minimum, first.venue)
    else:
        rung = ladder.at(min(size, last.sell))
    return rung if rung is not None and rung.min_receive.units > 0 else None


def purchases(view: View, spend: Lamports, target: Mint, tolerance: Bps) -> Iterator[Purchase]:
    """The ways from ``spend`` to ``target`` (glowSOL or sSOL), each with as much of it as it takes at once: ``mint`` at the
    redemption rate as far as the cap has room, ``buy`` on the DEX as far as it is quoted."""
    rent, rate, glow = account_rent(view, target), redemption_rate(view, target), view.glowsol
    room = glow.deposit_room if glow is not None and target != SSOL else spend
    part = min(spend, room) if room > NOTHING else spend
    minted = tolerance.off(rate.tokens(part, target)) if rate is not None and part > NOTHING else None
    if minted:
        yield Purchase("mint", part, minted, (Stake(part, minted),), rent, mint_obstacle(view, part, target))
    rung = priced(view.ladder(SOL, target), TokenAmount(SOL, spend.value))
    if rung is not None:
        swap = Swap(rung.sell, rung.min_receive, rung.venue)
        yield Purchase("buy", Lamports(rung.sell.units), rung.min_receive, (swap,), rent)


def mint_obstacle(view: View, spend: Lamports, target: Mint) -> str:
    """Why ``spend`` cannot be minted into ``target`` now: a reason code, empty when it can."""
    glow, pool = view.glowsol, view.pool(SSOL)
    if target != SSOL and glow is None:
        return "lrt_unavailable"
    if target != SSOL and glow is not None and glow.paused:
        return "deposits_paused"
    if target != SSOL and glow is not None and spend > glow.deposit_room:
        return "deposit_cap_reached"
    return "" if pool is not None and pool.current else "stake_pool_outdated"


def dex_sale(view: View, rung: Rung, tolerance: Bps) -> Sale | None:
    """Selling as ``rung`` says for SOL, or for sSOL that leaves through the stake pool's reserve in the same transaction. None
    where that pays nothing."""
    swap = Swap(rung.sell, rung.min_receive, rung.venue)
    if rung.min_receive.mint == SOL:
        return Sale("sell", rung.sell, Lamports(rung.min_receive.units), (swap,))
    out = instant_exit(view, rung.min_receive, tolerance)
    if out is None:
        return None
    rent = account_rent(view, SSOL)
    return Sale("sell_ssol", rung.sell, out.receive, (swap, *out.intents), rent, NOW, out.obstacle)


def instant_exit(view: View, amount: TokenAmount, tolerance: Bps) -> Sale | None:
    """sSOL out of the stake pool's reserve, all of it at once. None where that pays nothing."""
    pool = view.pool(SSOL)
    paid = pool.instant_rate.lamports_up(amount) if pool is not None else NOTHING
    receive = tolerance.off_lamports(paid - Lamports(1))
    if pool is None or receive <= NOTHING:
        return None
    short = paid > pool.reserve  # what the pool pays, not the least that we accept
    obstacle = "stake_pool_reserve_short" if short else "" if pool.current else "stake_pool_outdated"
    return Sale("unstake", amount, receive, (Unstake(amount, receive),), obstacle=obstacle)


def exits(view: View, amount: TokenAmount, tolerance: Bps) -> Iterator[Sale]:
    """Every way from ``amount`` to SOL, each with as much of it as that way takes at once: the DEX as far as it is quoted, the
    reserve as far as it reaches, and the slow ways with all of it."""
    for out in (SOL, SSOL):
        rung = priced(view.ladder(amount.mint, out), amount) if out != amount.mint else None
        sale = dex_sale(view, rung, tolerance) if rung is not None else None
        if sale is not None:
            yield sale
    if amount.mint == SSOL:
        yield from _stake_pool_exits(view, amount, tolerance)
    elif view.glowsol is not None and amount.mint == view.glowsol.mint:
        yield from _redemption(view, view.glowsol, amount, tolerance)


def ranked_exits(view: View, amount: TokenAmount, rate: int, max_discount: Bps, tolerance: Bps) -> list[Sale]:
    """``exits``, best first by what one unit brings, less the yield (``rate`` per year in billionths) that its wait forgoes.

    One at once that pays more than ``max_discount`` below the redemption value has the obstacle ``price_below_bound``.
    """

    def bounded(sale: Sale) -> Sale:
        worth = redemption_rate(view, amount.mint)
        least = (
            max_discount.off_lamports(worth.lamports_up(sale.sold)) if worth is not None else sale.receive + Lamports(1)
        )
        cheap = sale.ripens == NOW and sale.receive < least
        return replace(sale, obstacle=sale.obstacle or "price_below_bound") if cheap else sale

    def each(sale: Sale) -> Fraction:
        return Fraction((sale.receive - interest(sale.receive, rate, sale.ripens)).value, sale.sold.units)

    return sorted((bounded(sale) for sale in exits(view, amount, tolerance)), key=each, reverse=True)


def _stake_pool_exits(view: View, amount: TokenAmount, tolerance: Bps) -> Iterator[Sale]:
    pool = view.pool(SSOL)
    if pool is None:
        return
    if pool.instant_rate.numerator:
        reach = min(amount, pool.instant_rate.tokens(pool.reserve, SSOL))
        sale = instant_exit(view, reach if reach.units > 0 else amount, tolerance)
        if sale is not None:
            yield sale
    assets = tolerance.off_lamports(pool.stake_rate.lamports(amount)) if pool.stake_rate is not None else NOTHING
    if assets > NOTHING:
        wait = Duration(max(view.epoch_ends_at.elapsed(view.block_time).value, 0))
        obstacle = (
            "stake_places_taken" if pool.stake_places_free <= 0 else "" if pool.current else "stake_pool_outdated"
        )
        request = (RequestUnstake(amount, assets),)
        yield Sale("request_stake", amount, assets, request, pool.stake_rent, wait, obstacle)


def _redemption(view: View, glow: GlowSol, amount: TokenAmount, tolerance: Bps) -> Iterator[Sale]:
    assets = tolerance.off_lamports(glow.rate.lamports(amount)) if glow.outstanding else NOTHING
    if assets > NOTHING:
        rent = NOTHING if glow.queue_open else view.fees.queue_account_rent
        obstacle = "" if glow.queue_slots_free > 0 else "queue_full"
        yield Sale("request", amount, assets, (RequestUnstake(amount, assets),), rent, glow.waiting_period, obstacle)


def claimable(view: View, compute_limit: int) -> tuple[Ticket, ...]:
    """The requests that will bring more than the fee of claiming them, the one that ripens first before the others."""
    fee = transaction_cost(view, compute_limit)
    return tuple(sorted((one for one in view.queue if one.assets > fee), key=lambda one: one.ripe_at))


def ripe_claim(view: View, compute_limit: int) -> Plan | None:
    """Collect the first of the ``claimable`` that is ripe, can be paid now and does not rest. ``Expected.profit`` is
    the fee, negative: what the request earns was booked when it was made."""
    fee = view.fees.transaction(ComputeUnits(compute_limit))
    liquid = view.glowsol.liquid if view.glowsol is not None else NOTHING
    for ticket in claimable(view, compute_limit):
        payable = ticket.id.way == "stake" or ticket.assets <= liquid
        if ticket.ripe(view.block_time) and payable and not view.rests("claim_ripe", ticket.id):
            expected = Expected(-fee, fee, Bps(0), ticket.assets, NOW, ticket.assets - fee)
            numbers = {"index": ticket.id.index, "assets": ticket.assets.value}
            return Plan((Atomic((ClaimUnstake(ticket.id, ticket.assets),)),), expected, "claim_ripe", numbers)
    return None


def withdrawable(margin: MarginAccount, place: Collateral, floor: Bps) -> TokenAmount:
    """The most of ``place`` that can leave with health still at ``floor`` or above, and that its pool pays now; zero where the
    account has a problem. ``floor`` below 10 000 bps."""
    nothing = TokenAmount(place.mint, 0)
    if margin.problem:
        return nothing
    most = place.amount if place.exit_room is None else min(place.amount, place.exit_room)
    if margin.burden and not place.problem and place.weight.value and place.price.numerator:
        kept = Lamports(-(-margin.burden.value * BPS // (BPS - floor.value)))
        free = max((margin.weighted - kept).value, 0) * BPS // place.weight.value
        most = min(most, place.price.tokens(Lamports(free), place.mint))
    return max(most, nothing)


def lent_sol(margin: MarginAccount | None, floor: Bps) -> Iterator[tuple[Collateral, Lamports]]:
    """Each place where SOL is lent, and how much of it can leave now with health still at ``floor`` or above."""
    for place in margin.collateral if margin is not None else ():
        if margin is not None and place.lent and place.mint == SOL:
            yield place, Lamports(withdrawable(margin, place, floor).units)


def exit_rent(view: View, place: Collateral) -> Lamports:
    """Rent of the account that the first withdrawal from ``place`` opens. It is the margin account's and does not come back."""
    return NOTHING if place.passage else view.fees.token_account_rent


def deposit_place(view: View, mint: Mint) -> Collateral | None:
    """Where ``mint`` itself goes in the margin account; None where it cannot go now."""
    place = view.margin.place(mint) if view.margin is not None and not view.margin.problem else None
    return place if place is not None and not place.lent else None


def place_rent(view: View, mint: Mint, *, margin: bool) -> Lamports:
    """Rent of the accounts that ``mint`` still needs in the wallet, and with ``margin`` in the margin account, too."""
    place = deposit_place(view, mint) if margin else None
    opens = place is not None and not place.open
    return account_rent(view, mint) + (view.fees.token_account_rent if opens else NOTHING)


def placed(view: View, receive: TokenAmount, *, margin: bool) -> tuple[tuple[Deposit, ...], str]:
    """What puts ``receive`` into its place, and what the wallet holds of the token along: nothing for the wallet, a deposit for
    the margin account. And why it cannot be put there now: ``margin_unavailable`` or ``place_full``, empty when it can."""
    place, amount = deposit_place(view, receive.mint), view.wallet.token(receive.mint) + receive
    if not margin:
        return (), ""
    if place is None:
        return (), "margin_unavailable"
    return (Deposit(place.market, amount),), "place_full" if place.room is not None and place.room < amount else ""
