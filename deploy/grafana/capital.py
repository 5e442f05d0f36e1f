"""The margin account, the lending pools, and the strategies' shares: the rows "Lending" and "Capital"."""

from __future__ import annotations

from deploy.grafana.panels import (
    AMBER,
    GREEN,
    RATIO_UNIT,
    RED,
    SECONDS_UNIT,
    SOL_UNIT,
    YES_NO,
    Panel,
    Query,
    lines,
    metric,
    number,
    sol,
    steps,
    top,
    words,
)

OPEN, NOT_NONE, BLOCKING, COMFORT = 'state="open"', 'problem!="none"', 'blocks="yes"', 'blocks="no"'
DAY = 86_400


def lending() -> list[Panel]:
    """How near liquidation is, what the debt costs, and whether the pools and prices can be used."""
    return [
        number(
            "Health",
            Query(f"min({metric('keeper_margin_health_ratio')})"),
            "Of the margin account, as Glow's app shows it. Liquidation is due at 0.",
            unit=RATIO_UNIT,
            decimals=1,
            thresholds=steps((None, RED), (0.1, AMBER), (0.15, GREEN)),
            sparkline=True,
        ),
        number(
            "Health known",
            Query(f"min({metric('keeper_margin_health_known')})"),
            "No while a debt cannot be valued or the account cannot be read.",
            mappings=YES_NO,
        ),
        number(
            "Leverage",
            Query(top("keeper_margin_leverage_ratio")),
            "Assets over equity, by the oracle.",
            unit="suffix:x",
            decimals=2,
            sparkline=True,
        ),
        number(
            "Equity",
            Query(sol("keeper_margin_equity_lamports")),
            "Collateral less debt, by the oracle.",
            unit=SOL_UNIT,
            decimals=3,
        ),
        number(
            "Debt",
            Query(f"sum(max by (token) ({metric('keeper_margin_debt_lamports')})) / 1e9"),
            "What is owed to lending pools, with interest to now.",
            unit=SOL_UNIT,
            decimals=3,
        ),
        number(
            "Carry",
            Query(
                f"max({metric('keeper_staking_yield_ratio')}) - max({metric('keeper_lending_borrow_rate_ratio')})",
            ),
            "Best measured staking yield less the dearest borrow rate: what a unit of debt earns in a year.",
            unit=RATIO_UNIT,
            decimals=2,
            thresholds=steps((None, RED), (0, GREEN)),
        ),
        number(
            "Account problems",
            Query(f"sum(max by (problem) ({metric('keeper_margin_problem', NOT_NONE)})) or vector(0)"),
            "Anything but 0 keeps the margin account from being used; the chart of problems names it.",
            thresholds=steps((None, GREEN), (1, RED)),
        ),
        number(
            "Prices unusable",
            Query(f"sum(max by (token, problem) ({metric('keeper_oracle_problem', NOT_NONE)})) or vector(0)"),
            "Tokens whose price the lending programs would not use now.",
            thresholds=steps((None, GREEN), (1, RED)),
        ),
        lines(
            "Health and its floor",
            [
                Query(f"min({metric('keeper_margin_health_ratio')})", "health"),
                Query(f"max({metric('keeper_margin_health_floor_ratio')})", "floor of the risk review"),
            ],
            "The strategy's own stress keeps health well above the floor. A gap means that health is unknown.",
            unit=RATIO_UNIT,
        ),
        lines(
            "Collateral and debt",
            [
                Query(f"max by (token) ({metric('keeper_margin_collateral_lamports')}) / 1e9", "{{token}}"),
                Query(f"- max by (token) ({metric('keeper_margin_debt_lamports')}) / 1e9", "owed {{token}}"),
            ],
            "By the oracle; debt below zero.",
            unit=SOL_UNIT,
        ),
        lines(
            "Yield and borrow rate",
            [
                Query(f"max by (token) ({metric('keeper_staking_yield_ratio')})", "yield {{token}}"),
                Query(f"max by (pool) ({metric('keeper_lending_borrow_rate_ratio')})", "borrow {{pool}}"),
                Query(f"max by (pool) ({metric('keeper_lending_deposit_rate_ratio')})", "lend {{pool}}"),
            ],
            "Per year. Debt earns while the yield lies above the borrow rate.",
            unit=RATIO_UNIT,
        ),
        lines(
            "Utilisation",
            [Query(f"max by (pool) ({metric('keeper_lending_utilisation_ratio')})", "{{pool}}")],
            "The program lends up to 95 %. The nearer, the less can be borrowed or withdrawn, and the dearer it is.",
            unit=RATIO_UNIT,
        ),
        lines(
            "Room in the pools",
            [
                Query(f"max by (pool) ({metric('keeper_lending_borrow_room_units')}) / 1e9", "to borrow {{pool}}"),
                Query(f"max by (pool) ({metric('keeper_lending_idle_units')}) / 1e9", "idle {{pool}}"),
            ],
            "Base units by 9 decimals: what can still be borrowed, and what depositors can withdraw.",
        ),
        lines(
            "Problems",
            [
                Query(f"max by (problem) ({metric('keeper_margin_problem', NOT_NONE)})", "account: {{problem}}"),
                Query(
                    f"max by (pool, side, problem) ({metric('keeper_lending_pool_problem', NOT_NONE)})",
                    "{{pool}} {{side}}: {{problem}}",
                ),
                Query(
                    f"max by (token, problem) ({metric('keeper_oracle_problem', NOT_NONE)})", "{{token}}: {{problem}}"
                ),
            ],
            "1 while it holds. Empty is good.",
            stacked=True,
        ),
    ]


def capital() -> list[Panel]:
    """Who has what of the one wallet, what the operator ordered, and what the doctor says."""
    return [
        lines(
            "Out of the wallet",
            [Query(f"max by (strategy) ({metric('keeper_strategy_deployed_lamports')}) / 1e9", "{{strategy}}")],
            "What each strategy took and has not returned; losses, fees and rent included.",
            unit=SOL_UNIT,
        ),
        lines(
            "Free to spend",
            [
                Query(f"max by (strategy) ({metric('keeper_strategy_free_lamports')}) / 1e9", "{{strategy}}"),
                Query(f"max by (strategy) ({metric('keeper_strategy_budget_lamports')}) / 1e9", "budget {{strategy}}"),
            ],
            "The SOL that each strategy sees, above the reserves, beside its budget.",
            unit=SOL_UNIT,
        ),
        lines(
            "Owed and asked for",
            [
                Query(
                    f"max by (strategy) ({metric('keeper_strategy_debt_lamports')}) / 1e9", "debt {{strategy}} (SOL)"
                ),
                Query(f"max by (strategy) ({metric('keeper_strategy_requests')})", "requests {{strategy}}"),
            ],
            "Debt by who borrowed it, and requests on their way out by who made them.",
        ),
        number(
            "Orders open",
            Query(f"sum(max by (strategy) ({metric('keeper_strategy_order', OPEN)}))"),
            "Strategies that were told to unwind and are not done.",
            width=4,
            thresholds=steps((None, GREEN), (1, AMBER)),
        ),
        number(
            "Oldest open order",
            Query(f"time() - min({metric('keeper_strategy_order_open_since_timestamp_seconds')} > 0)"),
            "Since when. The redemption queue alone takes seven days.",
            unit=SECONDS_UNIT,
            decimals=0,
            width=4,
            thresholds=steps((None, GREEN), (8 * DAY, AMBER), (9 * DAY, RED)),
        ),
        number(
            "Doctor: blocking",
            Query(top("keeper_doctor_failing_checks", BLOCKING)),
            "Failing checks that keep something from being entered.",
            width=4,
            thresholds=steps((None, GREEN), (1, RED)),
        ),
        number(
            "Doctor: other",
            Query(top("keeper_doctor_failing_checks", COMFORT)),
            "Failing checks that block nothing.",
            width=4,
            thresholds=steps((None, GREEN), (1, AMBER)),
        ),
        number(
            "Doctor's complaint",
            Query(f"max by (check) ({metric('keeper_doctor_check_failing')})", "{{check}}"),
            "Each check that fails. keeper doctor says what to do.",
            width=4,
            mappings=words(v1=("fails", RED)),
        ),
        number(
            "Doctor looked",
            Query(f"time() - {top('keeper_doctor_last_look_timestamp_seconds')}"),
            "Since its last look at the market.",
            unit=SECONDS_UNIT,
            decimals=0,
            width=4,
        ),
    ]
