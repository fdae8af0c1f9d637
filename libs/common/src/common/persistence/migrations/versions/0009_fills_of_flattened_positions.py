"""Fills and fees of the orders that flattened what no trade holds.

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SCHEMA = "watchlist"
TABLE = "operator_flatten_fill"
READERS = ("signal_ingest", "executor", "position_monitor", "api_gateway")
WRITER = "executor"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("fill_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("fee_usdt", sa.Numeric(), nullable=True),
        sa.Column("traded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], [f"{SCHEMA}.operator_flatten_order.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("venue", "symbol", "fill_id"),
        schema=SCHEMA,
    )
    op.create_index(f"{TABLE}_order", TABLE, ["order_id"], schema=SCHEMA)
    for service in READERS:
        op.execute(f"GRANT SELECT ON {SCHEMA}.{TABLE} TO tandem_{service}")
    op.execute(f"GRANT INSERT, UPDATE (fee_usdt) ON {SCHEMA}.{TABLE} TO tandem_{WRITER}")


def downgrade() -> None:
    op.drop_table(TABLE, schema=SCHEMA)
