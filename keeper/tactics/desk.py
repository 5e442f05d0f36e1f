"""A levered position with its market around it: every step that it can take now, how large it may be, and what it costs.

Pure, in the language of strategies. A strategy decides which step is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from keeper.lending import RATE_SCALE, LendingMarket, Stress
from keeper.plan import Borrow, ClaimUnstake, Deposit, Intent, Number, Repay, Withdraw
from keeper.tactics.leverage import Position, largest, least
from keeper.tactics.steps import Step
from keeper.tactics.trading import NOTHING, Purchase, Sale, exits, purchases, ripe_claim, transaction_cost
from keeper.tactics.yields import dex_price, highest_rate, interest, inversion_loss, redemption_rate, staking_yield
from keeper.units import BPS, SOL, SSOL, Bps, Duration, Lamports, Mint, Rate, TokenAmount
from keeper.view import RATE_FELL, View

Done = Callable[[Position], bool]
AT_ONCE = ("sell", "sell_ssol", "unstake")
SLOWLY = ("request", "request_stake")
"""The ways of ``keeper.tactics.trading.exits``: those that pay in the same transaction, and those that wait."""
ANY = Bps(BPS)
GRID = 20
UNPRICED = ("oracle_stale", "oracle_unsure", "price_not_positive")
"""Problems of a market whose prices cannot be used now."""
REPAYABLE = ("", "loan_not_priced", "past_due")
"""Problems of an account that do not keep it from being repaid."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a sale. It leaves the stressed health at ``floor``, or no worse than it is where it is below already; it lets health
    fall to ``middle`` between its own intents, or to half of today's where that is less; it loses ``dearest`` at most, or None
    for any price; and nothing below ``smallest`` takes a place in the queue."""

    floor: Bps
    middle: Bps
    dearest: Bps | None
    smallest: Lamports


@dataclass(frozen=True, slots=True)
class Desk:
    """The position with all that a step of it is made from. ``fair`` is the redemption rate; ``tolerance`` what it (or the debt)
    may move until a step lands; ``earned`` the staking yield in billionths per year, None where it is not known.
    ``depegged``: the DEX pays far less than that."""

    view: View
    position: Position
    market: LendingMarket
    fair: Rate
    tolerance: Bps
    compute_limit: int
    earned: int | None
    depegged: bool = False

    @classmethod
    def at(  # noqa: PLR0917 - a constructor, called in one place
        cls, view: View, mint: Mint, stress: Stress, max_depeg: Bps, tolerance: Bps, compute_limit: int
    ) -> Desk | None:
        """The position in ``mint`` against SOL, with its collateral valued at the lower of oracle and redemption rate, or at the
        DEX's price where that lies more than ``max_depeg`` below. None where no such lending is configured."""
        market, margin = view.market(SOL), view.margin
        place, loan = (margin.place(mint), margin.loan(SOL)) if margin is not None else (None, None)
        if market is None or margin is None or place is None or loan is None:
            return None
        fair, price = redemption_rate(view, mint) or place.price, dex_price(view, mint)
        depegged = price is not None and price < fair.discounted(max_depeg)
        value = price if price is not None and depegged else fair
        position = Position(margin.priced(value, mint), place.market, loan.market, stress)
        return cls(view, position, market, fair, tolerance, compute_limit, staking_yield(view, mint), depegged)

    @property
    def barred(self) -> str:
        """Why not even a repayment can be made now; empty where it can."""
        if self.position.account.problem not in REPAYABLE:
            return self.position.account.problem
        return self.market.exit_problem if self.position.debt else ""

    @property
    def stuck(self) -> str:
        """Why health cannot be known now, so that nothing may be taken out or borrowed; only repaid."""
        return self.position.problem or (self.market.problem if self.market.problem in UNPRICED else "")

    def danger(self, max_rate_fall: Bps) -> str:
        """Why to get out of debt at any cost, or ("depegged") to take none on; empty where all is well."""
        mint = self.position.mint
        if self.stuck or self.market.problem == "pool_paused":
            return self.stuck or "pool_paused"
        if redemption_rate(self.view, mint) is None:
            return "no_redemption_rate"
        highest = highest_rate(self.view, mint) or self.fair
        if self.view.fresh.problem == RATE_FELL or self.fair < highest.discounted(max_rate_fall):
            return RATE_FELL
        return "depegged" if self.depegged else ""

    @property
    def waiting(self) -> Lamports:
        """What waits in the queue, ripe or not."""
        return Lamports(sum(ticket.assets.value for ticket in self.view.queue))

    def settled(self, position: Position) -> Position:
        """``position`` as if what waits had repaid: within the time that the stress allows for, it will have."""
        return position.after(borrowed=-self.waiting.value)

    def done(self, floor: Bps, leverage: Bps) -> Done:
        """That a position is settled within the stressed health ``floor`` and ``leverage``."""
        return lambda one: self.settled(one).within(floor, leverage)

    @property
    def capital(self) -> Lamports:
        """All own capital at work: in the margin account, in the queue, and as collateral in the wallet."""
        return self.position.equity + self.waiting + self.fair.lamports(self.held)

    @property
    def carry(self) -> int:
        """What waiting costs, in billionths per year: interest on the debt that would be repaid, or the yield forgone."""
        return max(self.market.borrow_rate() if self.position.debt else 0, self.earned or 0)

    @property
    def numbers(self) -> dict[str, Number]:
        """For a plan or a hold: amounts in lamports, rates in billionths per year."""
        position, earned = self.position, "unknown" if self.earned is None else self.earned
        healths = {"health_bps": position.account.health.value, "stressed_bps": position.stressed.value}
        amounts = {"debt": position.debt.value, "equity": position.equity.value, "waiting": self.waiting.value}
        return {**healths, **amounts, "yield_ppb": earned, "borrow_rate_ppb": self.market.borrow_rate()}

    @property
    def fee(self) -> Lamports:
        return transaction_cost(self.view, self.compute_limit)

    @property
    def dust(self) -> Lamports:
        """What is not worth a transaction: ten times its fee."""
        return self.fee * 10

    def purse(self, equity: Lamports) -> Lamports:
        """Idle SOL that may still become own capital, of which ``equity`` may be at work, less what putting it there costs: three
        accounts at most, of the wallet's token, the position and the loan."""
        costs = self.fee + self.view.fees.token_account_rent * 4
        return max(min(self.view.wallet.spendable - costs, equity - self.capital), NOTHING)

    @property
    def held(self) -> TokenAmount:
        """Collateral that lies in the wallet."""
        return max(self.view.wallet.token(self.position.mint), TokenAmount(self.position.mint, 0))

    def idle(self, purse: Lamports, done: Done) -> Step | None:
        """Repay out of ``purse`` until ``done``."""
        paid = self._repayment(purse - self.fee, done)
        if paid is None:
            return None
        repaid = Lamports(paid.amount.units)
        return Step("repay_idle", (paid,), self.position.after(borrowed=-repaid.value), repaid, NOTHING, self.fee)

    def claim(self, done: Done) -> Step | None:
        """Collect the oldest ripe request, and repay with it until ``done``."""
        found = ripe_claim(self.view, self.compute_limit)
        claim = found.steps[0].intents[0] if found is not None else None
        paid = self._repayment(claim.min_receive, done) if isinstance(claim, ClaimUnstake) else None
        if not isinstance(claim, ClaimUnstake) or paid is None:
            return None
        after = self.position.after(borrowed=-paid.amount.units)
        return Step("claim_ripe", (claim, paid), after, Lamports(paid.amount.units), NOTHING, self.fee)

    def sell(self, way: str, units: int) -> Step | None:
        """Collateral, from the wallet before the margin account, sold by ``way``; what arrives at once is repaid. None where the
        way is closed or pays nothing; less than ``units`` where it takes no more."""
        found = exits(self.view, TokenAmount(self.position.mint, units), self.tolerance) if units > 0 else ()
        sale = next((one for one in found if one.way == way and not one.obstacle), None)
        return self._sold(sale) if sale is not None and sale.sold.units > 0 else None

    def sized(self, way: str, cap: TokenAmount, share: Bps, done: Done) -> Step | None:
        """The smallest sale by ``way`` that is ``done``, or else the largest: up to ``cap``, as far as it is open and loses no
        more than ``share``."""

        def sound(units: int) -> bool:
            step = self.sell(way, units)
            return step is not None and step.share <= share

        def reached(units: int) -> bool:
            step = self.sell(way, units)
            return step is not None and done(step.after)

        step = self.sell(way, least(largest(cap.units, sound), reached))
        return step if step is not None and step.share <= share else None

    def exit_cost(self, worth: Lamports) -> Lamports:
        """What selling collateral worth ``worth`` loses at least, by the cheapest open way; all of it where none is open. A way
        that takes only a part is charged to the whole."""
        units = self.fair.tokens(worth, self.position.mint) if worth > NOTHING and self.fair.numerator else None
        found = exits(self.view, units, self.tolerance) if units is not None and units else ()
        sales = [(self._loss(sale).value, sale.receive.value) for sale in found if not sale.obstacle]
        costs = [-(-worth.value * loss // (paid + loss)) for loss, paid in sales if paid + loss > 0]
        return Lamports(max(min(costs, default=worth.value), 0))

    def liquidity(self, share: Bps) -> Lamports:
        """What could be sold for at once without losing more than ``share``: on the DEX (its ways count once, as they drink from
        one well), and out of the stake pool's reserve."""
        found = dict.fromkeys(AT_ONCE, NOTHING)
        pool = self.view.pool(SSOL)
        whole = pool.rate.tokens(pool.reserve, SSOL) if pool is not None and pool.rate.numerator else None
        sizes = [rung.sell for ladder in self.view.quotes for rung in ladder.rungs] + (
            [whole] if whole is not None else []
        )
        for size in dict.fromkeys(sizes):
            for sale in exits(self.view, size, self.tolerance) if size.mint == self.position.mint and size else ():
                fair = share.of(sale.receive + self._loss(sale))
                if sale.way in found and not sale.obstacle and self._loss(sale) <= fair:
                    found[sale.way] = max(found[sale.way], sale.receive)
        return max(found["sell"], found["sell_ssol"]) + found["unstake"]

    def entry_cost(self, spend: Lamports) -> Lamports:
        """What buying for ``spend`` loses at least against the redemption rate; all of it where no way is open."""
        bought = self._purchase(spend)
        if bought is None:
            return max(spend, NOTHING)
        lost = bought.spend - self.fair.lamports(bought.receive)
        return Lamports(max(-(-lost.value * spend.value // bought.spend.value), 0))

    def gain(self, then: Lamports, span: Duration) -> Lamports:
        """What owing ``then`` in place of today's debt earns over ``span`` against owing nothing: yield less the borrow rate that
        results, less what it costs to get there and, in the end, to leave."""
        debt = self.position.debt
        carry = interest(then, (self.earned or 0) - self.market.borrow_rate((then - debt).value), span)
        return carry - self.exit_cost(max(then, debt)) - self.entry_cost(then - debt) - self.fee * (4 if then else 0)

    def dearer(self, borrowed: Lamports, span: Duration) -> Lamports:
        """What the debt costs more over ``span`` for having borrowed ``borrowed``: as it lifts the rate, also on the old debt."""
        debt, rate = self.position.debt, self.market.borrow_rate
        return interest(debt + borrowed, rate(borrowed.value), span) - interest(debt, rate(), span)

    def target(self, most: Lamports, span: Duration, hurdle: Lamports) -> Lamports:
        """The debt up to ``most`` that gains most over ``span``; nothing where it does not gain ``hurdle`` more than no debt."""
        limit = min(most, self.position.debt + Lamports(max(self.market.borrow_room.units, 0)))
        debts = [Lamports(max(limit.value, 0) * step // GRID) for step in range(GRID + 1)]
        gains = [self.gain(debt, span) for debt in debts]
        best = max(range(GRID + 1), key=lambda step: gains[step])
        return debts[best] if gains[best] >= gains[0] + hurdle else NOTHING

    def inversion(self, debt: Lamports, dearest: Bps) -> tuple[int, int]:
        """(what holding debt has lost since the present inversion began, at most the second; what leaving with ``debt`` and
        coming back costs), both in billionths of the debt. Nobody comes back at a price above ``dearest``, so that a way in
        which is closed or dear today does not forbid to leave."""
        trip = self.exit_cost(debt) + min(self.entry_cost(debt), dearest.of_up(debt))
        share = max(-(-trip.value * RATE_SCALE // debt.value), 1) if debt > NOTHING else 1
        samples, now = self.view.past.borrows, self.view.block_time
        return inversion_loss(samples, self.market.address, now, self.earned or 0, share), share

    def ways(self, done: Done, purse: Lamports, slow: TokenAmount | None, limits: Limits) -> list[Step]:
        """All ways to less debt, the cheapest first: idle SOL out of ``purse``, a ripe claim, and then ``sales``. Where any price
        is paid, those that are ``done`` at once go before those that are not; but idle SOL, which needs no market and no
        ripeness and is spent with one plan, always goes first."""
        free = [one for one in (self.idle(purse, done), self.claim(done)) if one is not None]
        found = free + self.sales(done, slow, limits)
        hurried = limits.dearest is None
        return sorted(found, key=lambda one: hurried and one.way != "repay_idle" and not done(one.after))

    def sales(self, done: Done, slow: TokenAmount | None, limits: Limits) -> list[Step]:
        """Ways to sell collateral and repay until ``done``, the better first: those that pay at once and lose no more than
        waiting would, and then waiting, with ``slow`` at most. No way where health cannot be known.

        Where health lets only a part of ``slow`` go, the rest has to wait for that: waiting then costs so many times as much.
        """
        position, lowest = self.position, min(limits.floor, self.position.stressed)
        if self.stuck and position.debt:
            return []
        patient = min(slow, self.held + position.spare(limits.floor)) if slow is not None else position.tokens(NOTHING)
        found = [step for way in SLOWLY if (step := self.sized(way, patient, ANY, lambda _: False))]
        waits = [step for step in found if step.moved >= limits.smallest][:1]
        rounds = -(-slow.units // patient.units) if slow is not None and waits else 1
        waiting = [Bps(step.share.value * rounds) for step in waits]
        limit = ANY if limits.dearest is None else min((limits.dearest, *waiting))
        free = self.held + position.free(position.middle(limits.middle))
        quick = [step for way in AT_ONCE if (step := self.sized(way, free, limit, done))]
        return sorted((one for one in quick if one.after.stressed >= lowest), key=lambda one: one.share) + waits

    def lever(self, own: Lamports, borrow: Lamports) -> Step | None:
        """Buy collateral for ``own`` and ``borrow`` by the open way that gives most of it for each lamport, and deposit it with
        what is held. Where that way takes less, less is borrowed. None where no way is open."""
        bought = self._purchase(own + borrow)
        if bought is None and own + borrow > NOTHING:
            return None
        position, spend = self.position, bought.spend if bought is not None else NOTHING
        added = self.held + bought.receive if bought is not None else self.held
        if not added or (position.place.room is not None and added > position.place.room):
            return None
        borrowed = max(spend - own, NOTHING)
        loan = (Borrow(self.market.address, TokenAmount(SOL, borrowed.value)),) if borrowed else ()
        rents = self.view.fees.token_account_rent * ((not position.place.open) + 2 * (not position.loan.open))
        return Step(
            way=f"boost_{bought.way}" if bought is not None else "deposit_held",
            intents=(*loan, *(bought.intents if bought is not None else ()), Deposit(position.market, added)),
            after=position.after(deposited=added.units, borrowed=borrowed.value),
            moved=spend or self.fair.lamports(self.held),
            loss=spend - self.fair.lamports(bought.receive) if bought is not None else NOTHING,
            fee=transaction_cost(self.view, self.compute_limit, position.mint) + rents,
        )

    def rung(self, share: Lamports, rungs: int, smallest: Lamports, floor: Bps) -> Step | None:
        """The next of ``rungs`` requests that keep ``share`` in the queue, evenly over the time that it takes, none below
        ``smallest``; None while it is not due, or where it would leave the stressed health below ``floor``."""
        worth = min(max(Lamports(share.value // rungs), smallest), share - self.waiting)
        if worth < smallest or not self.fair.numerator:
            return None
        units = min(self.fair.tokens(worth, self.position.mint), self.held + self.position.spare(floor)).units
        step = next((one for way in SLOWLY if (one := self.sell(way, units)) is not None), None)
        if step is None or step.moved * 2 < smallest or self.view.rests(step.way):
            return None
        newest = max((ticket.ripe_at for ticket in self.view.queue), default=None)
        since = self.view.block_time.after(step.ripens).elapsed(newest) if newest is not None else step.ripens
        return step if since * rungs >= step.ripens else None

    def _purchase(self, spend: Lamports) -> Purchase | None:
        found = purchases(self.view, spend, self.position.mint, self.tolerance) if spend > NOTHING else ()
        free = (
            one for one in found if not one.obstacle and one.spend > NOTHING and not self.view.rests(f"boost_{one.way}")
        )
        return max(free, key=lambda one: Rate(one.receive.units, one.spend.value).fraction(), default=None)

    def _repayment(self, available: Lamports, done: Done | None = None) -> Repay | None:
        """Out of ``available`` until ``done``, or all of it. All of the debt only with something to spare, for the interest
        until it lands."""
        owed = self.position.loan.amount.units
        if available <= NOTHING or not owed:
            return None
        wanted = min(available.value, owed)
        if done is not None:
            wanted = least(wanted, lambda n: done(self.position.after(borrowed=-n)))
        whole = owed + self.tolerance.of_up(Lamports(owed)).value + 1
        if wanted >= owed and available.value >= whole:
            return Repay(self.market.address, TokenAmount(SOL, whole), whole=True)
        return Repay(self.market.address, TokenAmount(SOL, max(min(wanted, owed - 1), 1)))

    def _loss(self, sale: Sale) -> Lamports:
        """What ``sale`` gives up against the redemption rate, and by waiting; rounded up."""
        waiting = interest(-sale.receive, self.carry, sale.ripens) if sale.ripens else NOTHING
        return self.fair.lamports_up(sale.sold) - sale.receive - waiting

    def _sold(self, sale: Sale) -> Step:
        slow, position = sale.way in SLOWLY, self.position
        taken = max((sale.sold - self.held).units, 0)
        out = (Withdraw(position.market, TokenAmount(position.mint, taken)),) if taken else ()
        paid = None if slow else self._repayment(sale.receive)
        repaid = paid.amount.units if paid is not None else 0
        after = position.after(deposited=-taken, borrowed=-repaid)
        fee = transaction_cost(self.view, self.compute_limit, position.mint) + sale.rent
        intents: tuple[Intent, ...] = (*out, *sale.intents, *((paid,) if paid is not None else ()))
        return Step(sale.way, intents, after, sale.receive, self._loss(sale), fee, sale.ripens)
