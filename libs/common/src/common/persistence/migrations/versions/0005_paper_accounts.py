"""Paper accounts in a schema of their own, and the mode that a database belongs to for ever.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("account", "position", "order", "fill", "funding")


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS paper")
    op.create_table(
        "account",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("balance_usdt", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("venue"),
        schema="paper",
    )
    op.create_table(
        "position",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("entry_price", sa.Numeric(), nullable=False),
        sa.Column("leverage", sa.Integer(), nullable=False),
        sa.Column("funding_rate", sa.Float(), nullable=True),
        sa.Column("funding_interval_hours", sa.Float(), nullable=True),
        sa.Column("funding_next_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("venue", "symbol"),
        schema="paper",
    )
    op.create_table(
        "order",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("reduce_only", sa.Boolean(), nullable=False),
        sa.Column("filled_quantity", sa.Numeric(), nullable=False),
        sa.Column("average_price", sa.Numeric(), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("venue", "client_order_id"),
        schema="paper",
    )
    op.create_table(
        "fill",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("fee_usdt", sa.Numeric(), nullable=False),
        sa.Column("traded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["order_id"], ["paper.order.id"]),
        schema="paper",
    )
    op.create_index("fill_symbol", "fill", ["venue", "symbol", "traded_at"], schema="paper")
    op.create_table(
        "funding",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("amount_usdt", sa.Numeric(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("venue", "symbol", "settled_at"),
        schema="paper",
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("id = 1", name="one_row"),
        sa.CheckConstraint("mode IN ('paper', 'live')", name="mode_known"),
        schema="watchlist",
    )
    op.execute("GRANT SELECT ON watchlist.installation TO tandem_signal_ingest, tandem_position_monitor")
    op.execute("GRANT SELECT ON watchlist.installation TO tandem_api_gateway")
    op.execute("GRANT SELECT, INSERT ON watchlist.installation TO tandem_executor")
    op.execute("GRANT USAGE ON SCHEMA paper TO tandem_executor")
    for table in TABLES:
        op.execute(f'GRANT SELECT, INSERT ON paper."{table}" TO tandem_executor')
    op.execute("GRANT UPDATE ON paper.account, paper.position TO tandem_executor")
    op.execute(
        "INSERT INTO watchlist.installation (id, mode, begun_at) "
        "SELECT 1, mode, created_at FROM watchlist.live_trade_signal ORDER BY id LIMIT 1"
    )


def downgrade() -> None:
    op.drop_table("installation", schema="watchlist")
    for table in reversed(TABLES):
        op.drop_table(table, schema="paper")
    op.execute("DROP SCHEMA paper")
