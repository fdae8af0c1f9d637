"""The first schema.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=True),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("signal_id", sa.BigInteger(), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="watchlist",
    )
    op.create_index(
        "audit_event",
        "audit",
        ["event_id", "id"],
        unique=False,
        schema="watchlist",
        postgresql_where=sa.text("event_id IS NOT NULL"),
    )
    op.create_index("audit_service", "audit", ["service", "id"], unique=False, schema="watchlist")
    op.create_index(
        "audit_signal",
        "audit",
        ["signal_id", "id"],
        unique=False,
        schema="watchlist",
        postgresql_where=sa.text("signal_id IS NOT NULL"),
    )
    op.create_table(
        "live_trade_error",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.BigInteger(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="watchlist",
    )
    op.create_index("live_trade_error_signal", "live_trade_error", ["signal_id"], unique=False, schema="watchlist")
    op.create_table(
        "live_trade_signal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("order_key", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("long_venue", sa.Text(), nullable=False),
        sa.Column("short_venue", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reason_evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pnl_hat", sa.Float(), nullable=True),
        sa.Column("win_prob", sa.Float(), nullable=True),
        sa.Column("prediction_source", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("take_profit_pnl", sa.Float(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("force_close_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.Column("close_evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finalised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fees_usdt", sa.Numeric(), nullable=True),
        sa.Column("funding_usdt", sa.Numeric(), nullable=True),
        sa.Column("spread_pnl_usdt", sa.Numeric(), nullable=True),
        sa.Column("net_pnl_usdt", sa.Numeric(), nullable=True),
        sa.Column(
            "payload", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until_seconds", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "status IN ('new', 'skipped', 'expired', 'opening', 'open', 'closing', 'closed', 'failed')",
            name="status_known",
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id"),
        sa.UniqueConstraint("order_key"),
        schema="watchlist",
    )
    op.create_index(
        "live_trade_signal_due",
        "live_trade_signal",
        ["next_attempt_at"],
        unique=False,
        schema="watchlist",
        postgresql_where=sa.text("status = 'skipped'"),
    )
    op.create_index(
        "live_trade_signal_one_active",
        "live_trade_signal",
        ["symbol"],
        unique=True,
        schema="watchlist",
        postgresql_where=sa.text("status IN ('opening', 'open', 'closing')"),
    )
    op.create_index("live_trade_signal_status", "live_trade_signal", ["status", "id"], unique=False, schema="watchlist")
    op.create_index("live_trade_signal_symbol", "live_trade_signal", ["symbol", "id"], unique=False, schema="watchlist")
    op.create_index(
        "live_trade_signal_unfinalised",
        "live_trade_signal",
        ["id"],
        unique=False,
        schema="watchlist",
        postgresql_where=sa.text("status IN ('closed', 'failed') AND finalised_at IS NULL"),
    )
    op.create_table(
        "live_trade_venue_position",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("venue", "symbol"),
        schema="watchlist",
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id"),
        schema="watchlist",
    )
    op.create_index("outbox_age", "outbox", ["created_at"], unique=False, schema="watchlist", postgresql_using="brin")
    op.create_index(
        "outbox_unpublished",
        "outbox",
        ["service", "id"],
        unique=False,
        schema="watchlist",
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.create_table(
        "trading_state",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('active', 'reducing', 'halted')", name="state_known"),
        sa.CheckConstraint("id = 1", name="one_row"),
        sa.PrimaryKeyConstraint("id"),
        schema="watchlist",
    )
    op.create_table(
        "watch_observation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("long_venue", sa.Text(), nullable=False),
        sa.Column("short_venue", sa.Text(), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spread", sa.Float(), nullable=False),
        sa.Column("triggered", sa.Boolean(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("observation", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="watchlist",
    )
    op.create_index(
        "watch_observation_age",
        "watch_observation",
        ["observed_at"],
        unique=False,
        schema="watchlist",
        postgresql_using="brin",
    )
    op.create_index(
        "watch_observation_pair",
        "watch_observation",
        ["symbol", "long_venue", "short_venue", "observed_at"],
        unique=False,
        schema="watchlist",
    )
    op.create_table(
        "watch_signal_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("long_venue", sa.Text(), nullable=False),
        sa.Column("short_venue", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("merged", sa.Boolean(), nullable=False),
        sa.Column("observations", sa.BigInteger(), nullable=False),
        sa.Column("first_observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("factors", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("last_observation", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("pnl_hat", sa.Float(), nullable=True),
        sa.Column("win_prob", sa.Float(), nullable=True),
        sa.Column("horizon_min", sa.Float(), nullable=True),
        sa.Column("prediction_source", sa.Text(), nullable=True),
        sa.CheckConstraint("status IN ('forming', 'open', 'closed')", name="status_known"),
        sa.PrimaryKeyConstraint("id"),
        schema="watchlist",
    )
    op.create_index(
        "watch_signal_event_one_live",
        "watch_signal_event",
        ["symbol", "type", "long_venue", "short_venue"],
        unique=True,
        schema="watchlist",
        postgresql_where=sa.text("merged AND status IN ('forming', 'open')"),
    )
    op.create_index(
        "watch_signal_event_pair",
        "watch_signal_event",
        ["symbol", "long_venue", "short_venue", "last_observed_at"],
        unique=False,
        schema="watchlist",
    )
    op.create_index(
        "watch_signal_event_quiet",
        "watch_signal_event",
        ["last_observed_at"],
        unique=False,
        schema="watchlist",
        postgresql_where=sa.text("status <> 'closed'"),
    )
    op.create_table(
        "live_trade_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("signal_id", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("planned_quantity", sa.Numeric(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=True),
        sa.Column("notional_usdt", sa.Numeric(), nullable=True),
        sa.Column("entry_spread_metric", sa.Float(), nullable=True),
        sa.Column("entry_spread_pct", sa.Float(), nullable=True),
        sa.Column("pnl_hat", sa.Float(), nullable=False),
        sa.Column("win_prob", sa.Float(), nullable=False),
        sa.Column("snapshot", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("filled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('opening', 'filled', 'failed')", name="status_known"),
        sa.ForeignKeyConstraint(
            ["signal_id"],
            ["watchlist.live_trade_signal.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("signal_id", "entry"),
        schema="watchlist",
    )
    op.create_table(
        "live_trade_funding",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("signal_id", sa.BigInteger(), nullable=False),
        sa.Column("leg", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("amount_usdt", sa.Numeric(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["signal_id"],
            ["watchlist.live_trade_signal.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("venue", "symbol", "payment_id"),
        schema="watchlist",
    )
    op.create_index("live_trade_funding_signal", "live_trade_funding", ["signal_id"], unique=False, schema="watchlist")
    op.create_table(
        "live_trade_order",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("signal_id", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.SmallInteger(), nullable=False),
        sa.Column("leg", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("reduce_only", sa.Boolean(), nullable=False),
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
        sa.Column("booked_quantity", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "status IN ('intent', 'working', 'unknown', 'filled', 'partly_filled', 'cancelled', 'rejected', 'not_sent')",
            name="status_known",
        ),
        sa.ForeignKeyConstraint(
            ["signal_id"],
            ["watchlist.live_trade_signal.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_order_id"),
        schema="watchlist",
    )
    op.create_index("live_trade_order_signal", "live_trade_order", ["signal_id"], unique=False, schema="watchlist")
    op.create_index(
        "live_trade_order_unbooked",
        "live_trade_order",
        ["signal_id"],
        unique=False,
        schema="watchlist",
        postgresql_where=sa.text("booked_quantity <> filled_quantity"),
    )
    op.create_index(
        "live_trade_order_unresolved",
        "live_trade_order",
        ["signal_id"],
        unique=False,
        schema="watchlist",
        postgresql_where=sa.text("status IN ('intent', 'working', 'unknown')"),
    )
    op.create_index(
        "live_trade_order_venue_id", "live_trade_order", ["venue", "venue_order_id"], unique=False, schema="watchlist"
    )
    op.create_table(
        "live_trade_spread_sample",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("signal_id", sa.BigInteger(), nullable=False),
        sa.Column("sampled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("long_sell", sa.Numeric(), nullable=True),
        sa.Column("short_buy", sa.Numeric(), nullable=True),
        sa.Column("spread_now", sa.Float(), nullable=True),
        sa.Column("exit_spread_pct", sa.Float(), nullable=True),
        sa.Column("pnl_spread", sa.Float(), nullable=True),
        sa.Column("position_pnl_usdt", sa.Numeric(), nullable=True),
        sa.Column("total_pnl_usdt", sa.Numeric(), nullable=True),
        sa.Column("pnl_complete", sa.Boolean(), nullable=False),
        sa.Column("funding_per_hour", sa.Float(), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["signal_id"],
            ["watchlist.live_trade_signal.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="watchlist",
    )
    op.create_index(
        "live_trade_spread_sample_signal",
        "live_trade_spread_sample",
        ["signal_id", "id"],
        unique=False,
        schema="watchlist",
    )
    op.create_table(
        "live_trade_fill",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("signal_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("fill_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("fee_usdt", sa.Numeric(), nullable=True),
        sa.Column("traded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["watchlist.live_trade_order.id"],
        ),
        sa.ForeignKeyConstraint(
            ["signal_id"],
            ["watchlist.live_trade_signal.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("venue", "symbol", "fill_id"),
        schema="watchlist",
    )
    op.create_index(
        "live_trade_fill_no_fee",
        "live_trade_fill",
        ["signal_id"],
        unique=False,
        schema="watchlist",
        postgresql_where=sa.text("fee_usdt IS NULL"),
    )
    op.create_index("live_trade_fill_signal", "live_trade_fill", ["signal_id"], unique=False, schema="watchlist")


def downgrade() -> None:
    op.drop_index("live_trade_fill_no_fee", table_name="live_trade_fill", schema="watchlist")
    op.drop_index("live_trade_fill_signal", table_name="live_trade_fill", schema="watchlist")
    op.drop_table("live_trade_fill", schema="watchlist")
    op.drop_index("live_trade_spread_sample_signal", table_name="live_trade_spread_sample", schema="watchlist")
    op.drop_table("live_trade_spread_sample", schema="watchlist")
    op.drop_index("live_trade_order_venue_id", table_name="live_trade_order", schema="watchlist")
    op.drop_index("live_trade_order_unbooked", table_name="live_trade_order", schema="watchlist")
    op.drop_index(
        "live_trade_order_unresolved",
        table_name="live_trade_order",
        schema="watchlist",
        postgresql_where=sa.text("status IN ('intent', 'working', 'unknown')"),
    )
    op.drop_index("live_trade_order_signal", table_name="live_trade_order", schema="watchlist")
    op.drop_table("live_trade_order", schema="watchlist")
    op.drop_index("live_trade_funding_signal", table_name="live_trade_funding", schema="watchlist")
    op.drop_table("live_trade_funding", schema="watchlist")
    op.drop_table("live_trade_entry", schema="watchlist")
    op.drop_index("watch_signal_event_pair", table_name="watch_signal_event", schema="watchlist")
    op.drop_index(
        "watch_signal_event_quiet",
        table_name="watch_signal_event",
        schema="watchlist",
        postgresql_where=sa.text("status <> 'closed'"),
    )
    op.drop_index(
        "watch_signal_event_one_live",
        table_name="watch_signal_event",
        schema="watchlist",
        postgresql_where=sa.text("merged AND status IN ('forming', 'open')"),
    )
    op.drop_table("watch_signal_event", schema="watchlist")
    op.drop_index("watch_observation_age", table_name="watch_observation", schema="watchlist", postgresql_using="brin")
    op.drop_index("watch_observation_pair", table_name="watch_observation", schema="watchlist")
    op.drop_table("watch_observation", schema="watchlist")
    op.drop_table("trading_state", schema="watchlist")
    op.drop_index(
        "outbox_unpublished", table_name="outbox", schema="watchlist", postgresql_where=sa.text("published_at IS NULL")
    )
    op.drop_index("outbox_age", table_name="outbox", schema="watchlist", postgresql_using="brin")
    op.drop_table("outbox", schema="watchlist")
    op.drop_table("live_trade_venue_position", schema="watchlist")
    op.drop_index(
        "live_trade_signal_unfinalised",
        table_name="live_trade_signal",
        schema="watchlist",
        postgresql_where=sa.text("status IN ('closed', 'failed') AND finalised_at IS NULL"),
    )
    op.drop_index("live_trade_signal_symbol", table_name="live_trade_signal", schema="watchlist")
    op.drop_index("live_trade_signal_status", table_name="live_trade_signal", schema="watchlist")
    op.drop_index(
        "live_trade_signal_one_active",
        table_name="live_trade_signal",
        schema="watchlist",
        postgresql_where=sa.text("status IN ('opening', 'open', 'closing')"),
    )
    op.drop_index(
        "live_trade_signal_due",
        table_name="live_trade_signal",
        schema="watchlist",
        postgresql_where=sa.text("status = 'skipped'"),
    )
    op.drop_table("live_trade_signal", schema="watchlist")
    op.drop_index("live_trade_error_signal", table_name="live_trade_error", schema="watchlist")
    op.drop_table("live_trade_error", schema="watchlist")
    op.drop_index(
        "audit_signal", table_name="audit", schema="watchlist", postgresql_where=sa.text("signal_id IS NOT NULL")
    )
    op.drop_index("audit_service", table_name="audit", schema="watchlist")
    op.drop_index(
        "audit_event", table_name="audit", schema="watchlist", postgresql_where=sa.text("event_id IS NOT NULL")
    )
    op.drop_table("audit", schema="watchlist")
