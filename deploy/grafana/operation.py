"""How the keeper works: transactions, the queue and the machinery, the lower rows of the dashboard."""

from __future__ import annotations

from deploy.grafana.panels import (
    AMBER,
    GREEN,
    RANGE,
    RATIO_UNIT,
    RED,
    SECONDS_UNIT,
    SOL_UNIT,
    YES_NO,
    Panel,
    Query,
    increase,
    lines,
    metric,
    number,
    quantile,
    ranking,
    rate,
    sol,
    steps,
    top,
    words,
)

LANDED, SENT = 'result="landed"', 'result=~"landed|failed|expired"'


def execution() -> list[Panel]:
    """What became of the transactions, how fast, and what it cost."""
    return [
        lines(
            "Results",
            [Query(f"sum by (result) ({increase('keeper_tx_results_total')})", "{{result}}")],
            "Landed, failed on chain, expired (provably dead), refused (never signed).",
            stacked=True,
        ),
        lines(
            "Landing time",
            [Query(quantile(share, "keeper_tx_landing_seconds"), f"p{share * 100:.0f}") for share in (0.5, 0.9, 0.99)],
            "From the first send to seeing it landed.",
            unit=SECONDS_UNIT,
        ),
        lines(
            "Decision to signed bytes",
            [
                Query(quantile(share, "keeper_decision_to_signed_seconds"), f"p{share * 100:.0f}")
                for share in (0.5, 0.99)
            ],
            "Compile, simulate, check, write to the journal, sign.",
            unit=SECONDS_UNIT,
        ),
        ranking(
            "Errors by name",
            Query(
                f"topk(8, sum by (strategy, error) ({increase('keeper_tx_errors_total', over=RANGE)}))",
                "{{strategy}}: {{error}}",
            ),
            "Failures and refusals over the shown range.",
        ),
        lines(
            "Signed and sent again",
            [
                Query(f"sum({increase('keeper_tx_attempts_total')})", "signed"),
                Query(f"sum({increase('keeper_tx_rebroadcasts_total')})", "rebroadcasts"),
            ],
            "Rebroadcasts repeat the same bytes; they cannot land twice.",
        ),
        lines(
            "Fees",
            [Query(f"sum({increase('keeper_fees_paid_lamports_total')}) / 1e9", "paid")],
            "Base and priority fees, also of transactions that failed on chain.",
            unit=SOL_UNIT,
            stacked=True,
        ),
        number(
            "Landed share",
            Query(
                f"sum({increase('keeper_tx_results_total', LANDED, over=RANGE)}) / "
                f"sum({increase('keeper_tx_results_total', SENT, over=RANGE)})"
            ),
            "Of the transactions that were sent, over the shown range.",
            unit=RATIO_UNIT,
            decimals=1,
            width=6,
            thresholds=steps((None, RED), (0.8, AMBER), (0.95, GREEN)),
        ),
        number(
            "Landed",
            Query(f"sum({increase('keeper_tx_results_total', LANDED, over=RANGE)})"),
            "Transactions over the shown range.",
            width=6,
            decimals=0,
        ),
        number(
            "Fees paid",
            Query(f"sum({increase('keeper_fees_paid_lamports_total', over=RANGE)}) / 1e9"),
            "Over the shown range.",
            unit=SOL_UNIT,
            decimals=6,
            width=6,
        ),
        number(
            "Fees a day",
            Query(f"sum({increase('keeper_fees_paid_lamports_total', over='1d')}) / 1e9"),
            "Over the last day, whatever range is shown: what the wallet must hold to see tomorrow.",
            unit=SOL_UNIT,
            decimals=6,
            width=6,
        ),
    ]


def queue() -> list[Panel]:
    """What waits in the redemption queue, and when it comes back."""
    return [
        number(
            "In the queue",
            Query(sol("keeper_queue_assets_lamports")),
            "What the redemption requests will pay.",
            unit=SOL_UNIT,
            decimals=3,
            width=4,
        ),
        number("Requests", Query(top("keeper_queue_tickets")), "Waiting and ripe.", width=4),
        number(
            "Ripe",
            Query(top("keeper_queue_ripe_tickets")),
            "Can be claimed now; the next ticks should claim them.",
            width=4,
        ),
        number(
            "Next ripe in",
            Query(f"{top('keeper_queue_next_ripe_timestamp_seconds')} - time()"),
            "Until the earliest request ripens; negative while it waits to be claimed.",
            unit="dtdurations",
            width=4,
        ),
        lines(
            "Queue",
            [
                Query(sol("keeper_queue_assets_lamports"), "assets"),
                Query(sol("keeper_lrt_liquid_lamports"), "pool's liquid SOL"),
            ],
            "Our requests beside what the pool can pay.",
            unit=SOL_UNIT,
        ),
    ]


def infrastructure() -> list[Panel]:
    """RPC, websocket, venues, journal, the process."""
    return [
        lines(
            "RPC requests",
            [Query(f"sum by (endpoint, result) ({rate('keeper_rpc_requests_total')})", "{{endpoint}} {{result}}")],
            "Requests a second by endpoint and result.",
            unit="reqps",
        ),
        lines(
            "RPC time (p99 by method)",
            [
                Query(
                    "histogram_quantile(0.99, sum by (le, method) "
                    f"({rate('keeper_rpc_request_duration_seconds_bucket')}))",
                    "{{method}}",
                )
            ],
            "The slowest hundredth.",
            unit=SECONDS_UNIT,
        ),
        lines(
            "View age",
            [Query(f"max by (source) ({metric('keeper_view_age_slots')})", "{{source}}")],
            "Slots by which each source lags behind.",
        ),
        lines(
            "Venue requests",
            [Query(f"sum by (venue, result) ({rate('keeper_venue_requests_total')})", "{{venue}} {{result}}")],
            "DEX requests a second.",
            unit="reqps",
        ),
        lines(
            "Websocket",
            [
                Query(f"max(time() - {metric('keeper_ws_last_message_timestamp_seconds')})", "silence (s)"),
                Query(f"sum({increase('keeper_ws_reconnects_total')})", "reconnects"),
                Query(f"min({metric('keeper_ws_connected')})", "connected"),
            ],
            "A silent websocket is as bad as a lost one; the timer ticks on meanwhile.",
        ),
        lines(
            "Tick and loop",
            [
                Query(quantile(0.5, "keeper_tick_duration_seconds"), "tick p50"),
                Query(quantile(0.99, "keeper_tick_duration_seconds"), "tick p99"),
                Query(f"max({metric('keeper_event_loop_lag_seconds')})", "event loop lag"),
            ],
            "A blocked event loop delays rebroadcasts.",
            unit=SECONDS_UNIT,
        ),
        number(
            "Journal writable",
            Query(f"min({metric('keeper_journal_writable')})"),
            "Without it nothing is signed.",
            width=4,
            mappings=YES_NO,
        ),
        number("Leadership epoch", Query(top("keeper_leader_epoch")), "Grows with every change of leader.", width=4),
        number(
            "Task failures",
            Query(f"sum({increase('keeper_task_failures_total', over=RANGE)})"),
            "Supervised tasks that died in the shown range.",
            width=4,
            decimals=0,
            thresholds=steps((None, GREEN), (1, RED)),
        ),
        number(
            "Memory",
            Query(f"max({metric('process_resident_memory_bytes')})"),
            "Resident memory.",
            unit="bytes",
            width=4,
            sparkline=True,
        ),
        number(
            "CPU",
            Query(f"max({rate('process_cpu_seconds_total')})"),
            "Share of one core.",
            unit=RATIO_UNIT,
            width=4,
            sparkline=True,
            decimals=1,
        ),
        number(
            "Version",
            Query(f"max by (version) ({metric('keeper_build_info')})", "{{version}}"),
            "Version of the running keeper; more than one during a rollout.",
            width=4,
            mappings=words(v1=("running", GREEN)),
        ),
    ]
