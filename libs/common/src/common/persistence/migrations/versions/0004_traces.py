"""A message on its way out keeps the trace that it belongs to, and a signal the one that it began in.

The figures of a day and of an hour, which rails and gauges read every few seconds, get indexes.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("traceparent", sa.Text(), nullable=True), schema="watchlist")
    op.add_column("live_trade_signal", sa.Column("traceparent", sa.Text(), nullable=True), schema="watchlist")
    op.create_index(
        "live_trade_signal_finalised",
        "live_trade_signal",
        ["finalised_at"],
        schema="watchlist",
        postgresql_where=sa.text("finalised_at IS NOT NULL"),
    )
    op.create_index(
        "live_trade_order_unwinds",
        "live_trade_order",
        ["intended_at"],
        schema="watchlist",
        postgresql_where=sa.text("purpose = 'unwind'"),
    )


def downgrade() -> None:
    op.drop_index("live_trade_order_unwinds", "live_trade_order", schema="watchlist")
    op.drop_index("live_trade_signal_finalised", "live_trade_signal", schema="watchlist")
    op.drop_column("live_trade_signal", "traceparent", schema="watchlist")
    op.drop_column("outbox", "traceparent", schema="watchlist")
