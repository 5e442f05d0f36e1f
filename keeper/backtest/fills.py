"""What a plan would do on paper, at the moment when it lands: all of a step, or nothing of it and its fee.

A swap that the market still meets fills at its own bound, as if somebody took all the slack in between; one that it does not
meet fails. Programs (minting, redeeming, lending) pay what they pay at that moment, and fail below the bound. Every fill says
what it gave up against the redemption rates, reckoned from its own amounts: the books hold that against what all is worth
before and after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from keeper.backtest.dex import VENUE
from keeper.backtest.ground import GLOWSOL, RENT, addresses
from keeper.backtest.lender import PaperRefusal
from keeper.backtest.paper import FEES, PLACES, STAKE_RENT, WAIT, WITHDRAWAL_FEE, Paper, Waiting
from keeper.backtest.paths import EPOCH, RATE_UNIT
from keeper.plan import (
    Atomic,
    Borrow,
    ClaimUnstake,
    Deposit,
    Intent,
    Repay,
    RequestUnstake,
    Stake,
    Swap,
    TicketId,
    Unstake,
    Withdraw,
)
from keeper.units import BPS, SOL, SSOL, ComputeUnits, Lamports, Mint, UnixTime

COMPUTE_LIMIT = ComputeUnits(1_000_000)


@dataclass(frozen=True, slots=True)
class Fill:
    """A step that landed: the market after it, what it gave up against redemption rates, and rent that it bound (lamports).

    ``lowest``: the lowest health, in bps, between its own intents."""

    after: Paper
    lost: int
    rent: int
    fee: int
    lowest: int


@dataclass(frozen=True, slots=True)
class Miss:
    """A step that failed. Nothing moved but the fee."""

    name: str
    fee: int


def fee() -> int:
    return FEES.transaction(COMPUTE_LIMIT).value


def fill(market: Paper, step: Atomic) -> Fill | Miss:
    """Land ``step`` in ``market``, which is left as it is."""
    after = market.copy()
    after.lamports -= fee()
    clerk = _Clerk(after)
    try:
        for intent in step.intents:
            clerk.settle(intent)
        if step.min_health is not None and after.lender.health < step.min_health.value:
            return Miss("health_below_demand", fee())
    except PaperRefusal as error:
        return Miss(error.name, fee())
    return Fill(after, clerk.lost, clerk.rent, fee(), clerk.lowest)


class _Clerk:
    """Settles intents one after the other in a market that is its own."""

    def __init__(self, market: Paper) -> None:
        self.market = market
        self.lost = 0
        self.rent = 0
        self.lowest = market.lender.health

    def settle(self, intent: Intent) -> None:
        settlers: dict[type, Callable[..., None]] = {
            Swap: self._swap,
            Stake: self._stake,
            Unstake: self._unstake,
            RequestUnstake: self._request,
            ClaimUnstake: self._claim,
            Deposit: self._deposit,
            Withdraw: self._withdraw,
            Borrow: self._borrow,
            Repay: self._repay,
        }
        if type(intent) not in settlers:
            raise PaperRefusal(f"no_paper_for_{type(intent).__name__.lower()}")
        settlers[type(intent)](intent)
        self.lowest = min(self.lowest, self.market.lender.health)

    # the wallet

    def _move(self, mint: Mint, units: int) -> None:
        market = self.market
        if mint == SOL:
            market.lamports += units
            left = market.lamports
        else:
            if mint not in market.tokens:
                self._bind(RENT.value)
            market.tokens[mint] = left = market.tokens.get(mint, 0) + units
        if left < 0:
            raise PaperRefusal("insufficient_funds")

    def _bind(self, rent: int) -> None:
        self.rent += rent
        self.market.lamports -= rent

    def _worth(self, mint: Mint, units: int) -> int:
        return units if mint == SOL else self.market.worth(mint, units)

    # exchanges

    def _swap(self, intent: Swap) -> None:
        sell, bound = intent.sell, intent.min_receive
        paid = self.market.dex.out(sell.mint, sell.units, bound.mint) if intent.venue == VENUE else None
        if paid is None or paid < bound.units:
            raise PaperRefusal("slippage_exceeded")
        self._move(sell.mint, -sell.units)
        self._move(bound.mint, bound.units)
        self.market.dex.traded(sell.mint, bound.mint, sell.units, paid)
        self.lost += self._worth(sell.mint, sell.units) - self._worth(bound.mint, bound.units)

    def _stake(self, intent: Stake) -> None:
        here, bound = self.market.moment, intent.min_receive
        self._require_current()
        if bound.mint == GLOWSOL and here.lrt_paused:
            raise PaperRefusal("deposits_paused")
        spend = intent.spend.value if isinstance(intent.spend, Lamports) else intent.spend.units
        mint = SOL if isinstance(intent.spend, Lamports) else intent.spend.mint
        worth = self._worth(mint, spend)
        minted = worth * RATE_UNIT // self.market.rate(bound.mint)
        if minted < bound.units:
            raise PaperRefusal("slippage_exceeded")
        self._move(mint, -spend)
        self._move(bound.mint, minted)
        self.lost += worth - self._worth(bound.mint, minted)

    def _unstake(self, intent: Unstake) -> None:
        self._require_current()
        worth = self._worth(SSOL, intent.spend.units)
        paid = self._after_fee(intent.spend.units)
        if paid < intent.min_receive.value:
            raise PaperRefusal("slippage_exceeded")
        if paid > self.market.moment.reserve:
            raise PaperRefusal("stake_pool_reserve_short")
        self._move(SSOL, -intent.spend.units)
        self._move(SOL, paid)
        self.lost += worth - paid

    def _after_fee(self, units: int) -> int:
        kept = units - -(-units * WITHDRAWAL_FEE // BPS)
        return self.market.worth(SSOL, kept)

    def _request(self, intent: RequestUnstake) -> None:
        market, spend = self.market, intent.spend
        here, staked = market.moment, spend.mint == SSOL
        way = "stake" if staked else "glowsol"
        taken = {one.id.index for one in market.queue if one.id.way == way}
        free = next((index for index in range(PLACES) if index not in taken), None)
        if free is None:
            raise PaperRefusal("queue_full")
        if staked:
            self._require_current()
        assets = self._after_fee(spend.units) if staked else market.worth(spend.mint, spend.units)
        if assets < intent.min_assets.value:
            raise PaperRefusal("slippage_exceeded")
        self._move(spend.mint, -spend.units)
        self.lost += market.worth(spend.mint, spend.units) - assets
        if staked:
            market.lamports -= STAKE_RENT.value  # it comes back with the claim
            ticket = TicketId(free, UnixTime(here.epoch), "stake")
            ripe = here.epoch_started + EPOCH
            waiting = Waiting(ticket, SSOL, spend.units, assets + STAKE_RENT.value, ripe, here.epoch)
        else:
            if not market.queue_opened:
                self._bind(FEES.queue_account_rent.value)
                market.queue_opened = True
            ticket = TicketId(free, UnixTime(here.at))
            waiting = Waiting(ticket, spend.mint, spend.units, assets, here.at + WAIT.value, here.epoch)
        market.queue = (*market.queue, waiting)
        self._move(SOL, 0)

    def _claim(self, intent: ClaimUnstake) -> None:
        market = self.market
        found = next((one for one in market.queue if one.id == intent.ticket), None)
        if found is None or not found.ready(market.moment):
            raise PaperRefusal("not_ripe")
        if found.id.way == "glowsol" and found.assets > market.moment.liquid:
            raise PaperRefusal("pool_short_of_sol")
        if found.assets < intent.min_receive.value:
            raise PaperRefusal("slippage_exceeded")
        market.queue = tuple(one for one in market.queue if one is not found)
        self._move(SOL, found.assets)

    def _require_current(self) -> None:
        if not self.market.moment.current:
            raise PaperRefusal("stake_pool_outdated")

    # lending

    def _deposit(self, intent: Deposit) -> None:
        self._known(intent.market, intent.amount.mint)
        self._move(intent.amount.mint, -intent.amount.units)
        self._bind(self.market.lender.deposit(intent.amount.mint, intent.amount.units).value)

    def _withdraw(self, intent: Withdraw) -> None:
        self._known(intent.market, intent.amount.mint)
        self.market.lender.withdraw(intent.amount.mint, intent.amount.units)
        self._move(intent.amount.mint, intent.amount.units)

    def _borrow(self, intent: Borrow) -> None:
        self._bind(self.market.lender.borrow(intent.amount.units).value)
        self._move(SOL, intent.amount.units)

    def _repay(self, intent: Repay) -> None:
        paid = self.market.lender.repay(intent.amount.units, whole=intent.whole)
        self._move(SOL, -paid)

    def _known(self, market: str, mint: Mint) -> None:
        raw = addresses().raw_collateral(market)
        if raw is None or raw.mint != mint:
            raise PaperRefusal("unknown_market")
