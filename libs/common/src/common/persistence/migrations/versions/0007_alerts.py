"""Alerts: what people are told, once for all gateways, and how far that has come.

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SCHEMA = "watchlist"
READERS = ("signal_ingest", "executor", "position_monitor", "api_gateway")
WRITER = "api_gateway"


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_at_seconds", sa.Float(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at_seconds", sa.Float(), nullable=False),
        sa.Column(
            "delivered_to", sa.ARRAY(sa.SmallInteger()), server_default=sa.text("'{}'::smallint[]"), nullable=False
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'delivered', 'throttled', 'unwanted', 'given_up')", name="state_known"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
        schema=SCHEMA,
    )
    op.create_index(
        "alert_due",
        "alert",
        ["next_attempt_at_seconds"],
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("alert_about", "alert", ["about", "id"], schema=SCHEMA)
    op.create_index("alert_age", "alert", ["raised_at_seconds"], schema=SCHEMA)
    for service in READERS:
        op.execute(f"GRANT SELECT ON {SCHEMA}.alert TO tandem_{service}")
    op.execute(f"GRANT INSERT, UPDATE, DELETE ON {SCHEMA}.alert TO tandem_{WRITER}")


def downgrade() -> None:
    op.drop_table("alert", schema=SCHEMA)
