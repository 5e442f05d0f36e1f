"""The lookup tables that ``keeper setup`` makes: their addresses are written before they exist."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table; no journal before this one knows of any."""
    op.create_table(
        "lookup_tables",
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("authority", sa.Text, nullable=False),
        sa.Column("recent_slot", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.Double, nullable=False),
        sa.Column("retired_at", sa.Double),
    )
