"""A loop position opened, levered, run for 30 simulated days and unwound earns what the closed form says, to a basis point.

Nobody else moves the market: the pools stay at par, the SOL pool's utilisation changes by our own loan and by interest only. The
closed form is worked out here from the market's configuration, in fractions and decimals, without the keeper's arithmetic: the
staking rate grows epoch by epoch, debt grows continuously at the rate of the utilisation that our loan leads to. Of the run it
takes what the strategy chose (how much, when) and what it was charged (transaction fees, the DEX's quotes for the way out).
"""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path

from solders.pubkey import Pubkey

from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState
from keeper.rehearsal.configuration import Tables
from keeper.rehearsal.virtual import Box, Run
from keeper.rehearsal.world import EPOCH, Pace, world
from keeper.sim.localnet.cranks import CrankConfig
from keeper.sim.localnet.interface import BankConfig, ChainClock
from keeper.sim.localnet.lending_crowd import CrowdConfig
from keeper.sim.localnet.market import SOL, MarketConfig
from keeper.sim.localnet.market_lending import LendingConfig, LendingPoolConfig
from keeper.sim.localnet.market_rates import sol_values
from keeper.sim.localnet.server import Localnet, LocalnetConfig

SEED = 3
DAYS = 30
SLOT = 8_640  # chain seconds: ten slots a day
EQUITY = 100 * SOL
POOL, UTILISATION = 20_000 * SOL, Fraction(15, 100)
LRT, LRT_RATE = 80_000 * SOL, Fraction(105, 100)
BPS, SLIPPAGE = 10_000, 3
START_SLOT = BankConfig().start_slot
UPDATE_DELAY = 1  # slots until the stake pool is updated in a new epoch
getcontext().prec = 40

LOOP: Tables = {
    "market": {"lending": {"airspace": "default"}},
    "strategies": {"arbitrage": {"max_trade": "0 SOL"}, "loop": {"equity": "100 SOL"}},
}


def market() -> LocalnetConfig:
    """The demo's world without traders or borrowers, slower, and with a queue so slow that the way out is the DEX."""
    base = world(SEED, Pace(slot_ms=100, week_slots=604_800 // SLOT), clock="virtual")
    assert base.market is not None
    pools = (LendingPoolConfig("SOL", POOL, int(UTILISATION * 10_000)),)
    quiet = replace(
        base.market,
        lrt_assets=LRT,
        lrt_liquid=0,
        lrt_waiting_period=90 * 86_400,
        lending=replace(base.market.lending or LendingConfig(), pools=pools),
    )
    return replace(
        base,
        market=quiet,
        scenario=None,
        cranks=CrankConfig(update_delay=UPDATE_DELAY, interval=5, operate_lrt=False),
        crowd=CrowdConfig(collect_interval=20),
    )


@dataclass(frozen=True, slots=True)
class Landed:
    """What one transaction of the strategy asked for: when (chain time, epochs since genesis), and lamports and glowSOL moved."""

    at: int
    epochs: int
    fee: int
    borrowed: int = 0
    spent: int = 0
    sold: int = 0
    quoted: int = 0
    repaid: int = 0
    whole: bool = False


async def landed(journal: Journal, slots_per_epoch: int) -> list[Landed]:
    """The loop's transactions by the intents that were decided; the ledger only says when they landed."""
    entries, found = await journal.entries(None), []
    for attempt in await journal.attempts():
        intent = await journal.intent(attempt.intent_id)
        if attempt.state is not AttemptState.LANDED or intent is None or intent.strategy != "loop":
            continue
        when = next(entry for entry in entries if entry.signature == attempt.signature)
        intents = {one["type"]: one for one in json.loads(intent.body)["intents"]}
        amount = {kind: int(str(one.get("amount", "0")).split("@")[0]) for kind, one in intents.items()}
        found.append(
            Landed(
                at=when.block_time.value,
                epochs=epochs(when.slot.value, slots_per_epoch),
                fee=attempt.fee.value,
                borrowed=amount.get("Borrow", 0),
                spent=intents["Stake"]["spend"] if "Stake" in intents else 0,
                sold=int(intents["Swap"]["sell"].split("@")[0]) if "Swap" in intents else 0,
                quoted=int(intents["Swap"]["min_receive"].split("@")[0]) if "Swap" in intents else 0,
                repaid=amount.get("Repay", 0),
                whole="Repay" in intents and intents["Repay"]["whole"],
            )
        )
    return found


def epochs(slot: int, slots_per_epoch: int) -> int:
    """How often the stake pool was updated until ``slot``."""
    return (slot - START_SLOT - UPDATE_DELAY) // slots_per_epoch


def growth(times: int) -> Fraction:
    """Of the stake pool's rate over ``times`` epochs: rewards on the validators' stake, less the pool's fee, shared among all."""
    config = MarketConfig()
    stake, whole = Fraction(config.stake_pool_lamports - config.reserve_lamports), Fraction(config.stake_pool_lamports)
    kept = 1 - Fraction(config.epoch_fee.numerator, config.epoch_fee.denominator)
    reward = Fraction(CrankConfig().reward_bps, 10_000) * EPOCH / 31_557_600
    grown = Fraction(1)
    for _ in range(times):
        grown *= 1 + stake * reward * kept / whole
        stake, whole = stake * (1 + reward), whole + stake * reward
    return grown


def redemption(now: int, entry: int, deposited: int) -> Fraction:
    """Lamports per base unit of glowSOL. What was deposited at ``entry`` lies idle in the restaking program, where nobody puts it
    to work in this market, and shares in what the rest earns."""
    before = LRT * growth(entry)
    grown = before * growth(now) / growth(entry)
    return LRT_RATE * growth(entry) * (grown + deposited) / (before + deposited)


def borrow_rate(own: int) -> Decimal:
    """Per year, continuously: 1 % at rest and 15 % at 85 % utilisation, and the line between."""
    utilisation = UTILISATION + Fraction(own, POOL)
    rate = Fraction(1, 100) + Fraction(14, 100) * utilisation / Fraction(85, 100)
    return Decimal(rate.numerator) / Decimal(rate.denominator)


def repaid(steps: list[Landed]) -> Decimal:
    """All that goes to the pool: each repayment, and with the last one what the debt has grown to."""
    rate, year = borrow_rate(sum(step.borrowed for step in steps)), Decimal(365 * 86_400)
    debt, paid, before = Decimal(0), Decimal(0), steps[0].at
    for step in steps:
        debt = debt * (rate * (step.at - before) / year).exp() + step.borrowed
        part = debt if step.whole else Decimal(step.repaid)
        debt, paid, before = debt - part, paid + part, step.at
    assert debt == 0
    return paid


def lamports(net: Localnet, owner: Pubkey) -> int:
    account = net.bank.get_account(owner)
    assert account is not None
    return account.lamports


async def test_thirty_days_of_a_loop_earn_what_the_closed_form_says(tmp_path: Path) -> None:
    box = await Box.furnish(Localnet(market()), tmp_path, SEED, LOOP)
    bank, where = box.net.bank, box.net.market
    assert where is not None
    length, chain = bank.config.slots_per_epoch, dict[int, Fraction]()

    def look(clock: ChainClock) -> None:
        worth = sol_values(bank, where)[where.glowsol_mint]
        chain[epochs(clock.slot, length)] = Fraction(worth.numerator, worth.denominator)

    bank.at_slot(look)
    async with AsyncExitStack() as closing:
        run = await Run.begin(box, closing)
        before, decided = lamports(box.net, run.parts.owner), run.tick.memory.decisions
        await run.work(6.0, until=lambda: "loop" in decided and decided["loop"].reason == "within_band")
        await run.work(DAYS * 86_400 / SLOT / 10, pause=2.0)
        assert decided["loop"].reason == "within_band", "levered, and content with it to the end"
        await run.unwind(20.0)
        steps = await landed(run.parts.journal, length)
        after = lamports(box.net, run.parts.owner)
        await run.lease.give_up()
    report = await box.audit()
    assert (report.problems, report.left.problems) == ((), ())
    entered, sold = [step for step in steps if step.spent], [step for step in steps if step.sold]
    assert sum(step.borrowed for step in entered) > EQUITY, "more than two times levered"
    assert sold[0].at - entered[-1].at >= DAYS * 86_400
    deposited = sum(step.spent for step in entered)
    rate = {step.epochs: redemption(step.epochs, entered[0].epochs, deposited) for step in steps}
    bought = sum((step.spent / rate[step.epochs] for step in entered), Fraction(0))
    assert abs(bought / sum(step.sold for step in sold) - 1) < Fraction(1, 10**6), "all that was minted was sold"
    quoted = [Fraction(step.quoted * BPS, BPS - SLIPPAGE) / (step.sold * chain[step.epochs]) for step in sold]
    assert all(Fraction(990, 1_000) < share < 1 for share in quoted), (
        "what the DEX charges, against the redemption rate"
    )
    paid = (step.sold * rate[step.epochs] * share for step, share in zip(sold, quoted, strict=True))
    proceeds = sum(paid, Fraction(0))
    borrowed, fees = sum(step.borrowed for step in steps), sum(step.fee for step in steps)
    predicted = Decimal(int(proceeds)) + borrowed - deposited - repaid(steps) - fees
    earned = after - before
    print(f"earned {earned}, predicted {predicted:.0f} lamports")  # noqa: T201 - shown by pytest when it fails
    assert abs(earned - predicted) <= EQUITY // 10_000
    assert earned > EQUITY // 400, "a quarter of a percent in a month, after coming and going"
