"""One observation: quotes first, then every account in one request, then the verdict on their freshness."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from solders.pubkey import Pubkey

from keeper.chain.accounts import AccountSnapshot
from keeper.chain.clock import Clock
from keeper.chain.errors import RpcError
from keeper.chain.priority import PriorityFee
from keeper.chain.rpc import RpcClient
from keeper.observe import exits, lending, parts
from keeper.observe.freshness import Accepted, FreshnessRules, Reading, judge
from keeper.protocols.glow_lrt.sizing import queue_account_size
from keeper.protocols.layout import LayoutError
from keeper.protocols.market import Market
from keeper.protocols.quotes import QuoteError
from keeper.protocols.sysvars import Clock as ChainClock
from keeper.strategy import LadderNeed
from keeper.units import Bps, Epoch, Lamports, Mint, Slot
from keeper.venues.door import DexVenue
from keeper.venues.ladder import LadderResult, depth_ladder
from keeper.view import Fees, Freshness, GlowSol, Ladder, Rung, Source, StakePool, Ticket, View, Wallet

SIGNATURE_FEE = Lamports(5_000)  # of one signature (facts, execution.md 1.8)
UNKNOWN_QUEUE_SIZE = 1_024  # bytes taken for its rent where the IDL does not fix the size: more than any known shape
STAKE_ACCOUNT_SIZE = 200
UNBELIEVABLE_LEAD = 50_000  # slots: hours, at any slot time that Solana has had
TOKEN_ACCOUNT_SIZE = 165


class ObservationFailed(Exception):
    """No View could be built: a node did not answer, or an account is not what it should be. The message says which."""


@dataclass(frozen=True, slots=True)
class ObserverConfig:
    """What the operator sets about observing."""

    gas_reserve: Lamports
    slippage: Bps
    rules: FreshnessRules


@dataclass(frozen=True, slots=True)
class _Parts:
    glowsol: GlowSol | None
    pool: StakePool
    wallet: Wallet
    queue: tuple[Ticket, ...]
    epoch: exits.EpochTimes
    lending: lending.Lending


class Observer:
    """Builds Views. Keeps only what freshness needs to remember: the highest slot heard of, and the last rate believed."""

    def __init__(
        self,
        rpc: RpcClient,
        venues: Sequence[DexVenue],
        market: Market,
        owner: Pubkey,
        config: ObserverConfig,
        *,
        priority: PriorityFee,
        clock: Clock,
        on_quote: Callable[[str, Exception | None], None] | None = None,
    ) -> None:
        self._rpc = rpc
        self._venues = tuple(venues)
        self._keys = parts.Keys(owner, market)
        self._config = config
        self._priority = priority
        self._clock = clock
        self._on_quote = on_quote
        self._highest = Slot(0)
        self._read_slot = Slot(0)
        self._progress_at = clock.now()
        self._accepted: Accepted | None = None
        self._rents: tuple[Epoch, parts.Rents] | None = None

    @property
    def watched(self) -> tuple[Pubkey, ...]:
        """The accounts whose change is news."""
        return tuple(key for key in self._keys.all if key not in parts.SYSVARS)

    def heard_of(self, slot: Slot) -> None:
        """Somebody (a websocket, another node) is at ``slot``. What no cluster could be ahead by is not believed: one absurd
        number would make every later view look old. A node that really is that far behind stands out as frozen."""
        if self._read_slot.value and slot.since(self._read_slot) > UNBELIEVABLE_LEAD:
            return
        self._highest = max(self._highest, slot)

    async def view(self, needs: Sequence[LadderNeed]) -> View:
        """The world now. Raises ``ObservationFailed``; quotes that fail are missing ladders, not failures."""
        self._keys = replace(self._keys, more=tuple(dict.fromkeys(need.sizes[0].mint for need in needs if need.sizes)))
        try:
            if not self._highest.value:
                self.heard_of(await self._rpc.slot())  # so that the age of the first quotes is known, too
            quoted, problems = await self._ladders(_merged(needs), self._highest)
            snapshot = (await self._rpc.accounts(self._keys.all)).in_use(self._keys.owner)
            now = parts.clock(snapshot)
            rents = await self._rent(now.epoch, snapshot)
            found = self._decode(snapshot, now, rents)
        except (RpcError, LayoutError, QuoteError) as error:
            raise ObservationFailed(f"{type(error).__name__}: {error}") from error
        ladders, ages = _timely(quoted, snapshot.slot, self._config.rules.max_quote_age_slots)
        return View(
            slot=snapshot.slot,
            block_time=now.unix_timestamp,
            epoch=now.epoch,
            fresh=self._judge(snapshot, now, found.glowsol, (*ages, *problems, *found.lending.sources)),
            glowsol=found.glowsol,
            pools=(found.pool,),
            quotes=ladders,
            lending=found.lending.markets,
            margin=found.lending.margin,
            wallet=found.wallet,
            queue=found.queue,
            fees=await self._fees(rents),
            epoch_length=found.epoch.length,
            epoch_ends_at=found.epoch.ends_at,
        )

    def _decode(self, snapshot: AccountSnapshot, now: ChainClock, rents: parts.Rents) -> _Parts:
        market = self._keys.market
        pool, state = parts.stake_pool(snapshot, market, now.epoch, rents)
        times = exits.epoch(snapshot, now)
        leaving = exits.stake_exits(snapshot, self._keys, state, now, times)
        tickets, open_ = parts.queue(snapshot, self._keys)
        glowsol = None
        if market.lrt is not None:
            glowsol = parts.glowsol(snapshot, market.lrt, state, len(tickets), queue_open=open_, rents=rents)
        wallet = parts.wallet(snapshot, self._keys, self._config.gas_reserve)
        pool = replace(pool, stake_places_free=leaving.places_free)
        borrowing = lending.Lending()
        if market.lending is not None:
            borrowing = lending.look(snapshot, market.lending, now.unix_timestamp)
        return _Parts(glowsol, pool, wallet, (*tickets, *leaving.tickets), times, borrowing)

    def _judge(
        self, snapshot: AccountSnapshot, now: ChainClock, glowsol: GlowSol | None, quotes: tuple[Source, ...]
    ) -> Freshness:
        if snapshot.slot > self._read_slot:
            self._read_slot, self._progress_at = snapshot.slot, self._clock.now()
        if self._highest.since(self._read_slot) > UNBELIEVABLE_LEAD:
            self._highest = self._read_slot  # heard before the first read, when there was nothing to hold it against
        self.heard_of(snapshot.highest)
        rate = glowsol.rate if glowsol is not None and glowsol.outstanding else None
        reading = Reading(
            slot=snapshot.slot,
            clock_slot=now.slot,
            highest_slot=self._highest,
            seconds_since_progress=self._clock.now() - self._progress_at,
            epoch=now.epoch,
            rate=rate,
        )
        verdict = judge(reading, self._accepted, self._config.rules, quotes)
        if verdict.ok and rate is not None and (self._accepted is None or self._accepted.rate <= rate):
            self._accepted = Accepted(now.epoch, rate)
        return verdict

    async def _ladders(self, needs: Sequence[LadderNeed], slot: Slot) -> tuple[tuple[Ladder, ...], tuple[Source, ...]]:
        results = await asyncio.gather(
            *(depth_ladder(self._venues, need.sizes, need.buy, slippage=self._config.slippage) for need in needs)
        )
        ladders: list[Ladder] = []
        problems: list[Source] = []
        for need, result in zip(needs, results, strict=True):
            rungs = tuple(Rung(quote.sell, quote.receive, quote.min_receive, quote.venue) for quote in result.quotes)
            if rungs:
                stated = (quote.context_slot for quote in result.quotes if quote.context_slot is not None)
                ladders.append(Ladder(need.sizes[0].mint, need.buy, rungs, min((slot, *stated))))
            self._count(result)
            if not rungs and result.errors:
                problems.append(
                    Source(_named(need.sizes[0].mint, need.buy), None, None, type(result.errors[0].error).__name__)
                )
        return tuple(ladders), tuple(problems)

    def _count(self, result: LadderResult) -> None:
        if self._on_quote is None:
            return
        for quote in result.quotes:
            self._on_quote(quote.venue, None)
        for fault in result.errors:
            self._on_quote(fault.venue, fault.error)

    async def _rent(self, epoch: Epoch, snapshot: AccountSnapshot) -> parts.Rents:
        if self._rents is not None and self._rents[0] == epoch:
            return self._rents[1]
        lrt = self._keys.market.lrt
        pool = snapshot[lrt.pool] if lrt is not None else None
        queue_size = queue_account_size(lrt.program) if lrt is not None else None
        rents = parts.Rents(
            token_account=await self._rpc.rent_exempt(TOKEN_ACCOUNT_SIZE),
            stake_account=await self._rpc.rent_exempt(STAKE_ACCOUNT_SIZE),
            lrt_pool=await self._rpc.rent_exempt(len(pool.data)) if pool is not None else Lamports(0),
            queue=await self._rpc.rent_exempt(queue_size if queue_size is not None else UNKNOWN_QUEUE_SIZE),
        )
        self._rents = epoch, rents
        return rents

    async def _fees(self, rents: parts.Rents) -> Fees:
        try:
            price = await self._priority.price((self._keys.owner, self._keys.market.solayer.stake_pool))
        except RpcError:
            price = self._priority.clamp(None)  # the operator's floor; the node's advice is a courtesy
        return Fees(SIGNATURE_FEE, price, rents.token_account, rents.queue)


def _named(sell: Mint, buy: Mint) -> str:
    return f"quotes {sell}/{buy}"


def _timely(ladders: Sequence[Ladder], read_at: Slot, max_age: int) -> tuple[tuple[Ladder, ...], tuple[Source, ...]]:
    """(The ladders that may be used with accounts read at ``read_at``, the age of every ladder.)

    Quotes come before the accounts and can be much older: a rate limit makes them wait for their turn, and a router may answer
    out of an old state. One that is too old is a missing ladder, like one that never came.
    """
    kept: list[Ladder] = []
    sources: list[Source] = []
    for ladder in ladders:
        age = max(read_at.since(ladder.slot), 0)
        late = age > max_age
        sources.append(Source(_named(ladder.sell, ladder.buy), ladder.slot, age, "quotes_stale" if late else ""))
        kept += [] if late else [ladder]
    return tuple(kept), tuple(sources)


def _merged(needs: Sequence[LadderNeed]) -> tuple[LadderNeed, ...]:
    """One need per direction, with all the sizes that anybody asked for."""
    merged: dict[tuple[str, str], LadderNeed] = {}
    for need in needs:
        if not need.sizes:
            continue
        key = (need.sizes[0].mint.address, need.buy.address)
        known = merged.get(key)
        sizes = {*need.sizes, *(known.sizes if known is not None else ())}
        merged[key] = LadderNeed(tuple(sorted(sizes)), need.buy)
    return tuple(merged.values())
