"""Leadership, intents, attempts, ledger, running sums."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    exact = sa.Numeric(30, 0) if postgresql else sa.Text()
    sequence = sa.BigInteger() if postgresql else sa.Integer()
    leadership = op.create_table(
        "leadership",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.CheckConstraint("id = 1", name="leadership_is_one_row"),
    )
    op.bulk_insert(leadership, [{"id": 1, "holder": "", "epoch": 0, "expires_at": 0.0}])
    probe = op.create_table(
        "probe",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("written_at", sa.Double, nullable=False),
        sa.CheckConstraint("id = 1", name="probe_is_one_row"),
    )
    op.bulk_insert(probe, [{"id": 1, "written_at": 0.0}])
    op.create_table(
        "intents",
        sa.Column("seq", sequence, primary_key=True),
        sa.Column("intent_id", sa.Text, nullable=False),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("decided_slot", sa.BigInteger, nullable=False),
        sa.Column("leader_epoch", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.Double, nullable=False),
        sa.UniqueConstraint("intent_id", name="intents_intent_id"),
    )
    op.create_table(
        "attempts",
        sa.Column("seq", sequence, primary_key=True),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column(
            "intent_id", sa.Text, sa.ForeignKey("intents.intent_id", name="attempts_of_an_intent"), nullable=False
        ),
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
    live = sa.text("state IN ('signed', 'landed')")
    signed = sa.text("state = 'signed'")
    op.create_index(
        "attempts_one_live_per_intent",
        "attempts",
        ["intent_id"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_index("attempts_signed", "attempts", ["seq"], sqlite_where=signed, postgresql_where=signed)
    op.create_table(
        "ledger",
        sa.Column("seq", sequence, primary_key=True),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("slot", sa.BigInteger, nullable=False),
        sa.Column("block_time", sa.BigInteger, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("delta", exact, nullable=False),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.UniqueConstraint("signature", "account", "asset", "kind", name="ledger_entry"),
        sa.CheckConstraint("kind IN ('opening', 'fee', 'trade', 'external')", name="ledger_known_kind"),
    )
    op.create_table(
        "balances",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("asset", sa.Text, primary_key=True),
        sa.Column("balance", exact, nullable=False),
    )
    op.create_table(
        "totals",
        sa.Column("strategy", sa.Text, primary_key=True),
        sa.Column("landed", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("expired", sa.BigInteger, nullable=False),
        sa.Column("fees", exact, nullable=False),
    )
