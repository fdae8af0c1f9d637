"""Counterfactuals: what skipped signals would have made.

Revision: 0008, after 0007
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SCHEMA = "watchlist"
TABLE = "live_trade_counterfactual"
READERS = ("signal_ingest", "executor", "position_monitor", "api_gateway")
WRITER = "position_monitor"
MARKS = ("best", "worst", "exit")


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("signal_id", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("long_venue", sa.Text(), nullable=False),
        sa.Column("short_venue", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("skipped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("width", sa.Float(), nullable=False),
        sa.Column("take_profit_pnl", sa.Float(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quantity", sa.Numeric(), nullable=True),
        sa.Column("long_buy", sa.Numeric(), nullable=True),
        sa.Column("short_sell", sa.Numeric(), nullable=True),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looks", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("missed_looks", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        *(column for mark in MARKS for column in _mark(mark)),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.Column("complete", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("status IN ('followed', 'over', 'no_entry', 'opened', 'displaced')", name="status_known"),
        sa.ForeignKeyConstraint(["signal_id"], [f"{SCHEMA}.live_trade_signal.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("signal_id"),
        schema=SCHEMA,
    )
    op.create_index(f"{TABLE}_followed", TABLE, ["id"], schema=SCHEMA, postgresql_where=sa.text("status = 'followed'"))
    op.create_index(f"{TABLE}_reason", TABLE, ["reason", "id"], schema=SCHEMA)
    op.create_index(f"{TABLE}_age", TABLE, ["skipped_at", "id"], schema=SCHEMA)
    for service in READERS:
        op.execute(f"GRANT SELECT ON {SCHEMA}.{TABLE} TO tandem_{service}")
    op.execute(f"GRANT INSERT, UPDATE ON {SCHEMA}.{TABLE} TO tandem_{WRITER}")


def downgrade() -> None:
    op.drop_table(TABLE, schema=SCHEMA)


def _mark(name: str) -> list[sa.Column[Any]]:
    """What closing at one moment would have made."""
    figures = [f"{name}_{figure}" for figure in ("long_sell", "short_buy", "pnl_usdt")]
    return [
        sa.Column(f"{name}_at", sa.DateTime(timezone=True), nullable=True),
        *(sa.Column(figure, sa.Numeric(), nullable=True) for figure in figures),
    ]
