"""What the keeper sees, decides and earns: the upper rows of the dashboard."""

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
    ranking,
    rate,
    sol,
    steps,
    top,
    words,
)

HALTED, REDUCING = 'state="halted"', 'state="reducing"'
PLAN, HOLD = 'decision="plan"', 'decision="hold"'


def overview() -> list[Panel]:
    """Is it running, may it trade, and does it earn?"""
    profit = steps((None, RED), (0, GREEN))
    return [
        number(
            "NAV",
            Query(sol("keeper_nav_lamports")),
            "Wallet, queue and margin account, tokens at redemption value.",
            unit=SOL_UNIT,
            decimals=3,
            width=5,
            sparkline=True,
        ),
        number(
            "PnL over holding",
            Query(sol("keeper_pnl_lamports")),
            "NAV less what the opening assets would be worth untouched: what the strategies added after all costs.",
            unit=SOL_UNIT,
            decimals=4,
            width=4,
            thresholds=profit,
        ),
        number(
            "Discount",
            Query(top("keeper_discount_ratio")),
            "1 - DEX buy price / redemption rate. Above 0, glowSOL is cheaper than its redemption.",
            unit=RATIO_UNIT,
            decimals=2,
        ),
        number(
            "State",
            Query(f"2 * {top('keeper_trading_state', HALTED)} + {top('keeper_trading_state', REDUCING)}"),
            "Active, reducing (exits only), or halted until a person looks.",
            width=2,
            mappings=words(v0=("active", GREEN), v1=("REDUCING", AMBER), v2=("HALTED", RED)),
        ),
        number(
            "In flight",
            Query(f"sum({metric('keeper_in_flight_transactions')})"),
            "Signed transactions whose end is not known yet.",
            width=2,
        ),
        number(
            "Leader",
            Query(f"sum({metric('keeper_is_leader')})"),
            "Replicas that may sign: exactly one.",
            width=2,
            thresholds=steps((None, RED), (1, GREEN), (2, RED)),
        ),
        number(
            "Fresh view",
            Query(top("keeper_view_fresh")),
            "Whether the latest view may be acted on.",
            width=2,
            mappings=YES_NO,
        ),
        number(
            "Ledger drift",
            Query(f"max(abs({metric('keeper_ledger_drift_lamports')}))"),
            "Lamports between chain and ledger. Anything but 0 needs a person.",
            width=2,
            thresholds=steps((None, GREEN), (1, RED)),
        ),
        number(
            "Last good tick",
            Query(f"time() - {top('keeper_last_successful_tick_timestamp_seconds')}"),
            "Seconds since a tick last went well.",
            unit=SECONDS_UNIT,
            decimals=0,
            width=2,
            thresholds=steps((None, GREEN), (60, AMBER), (120, RED)),
        ),
        lines(
            "NAV against holding",
            [Query(sol("keeper_nav_lamports"), "NAV"), Query(sol("keeper_holding_lamports"), "holding")],
            "The distance between the two lines is what the keeper earned.",
            unit=SOL_UNIT,
            width=16,
        ),
        lines(
            "Wallet",
            [
                Query(sol("keeper_wallet_balance_lamports"), "SOL"),
                Query(sol("keeper_wallet_gas_reserve_lamports"), "gas reserve"),
                Query(f"max by (token) ({metric('keeper_wallet_token_units')}) / 1e9", "{{token}}"),
            ],
            "Native SOL and tokens (9 decimals each). No plan spends below the gas reserve.",
            unit=SOL_UNIT,
        ),
    ]


def market() -> list[Panel]:
    """What glowSOL redeems for, what the DEX pays, and whether the protocols take part."""
    return [
        lines(
            "glowSOL: redemption and DEX",
            [
                Query(top("keeper_redemption_rate_ratio"), "redemption"),
                Query(f"max by (direction) ({metric('keeper_dex_price_ratio')})", "DEX {{direction}}"),
            ],
            "SOL per glowSOL. Buying below redemption pays after the queue; selling above it pays at once.",
            unit="none",
        ),
        lines(
            "Discount and premium",
            [Query(top("keeper_discount_ratio"), "discount"), Query(top("keeper_premium_ratio"), "premium")],
            "Against the redemption rate, before costs and waiting. A gap means that it could not be read.",
            unit=RATIO_UNIT,
            centred=True,
        ),
        lines(
            "Restaking program",
            [
                Query(sol("keeper_lrt_deposit_room_lamports"), "deposit room"),
                Query(sol("keeper_lrt_liquid_lamports"), "liquid for claims"),
            ],
            "What the cap still takes, and what claims can be paid from.",
            unit=SOL_UNIT,
        ),
        number(
            "Program paused",
            Query(top("keeper_lrt_paused")),
            "The restaking program's own pause switch.",
            width=4,
            mappings=words(v0=("no", GREEN), v1=("PAUSED", RED)),
        ),
        number(
            "Stake pool updated",
            Query(f"min({metric('keeper_stake_pool_current')})"),
            "No until somebody updates the pool after an epoch's turn; deposits and withdrawals fail meanwhile.",
            width=4,
            mappings=YES_NO,
        ),
        number("Epoch", Query(top("keeper_epoch")), "Epoch of the latest view.", width=4),
        number("Slot", Query(top("keeper_slot")), "Slot of the latest view.", width=4),
        number(
            "Pool rate",
            Query(f"max by (pool) ({metric('keeper_stake_pool_rate_ratio')})", "{{pool}}"),
            "SOL per pool token, gross of fees.",
            decimals=6,
            width=4,
        ),
        number(
            "Compute-unit price",
            Query(top("keeper_compute_unit_price_microlamports")),
            "Micro-lamports per compute unit that land now.",
            width=4,
            sparkline=True,
        ),
    ]


def decisions() -> list[Panel]:
    """What the strategies answered, and why they held."""
    return [
        lines(
            "Plans",
            [
                Query(
                    f"sum by (strategy, reason) ({increase('keeper_decisions_total', PLAN)})",
                    "{{strategy}}: {{reason}}",
                )
            ],
            "Decisions to act, by strategy and reason.",
            stacked=True,
        ),
        lines(
            "Holds by reason",
            [Query(f"sum by (reason) ({increase('keeper_decisions_total', HOLD)})", "{{reason}}")],
            "Every no has a reason code; its numbers are in the log and on the status page.",
            stacked=True,
        ),
        ranking(
            "Most common holds",
            Query(
                f"topk(8, sum by (strategy, reason) ({increase('keeper_decisions_total', HOLD, over=RANGE)}))",
                "{{strategy}}: {{reason}}",
            ),
            "Over the shown range.",
        ),
        lines(
            "Expected profit",
            [
                Query(
                    f"sum by (strategy) ({increase('keeper_expected_profit_lamports_total')}) / 1e9",
                    "{{strategy}}",
                )
            ],
            "What the plans promised after costs, landed or not.",
            unit=SOL_UNIT,
        ),
        lines(
            "Ticks",
            [Query(f"sum by (result) ({rate('keeper_ticks_total')})", "{{result}}")],
            "Ticks a second by result.",
            unit="ops",
        ),
        lines(
            "Refused by risk",
            [
                Query(
                    f"sum by (strategy, reason) ({increase('keeper_risk_denials_total')})",
                    "{{strategy}}: {{reason}}",
                )
            ],
            "Plans that the risk review refused.",
            stacked=True,
        ),
    ]
