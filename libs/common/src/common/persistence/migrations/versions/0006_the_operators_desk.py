"""What the operator's desk needs: sessions, answers kept by Idempotency-Key, flattened positions, indexes of filters.

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SCHEMA = "watchlist"
SERVICES = ("signal_ingest", "executor", "position_monitor", "api_gateway")
OWNER = {
    "operator_session": "api_gateway",
    "command_answer": "api_gateway",
    "operator_flatten": "executor",
    "operator_flatten_order": "executor",
}
FORGETS = ("operator_session", "command_answer")
INDEXES = {
    "watch_signal_event": {
        "status": "status",
        "symbol": "symbol",
        "long_venue": "long_venue",
        "short_venue": "short_venue",
        "age": "first_observed_at",
    },
    "live_trade_signal": {
        "long_venue": "long_venue",
        "short_venue": "short_venue",
        "reason": "reason",
        "age": "created_at",
    },
    "live_trade_order": {"venue": "venue", "symbol": "symbol", "status": "status", "age": "intended_at"},
    "live_trade_error": {"kind": "kind", "age": "occurred_at"},
    "audit": {"decision": "decision", "age": "decided_at"},
}
"""Of each table: the index's name after the table's, and its first column; the second is the id."""


def upgrade() -> None:
    _gateway_tables()
    _executor_tables()
    for table, writer in OWNER.items():
        for service in SERVICES:
            op.execute(f"GRANT SELECT ON {SCHEMA}.{table} TO tandem_{service}")
        op.execute(f"GRANT INSERT, UPDATE ON {SCHEMA}.{table} TO tandem_{writer}")
    for table in FORGETS:
        op.execute(f"GRANT DELETE ON {SCHEMA}.{table} TO tandem_{OWNER[table]}")
    for table, indexes in INDEXES.items():
        for name, column in indexes.items():
            op.create_index(f"{table}_{name}", table, [column, "id"], schema=SCHEMA)


def downgrade() -> None:
    for table, indexes in INDEXES.items():
        for name in indexes:
            op.drop_index(f"{table}_{name}", table, schema=SCHEMA)
    for table in reversed(OWNER):
        op.drop_table(table, schema=SCHEMA)


def _gateway_tables() -> None:
    op.create_table(
        "operator_session",
        sa.Column("session_sha256", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("expires_at_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("session_sha256"),
        schema=SCHEMA,
    )
    op.create_table(
        "command_answer",
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.Column("begun_at_seconds", sa.Float(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("who", "key"),
        schema=SCHEMA,
    )
    op.create_index("command_answer_age", "command_answer", ["begun_at_seconds"], schema=SCHEMA)


def _executor_tables() -> None:
    op.create_table(
        "operator_flatten",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("order_key", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('working', 'flat', 'not_flat', 'refused')", name="state_known"),
        sa.PrimaryKeyConstraint("request_id"),
        sa.UniqueConstraint("order_key"),
        schema=SCHEMA,
    )
    op.create_table(
        "operator_flatten_order",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("leg", sa.Text(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("reference_price", sa.Numeric(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("venue_order_id", sa.Text(), nullable=True),
        sa.Column("filled_quantity", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("average_price", sa.Numeric(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "written_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('intent', 'working', 'unknown', 'filled', 'partly_filled', 'cancelled', 'rejected', "
            "'not_sent')",
            name="status_known",
        ),
        sa.ForeignKeyConstraint(["request_id"], [f"{SCHEMA}.operator_flatten.request_id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_order_id"),
        schema=SCHEMA,
    )
    op.create_index("operator_flatten_order_request", "operator_flatten_order", ["request_id"], schema=SCHEMA)
