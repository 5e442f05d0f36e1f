"""Who owns what (made from the entries that are there), the operator's orders, and the rates of the past."""

import json
from collections import defaultdict

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables and fill those that follow from what is booked."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    exact = sa.Numeric(30, 0) if postgresql else sa.Text()
    sequence = sa.BigInteger() if postgresql else sa.Integer()
    shares = op.create_table(
        "shares",
        sa.Column("strategy", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("asset", sa.Text, primary_key=True),
        sa.Column("units", exact, nullable=False),
    )
    requests = op.create_table(
        "requests",
        sa.Column("seq", sequence, primary_key=True),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("slot", sa.BigInteger, nullable=False),
        sa.Column("block_time", sa.BigInteger, nullable=False),
        sa.Column("mint", sa.Text, nullable=False),
        sa.Column("units", exact, nullable=False),
    )
    landings = op.create_table(
        "landings",
        sa.Column("strategy", sa.Text, primary_key=True),
        sa.Column("slot", sa.BigInteger, nullable=False),
        sa.Column("block_time", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("seq", sequence, primary_key=True),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("placed_at", sa.Double, nullable=False),
        sa.Column("done_at", sa.Double),
        sa.Column("cancelled_at", sa.Double),
        sa.CheckConstraint("kind IN ('unwind')", name="orders_known_kind"),
    )
    in_effect = sa.text("cancelled_at IS NULL")
    op.create_index(
        "orders_one_in_effect",
        "orders",
        ["strategy"],
        unique=True,
        sqlite_where=in_effect,
        postgresql_where=in_effect,
    )
    op.create_table(
        "epoch_rates",
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("ssol_lamports", exact, nullable=False),
        sa.Column("ssol_units", exact, nullable=False),
        sa.Column("glowsol_lamports", exact),
        sa.Column("glowsol_units", exact),
    )
    op.create_table(
        "borrow_samples",
        sa.Column("market", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rate", sa.BigInteger, nullable=False),
    )
    owned = _owned()
    rows = [
        {"strategy": strategy, "account": account, "asset": asset, "units": units if postgresql else str(units)}
        for (account, asset), by_strategy in sorted(owned.items())
        for strategy, units in sorted(by_strategy.items())
    ]
    if rows:
        op.bulk_insert(shares, rows)
    asked, newest = _landed()
    if asked:
        op.bulk_insert(requests, [row | {"units": row["units"] if postgresql else str(row["units"])} for row in asked])
    if newest:
        op.bulk_insert(landings, [newest[strategy] for strategy in sorted(newest)])


def _owned() -> dict[tuple[str, str], dict[str, int]]:
    """The shares as booking would have moved them, one transaction after the other."""
    ledger = sa.table("ledger", *map(sa.column, ("seq", "signature", "account", "asset", "delta", "strategy")))
    owned: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    balances: dict[tuple[str, str], int] = defaultdict(int)
    moving: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    last = None

    def settle() -> None:
        for at, by_strategy in moving.items():
            balances[at] += sum(by_strategy.values())
            mine = owned[at]
            for strategy, change in by_strategy.items():
                if strategy:
                    mine[strategy] = mine.get(strategy, 0) + change
            if at[1] == "lamports":
                continue
            for strategy in mine:
                mine[strategy] = max(mine[strategy], 0)
            excess = sum(mine.values()) - max(balances[at], 0)
            for strategy in sorted(mine, key=lambda one: (-mine[one], one)):
                given = max(min(excess, mine[strategy]), 0)
                mine[strategy] -= given
                excess -= given
        moving.clear()

    for row in op.get_bind().execute(sa.select(ledger).order_by(ledger.c.seq)):
        if row.signature != last:
            settle()
            last = row.signature
        moving[row.account, row.asset][row.strategy] += int(row.delta)
    settle()
    return owned


def _landed() -> tuple[list[dict[str, object]], dict[str, dict[str, object]]]:
    """Requests for the slow way out in the order they landed, and each strategy's newest landing."""
    statement = sa.text(
        "SELECT attempts.signature AS signature, attempts.landed_slot AS slot, intents.strategy AS strategy, "
        "intents.body AS body, (SELECT MIN(ledger.block_time) FROM ledger WHERE ledger.signature = attempts.signature) "
        "AS block_time FROM attempts JOIN intents ON intents.intent_id = attempts.intent_id "
        "WHERE attempts.state = 'landed' ORDER BY attempts.landed_slot, attempts.seq"
    )
    asked: list[dict[str, object]] = []
    newest: dict[str, dict[str, object]] = {}
    for row in op.get_bind().execute(statement):
        if row.block_time is None:
            continue
        landing = {"strategy": row.strategy, "slot": row.slot, "block_time": row.block_time}
        newest[row.strategy] = landing
        if '"RequestUnstake"' not in row.body:
            continue
        for intent in json.loads(row.body)["intents"]:
            if intent["type"] == "RequestUnstake":
                units, _, mint = intent["spend"].partition("@")
                asked.append(landing | {"signature": row.signature, "mint": mint, "units": int(units)})
    return asked, newest
