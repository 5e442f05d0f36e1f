"""Recording what happens, in the words of the domain. Callers never see a metric object or a label.

Amounts arrive as units and become floats here, at the edge, for people to look at; nothing is ever computed from them again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Literal, TypeAlias, get_args

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.process_collector import ProcessCollector

from keeper.plan import Decision, Plan
from keeper.telemetry.capital import Capital, Shares
from keeper.telemetry.label_values import OTHER, BoundedValues, endpoint_name
from keeper.telemetry.lending import Lending
from keeper.telemetry.market import MarketPrices
from keeper.telemetry.series import Activity, Declared, Holdings, Machinery, Registrar, Surroundings
from keeper.units import Bps, Lamports
from keeper.view import View

TickResult: TypeAlias = Literal["ok", "stale", "failed"]
TxResult: TypeAlias = Literal["landed", "failed", "expired", "refused"]
TradingState: TypeAlias = Literal["active", "reducing", "halted"]
UNKNOWN = math.nan  # a gauge that keeps its last value while the truth is unknown tells a lie


class Metrics:
    """The keeper's metrics, on an injected registry.

    ``strategies`` and ``tasks`` are named up front so that their counters start at 0: a counter that first appears at 1 shows
    no increase. ``clock`` gives Unix seconds. At most ``max_codes`` distinct reasons, errors, methods and so on become label
    values of their own, each label for itself; later ones count as ``other``.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        strategies: Iterable[str] = (),
        tasks: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
        max_codes: int = 64,
    ) -> None:
        self.registry = registry
        new = Registrar(registry)
        self._activity, self._holdings = Activity(new), Holdings(new)
        self._surroundings, self._machinery = Surroundings(new), Machinery(new)
        self._clock = clock
        self._reasons, self._errors = BoundedValues(max_codes), BoundedValues(max_codes)
        self._methods, self._endpoints = BoundedValues(max_codes), BoundedValues(max_codes)
        self._call_results, self._venues = BoundedValues(max_codes), BoundedValues(max_codes)
        self._tasks, self._tokens = BoundedValues(max_codes), BoundedValues(max_codes)
        self._sources, self._checks = BoundedValues(max_codes), BoundedValues(max_codes)
        self._lending, self._shares = Lending(new, self._tokens, max_codes), Shares(new, self._tokens)
        self._declared = tuple(new.declared)
        ProcessCollector(registry=registry)  # process_resident_memory_bytes and friends
        self._activity.build.info({"version": version("glow-keeper")})
        self._start(strategies, tasks)

    @property
    def declared(self) -> Sequence[Declared]:
        """What is exported under ``keeper_``, for the documentation and for tests of dashboards and alerts."""
        return self._declared

    def _start(self, strategies: Iterable[str], tasks: Iterable[str]) -> None:
        for tick_result in get_args(TickResult):
            self._activity.ticks.labels(tick_result)
        for state in get_args(TradingState):
            self._activity.trading_state.labels(state)
        for direction in ("buy", "sell"):
            self._surroundings.dex_price.labels(direction).set(UNKNOWN)
        for strategy in strategies:
            self._activity.attempts.labels(strategy)
            self._activity.denials.labels(strategy, OTHER)
            self._activity.errors.labels(strategy, OTHER)
            self._activity.expected_profit.labels(strategy)
            for decision in ("plan", "hold"):
                self._activity.decisions.labels(strategy, decision, OTHER)
            for tx_result in get_args(TxResult):
                self._activity.results.labels(strategy, tx_result)
            self._shares.begin(strategy)
        self._lending.begin()
        for blocks in ("yes", "no"):
            self._machinery.doctor_failing.labels(blocks).set(UNKNOWN)
        for task in tasks:
            self._machinery.task_failures.labels(self._tasks.admit(task))
        for gauge in (
            self._machinery.journal_writable,
            self._holdings.wallet_balance,
            self._holdings.wallet_reserve,
            self._holdings.nav,
            self._holdings.pnl,
            self._holdings.holding,
            self._holdings.drift,
            self._holdings.queue_next_ripe,
            self._surroundings.redemption_rate,
            self._surroundings.discount,
            self._surroundings.premium,
            self._surroundings.lrt_paused,
            self._surroundings.lrt_deposit_room,
            self._surroundings.lrt_liquid,
        ):
            gauge.set(UNKNOWN)

    # ---- the tick ----------------------------------------------------------------------------------------------------

    def tick(self, result: TickResult, seconds: float) -> None:
        """A tick ended after ``seconds``: ``ok``, ``stale`` (nothing could be decided on this view) or ``failed``."""
        self._activity.ticks.labels(result).inc()
        self._activity.tick_duration.observe(seconds)
        if result == "ok":
            self._activity.last_successful_tick.set(self._clock())

    def decided(self, strategy: str, decision: Decision) -> None:
        """A strategy answered."""
        kind = "plan" if isinstance(decision, Plan) else "hold"
        self._activity.decisions.labels(strategy, kind, self._reasons.admit(decision.reason)).inc()
        if isinstance(decision, Plan) and decision.expected.profit > Lamports(0):
            self._activity.expected_profit.labels(strategy).inc(decision.expected.profit.value)

    def denied(self, strategy: str, reason: str) -> None:
        """The risk review refused a plan."""
        self._activity.denials.labels(strategy, self._reasons.admit(reason)).inc()

    def trading(self, state: TradingState) -> None:
        """Whether the keeper may enter (``active``), only exit (``reducing``), or neither (``halted``)."""
        for name in get_args(TradingState):
            self._activity.trading_state.labels(name).set(name == state)

    # ---- execution ---------------------------------------------------------------------------------------------------

    def attempted(self, strategy: str, decision_to_signed_seconds: float) -> None:
        """A transaction was signed (once for its whole life, however often its bytes are sent)."""
        self._activity.attempts.labels(strategy).inc()
        self._activity.decision_to_signed.observe(decision_to_signed_seconds)

    def rebroadcast(self, count: int = 1) -> None:
        """Bytes that were sent before were sent again, ``count`` times."""
        self._activity.rebroadcasts.inc(count)

    def in_flight(self, transactions: int) -> None:
        """How many signed transactions have no known end."""
        self._activity.in_flight.set(transactions)

    def outcome(
        self, strategy: str, result: TxResult, fee: Lamports, landing_seconds: float | None = None, error: str = ""
    ) -> None:
        """A transaction came to its end. ``landing_seconds`` for landed ones; ``error`` names a failure or refusal."""
        self._activity.results.labels(strategy, result).inc()
        self._activity.fees_paid.inc(fee.value)
        if result == "landed" and landing_seconds is not None:
            self._activity.landing.observe(landing_seconds)
        if error:
            self._activity.errors.labels(strategy, self._errors.admit(error)).inc()

    # ---- the view ----------------------------------------------------------------------------------------------------

    def viewed(self, view: View) -> None:
        """A view was built. What it could not read becomes NaN, so that no chart shows a value that nobody saw."""
        self._surroundings.slot.set(view.slot.value)
        self._surroundings.epoch.set(view.epoch.value)
        self._surroundings.view_fresh.set(view.fresh.ok)
        self._surroundings.view_age.clear()  # a source that is gone has no age
        for source in view.fresh.sources:
            age = UNKNOWN if source.age_slots is None else source.age_slots
            self._surroundings.view_age.labels(self._sources.admit(source.name)).set(age)
        self._surroundings.unit_price.set(view.fees.unit_price.value)
        self._market(view)
        self._lending.show(view)
        self._belongings(view)

    def unseen(self) -> None:
        """No view could be built at all: nothing is fresh."""
        self._surroundings.view_fresh.set(0)

    def _market(self, view: View) -> None:
        prices = MarketPrices.of(view)
        _set(self._surroundings.redemption_rate, prices.redemption)
        _set(self._surroundings.dex_price.labels("buy"), prices.buy)
        _set(self._surroundings.dex_price.labels("sell"), prices.sell)
        _set(self._surroundings.discount, prices.discount)
        _set(self._surroundings.premium, prices.premium)
        lrt = view.glowsol
        _set(self._surroundings.lrt_paused, None if lrt is None else float(lrt.paused))
        _set(self._surroundings.lrt_deposit_room, None if lrt is None else lrt.deposit_room.value)
        _set(self._surroundings.lrt_liquid, None if lrt is None else lrt.liquid.value)
        for pool in view.pools:
            name = self._tokens.admit(pool.mint.symbol)
            self._surroundings.pool_current.labels(name).set(pool.current)
            self._surroundings.pool_rate.labels(name).set(float(pool.rate.fraction()))

    def _belongings(self, view: View) -> None:
        self._holdings.wallet_balance.set(view.wallet.lamports.value)
        self._holdings.wallet_reserve.set(view.wallet.gas_reserve.value)
        self._holdings.wallet_tokens.clear()  # an account that was closed leaves no balance behind
        for amount in view.wallet.tokens:
            self._holdings.wallet_tokens.labels(self._tokens.admit(amount.mint.symbol)).inc(amount.units)
        self._holdings.queue_tickets.set(len(view.queue))
        self._holdings.queue_ripe.set(sum(ticket.ripe(view.block_time) for ticket in view.queue))
        self._holdings.queue_assets.set(sum(ticket.assets.value for ticket in view.queue))
        _set(self._holdings.queue_next_ripe, min((ticket.ripe_at.value for ticket in view.queue), default=None))

    # ---- money -------------------------------------------------------------------------------------------------------

    def nav(self, nav: Lamports, *, holding: Lamports) -> None:
        """Net asset value now, and what the opening assets (and later deposits) would be worth untouched."""
        self._holdings.nav.set(nav.value)
        self._holdings.pnl.set((nav - holding).value)
        self._holdings.holding.set(holding.value)

    def ledger_drift(self, drift: Lamports) -> None:
        """Units by which chain and ledger differ, all accounts added up. Anything but 0: money moved which nobody booked."""
        self._holdings.drift.set(drift.value)

    def health_floor(self, health: Bps) -> None:
        """The least health of the margin account that the operator allows."""
        self._lending.floor(health)

    def capital(self, shares: Iterable[Capital]) -> None:
        """What each strategy was allotted and owns, and what the operator told it."""
        self._shares.show(shares)

    def yields(self, found: Mapping[str, int | None]) -> None:
        """What holding a token (by its symbol) earns, in billionths per year; None where nothing was measured yet."""
        self._shares.yields(found)

    # ---- what we depend on -------------------------------------------------------------------------------------------

    def rpc_call(self, method: str, endpoint: str, result: str, seconds: float) -> None:
        """A JSON-RPC request ended; ``endpoint`` may be a URL, of which only the host is kept; ``result`` is ok or a code."""
        known = self._methods.admit(method)
        host = self._endpoints.admit(endpoint_name(endpoint))
        self._machinery.rpc_requests.labels(known, host, self._call_results.admit(result)).inc()
        self._machinery.rpc_duration.labels(known).observe(seconds)

    def venue_call(self, venue: str, result: str) -> None:
        """A request to a DEX venue ended; ``result`` is ok or a code."""
        self._machinery.venue_requests.labels(self._venues.admit(venue), self._call_results.admit(result)).inc()

    def ws_connected(self, connected: bool) -> None:
        """The websocket came up or went down."""
        self._machinery.ws_connected.set(connected)

    def ws_message(self) -> None:
        """A websocket message arrived."""
        self._machinery.ws_last_message.set(self._clock())

    def ws_reconnected(self) -> None:
        """The websocket was connected again after a loss."""
        self._machinery.ws_reconnects.inc()

    def examined(self, failing: Mapping[str, bool]) -> None:
        """The doctor looked. ``failing``: each check that fails, and whether it keeps something from being entered."""
        self._machinery.doctor_looked.set(self._clock())
        for blocks, word in ((True, "yes"), (False, "no")):
            self._machinery.doctor_failing.labels(word).set(sum(one is blocks for one in failing.values()))
        self._machinery.doctor_check.clear()  # a check that passes again leaves nothing behind
        for check in sorted(failing):
            self._machinery.doctor_check.labels(self._checks.admit(check)).set(1)

    # ---- ourselves ---------------------------------------------------------------------------------------------------

    def journal_writable(self, writable: bool) -> None:
        """Whether the last write to the journal succeeded."""
        self._machinery.journal_writable.set(writable)

    def leader(self, is_leader: bool, epoch: int) -> None:
        """Whether this replica may sign, and under which leadership epoch."""
        self._machinery.is_leader.set(is_leader)
        self._machinery.leader_epoch.set(epoch)

    def task_failed(self, task: str) -> None:
        """A supervised task died."""
        self._machinery.task_failures.labels(self._tasks.admit(task)).inc()

    def loop_lag(self, seconds: float) -> None:
        """The longest recent delay of the event loop (see ``keeper.telemetry.loop_lag``)."""
        self._machinery.loop_lag.set(seconds)


def _set(gauge: Gauge, value: float | None) -> None:
    gauge.set(UNKNOWN if value is None else value)
