"""The metrics the keeper exports, declared once: name, kind, labels and what it means. Those of lending and of the strategies'
shares are in ``keeper.telemetry.lending`` and ``keeper.telemetry.capital``.

Names follow prometheus.io/docs/practices/naming: prefix ``keeper_``, base units in the name, ``_total`` for counters,
``_timestamp_seconds`` for moments, ratios between 0 and 1 or around it. Lamports are the base unit of money here: they are
integers on chain, and a float holds them exactly up to 9 million SOL. Labels are bounded sets; no signature, address or URL
is ever a label value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

LANDING_BUCKETS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 90.0)
SIGNING_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
TICK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric as an operator meets it: the name a query uses, its kind, label names and meaning."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


class Registrar:
    """Makes metric objects on one registry (never the library's global one) and remembers what it made."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.declared: list[Declared] = []

    def counter(self, name: str, meaning: str, *labels: str) -> Counter:
        self.declared.append(Declared(name, "counter", labels, meaning))
        return Counter(name, meaning, labels, registry=self._registry)

    def gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        self.declared.append(Declared(name, "gauge", labels, meaning))
        return Gauge(name, meaning, labels, registry=self._registry)

    def histogram(self, name: str, meaning: str, buckets: Sequence[float], *labels: str) -> Histogram:
        self.declared.append(Declared(name, "histogram", labels, meaning))
        return Histogram(name, meaning, labels, registry=self._registry, buckets=buckets)

    def info(self, name: str, meaning: str, *labels: str) -> Info:
        self.declared.append(Declared(f"{name}_info", "gauge", labels, meaning))
        return Info(name, meaning, registry=self._registry)


class Activity:
    """What the keeper does: ticks, decisions, transactions."""

    def __init__(self, new: Registrar) -> None:
        self.build = new.info("keeper_build", "Version of the running keeper; always 1", "version")
        self.ticks = new.counter(
            "keeper_ticks_total", "Ticks by result: ok, stale (no fresh view), failed (an exception)", "result"
        )
        self.tick_duration = new.histogram(
            "keeper_tick_duration_seconds", "Time from the start of a tick to its end", TICK_BUCKETS
        )
        self.last_successful_tick = new.gauge(
            "keeper_last_successful_tick_timestamp_seconds",
            "Unix time at which a tick last ended with result ok; 0 before",
        )

        self.decisions = new.counter(
            "keeper_decisions_total",
            "Answers of the strategies; decision is plan or hold, reason is the answer's code",
            "strategy",
            "decision",
            "reason",
        )
        self.denials = new.counter(
            "keeper_risk_denials_total", "Plans that the risk review refused, by its reason", "strategy", "reason"
        )
        self.trading_state = new.gauge(
            "keeper_trading_state", "1 for the state that holds: active, reducing (exits only) or halted", "state"
        )
        self.expected_profit = new.counter(
            "keeper_expected_profit_lamports_total",
            "Profit after costs that plans promised, where positive, whether or not they landed",
            "strategy",
        )

        self.attempts = new.counter("keeper_tx_attempts_total", "Transactions signed", "strategy")
        self.results = new.counter(
            "keeper_tx_results_total",
            "Ends of transactions: landed, failed (on chain), expired (provably dead), refused (never signed)",
            "strategy",
            "result",
        )
        self.errors = new.counter(
            "keeper_tx_errors_total", "Failed and refused transactions by the error's name", "strategy", "error"
        )
        self.landing = new.histogram(
            "keeper_tx_landing_seconds",
            "Time from the first send of a transaction to seeing it landed",
            LANDING_BUCKETS,
        )
        self.rebroadcasts = new.counter(
            "keeper_tx_rebroadcasts_total", "Repeated sends of bytes that were already sent"
        )
        self.decision_to_signed = new.histogram(
            "keeper_decision_to_signed_seconds",
            "Time from a plan to its signed bytes, simulation included",
            SIGNING_BUCKETS,
        )
        self.fees_paid = new.counter(
            "keeper_fees_paid_lamports_total", "Base and priority fees paid, also by transactions that failed on chain"
        )
        self.in_flight = new.gauge("keeper_in_flight_transactions", "Signed transactions whose end is not known yet")


class Holdings:
    """What the keeper has: balances, net asset value, the redemption queue."""

    def __init__(self, new: Registrar) -> None:
        self.wallet_balance = new.gauge(
            "keeper_wallet_balance_lamports", "Native SOL of the wallet, which pays the fees"
        )
        self.wallet_reserve = new.gauge("keeper_wallet_gas_reserve_lamports", "Native SOL that no plan may spend")
        self.wallet_tokens = new.gauge("keeper_wallet_token_units", "Base units of a token in the wallet", "token")
        self.nav = new.gauge(
            "keeper_nav_lamports", "Net asset value: wallet, queue and margin account, tokens at redemption value"
        )
        self.pnl = new.gauge(
            "keeper_pnl_lamports",
            "Net asset value less what the opening assets would be worth untouched, after all costs",
        )
        self.holding = new.gauge(
            "keeper_holding_lamports", "What the opening assets would be worth now, had nothing been traded"
        )
        self.drift = new.gauge(
            "keeper_ledger_drift_lamports", "What the chain says the wallet holds less what the ledger says; must be 0"
        )

        self.queue_tickets = new.gauge("keeper_queue_tickets", "Redemption requests of this wallet, waiting and ripe")
        self.queue_ripe = new.gauge("keeper_queue_ripe_tickets", "Redemption requests that can be claimed now")
        self.queue_assets = new.gauge("keeper_queue_assets_lamports", "What the redemption requests will pay in all")
        self.queue_next_ripe = new.gauge(
            "keeper_queue_next_ripe_timestamp_seconds", "Chain time at which the earliest request ripens; NaN if none"
        )


class Surroundings:
    """What the keeper sees: prices, programs, the chain's position, and how fresh that is."""

    def __init__(self, new: Registrar) -> None:
        self.redemption_rate = new.gauge(
            "keeper_redemption_rate_ratio", "Lamports that one glowSOL base unit redeems for; NaN if unread"
        )
        self.dex_price = new.gauge(
            "keeper_dex_price_ratio",
            "Lamports per glowSOL base unit on the DEX at the smallest quoted size; direction is buy or sell, as seen by us",
            "direction",
        )
        self.discount = new.gauge(
            "keeper_discount_ratio", "1 - DEX buy price / redemption rate: above 0, glowSOL is cheaper than redemption"
        )
        self.premium = new.gauge(
            "keeper_premium_ratio", "DEX sell price / redemption rate - 1: above 0, glowSOL sells above redemption"
        )
        self.lrt_paused = new.gauge("keeper_lrt_paused", "1 while the restaking program is paused; NaN if unread")
        self.lrt_deposit_room = new.gauge(
            "keeper_lrt_deposit_room_lamports", "Deposits that the restaking cap still takes"
        )
        self.lrt_liquid = new.gauge(
            "keeper_lrt_liquid_lamports", "What claims can be paid from now, above the pool's floor"
        )
        self.pool_current = new.gauge(
            "keeper_stake_pool_current", "1 if the stake pool was updated in this epoch, 0 before that", "pool"
        )
        self.pool_rate = new.gauge("keeper_stake_pool_rate_ratio", "Lamports per pool token, gross of fees", "pool")
        self.unit_price = new.gauge("keeper_compute_unit_price_microlamports", "Price per compute unit to land now")

        self.slot = new.gauge("keeper_slot", "Slot of the latest view")
        self.epoch = new.gauge("keeper_epoch", "Epoch of the latest view")
        self.view_age = new.gauge("keeper_view_age_slots", "Age of each part of the latest view", "source")
        self.view_fresh = new.gauge("keeper_view_fresh", "1 if the latest view may be acted on")


class Machinery:
    """What the keeper runs on: RPC, websocket, venues, journal, leadership, tasks."""

    def __init__(self, new: Registrar) -> None:
        self.rpc_requests = new.counter(
            "keeper_rpc_requests_total", "JSON-RPC requests", "method", "endpoint", "result"
        )
        self.rpc_duration = new.histogram(
            "keeper_rpc_request_duration_seconds", "Time of a JSON-RPC request", REQUEST_BUCKETS, "method"
        )
        self.ws_connected = new.gauge("keeper_ws_connected", "1 while the websocket is connected")
        self.ws_last_message = new.gauge(
            "keeper_ws_last_message_timestamp_seconds", "Unix time of the last websocket message; 0 before the first"
        )
        self.ws_reconnects = new.counter("keeper_ws_reconnects_total", "Websocket connections made again after a loss")
        self.venue_requests = new.counter("keeper_venue_requests_total", "Requests to a DEX venue", "venue", "result")

        self.journal_writable = new.gauge("keeper_journal_writable", "1 if the last write to the journal succeeded")
        self.is_leader = new.gauge("keeper_is_leader", "1 if this replica may sign")
        self.leader_epoch = new.gauge("keeper_leader_epoch", "Leadership epoch this replica last held; 0 if none")
        self.task_failures = new.counter("keeper_task_failures_total", "Supervised tasks that died", "task")
        self.loop_lag = new.gauge(
            "keeper_event_loop_lag_seconds", "Longest delay of the event loop in the last half minute"
        )
        self.doctor_failing = new.gauge(
            "keeper_doctor_failing_checks",
            "Failing checks of the doctor; blocks is yes for those that keep something from being entered; NaN before a look",
            "blocks",
        )
        self.doctor_check = new.gauge("keeper_doctor_check_failing", "1 for each check that fails", "check")
        self.doctor_looked = new.gauge(
            "keeper_doctor_last_look_timestamp_seconds", "Unix time at which the doctor last looked; 0 before the first"
        )
