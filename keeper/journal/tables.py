"""The tables as SQLAlchemy sees them. The migrations create them; a test holds the two against each other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

DIGITS = 30  # of an exact integer: sums of u64 amounts, with room


class ExactInteger(TypeDecorator[int]):
    """An integer beyond 64 bits, exact on both databases: NUMERIC(30, 0) on PostgreSQL, decimal text on SQLite.

    SQLite's integers end at 2**63 - 1, below the u64 token amounts of the chain, and its NUMERIC affinity turns larger ones
    into floats. Sums are therefore made in Python, never by SQL.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.Numeric(DIGITS, 0))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return Decimal(value) if dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002 - the base's signature
        return None if value is None else int(value)


metadata = sa.MetaData()

# SQLite counts rows by itself only for a column declared exactly INTEGER PRIMARY KEY.
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

leadership = sa.Table(
    "leadership",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("holder", sa.Text, nullable=False),  # empty when the leadership is free
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.CheckConstraint("id = 1", name="leadership_is_one_row"),
)

probe = sa.Table(
    "probe",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("written_at", sa.Double, nullable=False),
    sa.CheckConstraint("id = 1", name="probe_is_one_row"),
)

intents = sa.Table(
    "intents",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True),
    sa.Column("intent_id", sa.Text, nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("decided_slot", sa.BigInteger, nullable=False),
    sa.Column("leader_epoch", sa.BigInteger, nullable=False),
    sa.Column("recorded_at", sa.Double, nullable=False),
    sa.UniqueConstraint("intent_id", name="intents_intent_id"),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("intent_id", sa.Text, sa.ForeignKey("intents.intent_id", name="attempts_of_an_intent"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("last_valid_block_height", sa.BigInteger, nullable=False),
    sa.Column("signed_slot", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("landed_slot", sa.BigInteger),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("fee", sa.BigInteger, nullable=False),
    sa.Column("leader_epoch", sa.BigInteger, nullable=False),
    sa.Column("recorded_at", sa.Double, nullable=False),
    sa.Column("resolved_at", sa.Double),
    sa.UniqueConstraint("signature", name="attempts_signature"),
    sa.UniqueConstraint("intent_id", "number", name="attempts_number"),
    sa.CheckConstraint("state IN ('signed', 'landed', 'failed', 'expired')", name="attempts_known_state"),
)

# The law of the whole product, held by the database itself: at most one attempt per intent that may or did execute.
LIVE = sa.text("state IN ('signed', 'landed')")
sa.Index(
    "attempts_one_live_per_intent",
    attempts.c.intent_id,
    unique=True,
    sqlite_where=LIVE,
    postgresql_where=LIVE,
)
SIGNED = sa.text("state = 'signed'")
sa.Index("attempts_signed", attempts.c.seq, sqlite_where=SIGNED, postgresql_where=SIGNED)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("slot", sa.BigInteger, nullable=False),
    sa.Column("block_time", sa.BigInteger, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("asset", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("delta", ExactInteger, nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.UniqueConstraint("signature", "account", "asset", "kind", name="ledger_entry"),
    sa.CheckConstraint("kind IN ('opening', 'fee', 'trade', 'external')", name="ledger_known_kind"),
)

# Running sums, changed in the transaction that books: reading them must not cost more after a year than on the first day.
balances = sa.Table(
    "balances",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("asset", sa.Text, primary_key=True),
    sa.Column("balance", ExactInteger, nullable=False),
)

totals = sa.Table(
    "totals",
    metadata,
    sa.Column("strategy", sa.Text, primary_key=True),
    sa.Column("landed", sa.BigInteger, nullable=False),
    sa.Column("failed", sa.BigInteger, nullable=False),
    sa.Column("expired", sa.BigInteger, nullable=False),
    sa.Column("fees", ExactInteger, nullable=False),
)

# What of each balance a strategy may call its own (``keeper.journal.shares``), kept beside the balances.
shares = sa.Table(
    "shares",
    metadata,
    sa.Column("strategy", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("asset", sa.Text, primary_key=True),
    sa.Column("units", ExactInteger, nullable=False),
)

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.Column("slot", sa.BigInteger, nullable=False),
    sa.Column("block_time", sa.BigInteger, nullable=False),
    sa.Column("mint", sa.Text, nullable=False),
    sa.Column("units", ExactInteger, nullable=False),
)

landings = sa.Table(
    "landings",
    metadata,
    sa.Column("strategy", sa.Text, primary_key=True),
    sa.Column("slot", sa.BigInteger, nullable=False),
    sa.Column("block_time", sa.BigInteger, nullable=False),
)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("placed_at", sa.Double, nullable=False),
    sa.Column("done_at", sa.Double),
    sa.Column("cancelled_at", sa.Double),
    sa.CheckConstraint("kind IN ('unwind')", name="orders_known_kind"),
)
IN_EFFECT = sa.text("cancelled_at IS NULL")
sa.Index("orders_one_in_effect", orders.c.strategy, unique=True, sqlite_where=IN_EFFECT, postgresql_where=IN_EFFECT)

# A rate is lamports over base units, as the chain's integers.
epoch_rates = sa.Table(
    "epoch_rates",
    metadata,
    sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("ssol_lamports", ExactInteger, nullable=False),
    sa.Column("ssol_units", ExactInteger, nullable=False),
    sa.Column("glowsol_lamports", ExactInteger),
    sa.Column("glowsol_units", ExactInteger),
)

borrow_samples = sa.Table(
    "borrow_samples",
    metadata,
    sa.Column("market", sa.Text, primary_key=True),
    sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("rate", sa.BigInteger, nullable=False),
)

# Lookup tables of the keeper's own, written down before they are created (``keeper.journal.lookup_tables``).
lookup_tables = sa.Table(
    "lookup_tables",
    metadata,
    sa.Column("address", sa.Text, primary_key=True),
    sa.Column("authority", sa.Text, nullable=False),
    sa.Column("recent_slot", sa.BigInteger, nullable=False),
    sa.Column("recorded_at", sa.Double, nullable=False),
    sa.Column("retired_at", sa.Double),
)
