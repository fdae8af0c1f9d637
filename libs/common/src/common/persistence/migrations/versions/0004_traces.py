"""A message on its way out keeps the trace that it belongs to, and a signal the one that it began in.

Revision: 0004, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("traceparent", sa.Text(), nullable=True), schema="watchlist")
    op.add_column("live_trade_signal", sa.Column("traceparent", sa.Text(), nullable=True), schema="watchlist")


def downgrade() -> None:
    op.drop_column("live_trade_signal", "traceparent", schema="watchlist")
    op.drop_column("outbox", "traceparent", schema="watchlist")
