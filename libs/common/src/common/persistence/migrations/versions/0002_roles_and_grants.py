"""A role per service, with the least it needs: it reads everything and writes only its own tables.

What grows for ever is deleted by who wrote it once it is of no use: published messages, untriggered observations.

The roles can log in but have no password until whoever deploys sets one. They belong to the whole server, so a
downgrade takes their rights away and leaves the roles.

Revision: 0002, after 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OWNED_TABLES = {
    "tandem_signal_ingest": ["watch_observation", "watch_signal_event"],
    "tandem_executor": [
        "live_trade_signal",
        "live_trade_entry",
        "live_trade_order",
        "live_trade_fill",
        "live_trade_funding",
        "live_trade_venue_position",
        "trading_state",
    ],
    "tandem_position_monitor": ["live_trade_spread_sample"],
    "tandem_api_gateway": [],
}
APPEND_ONLY_TABLES = ["audit", "live_trade_error", "outbox"]


def upgrade() -> None:
    for role, tables in OWNED_TABLES.items():
        op.execute(
            f"DO $$ BEGIN CREATE ROLE {role} LOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
        op.execute(f"GRANT USAGE ON SCHEMA watchlist TO {role}")
        op.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA watchlist TO {role}")
        for table in APPEND_ONLY_TABLES:
            op.execute(f"GRANT INSERT ON watchlist.{table} TO {role}")
        op.execute(f"GRANT UPDATE (published_at), DELETE ON watchlist.outbox TO {role}")
        for table in tables:
            op.execute(f"GRANT INSERT, UPDATE ON watchlist.{table} TO {role}")
    op.execute("GRANT DELETE ON watchlist.live_trade_venue_position TO tandem_executor")
    op.execute("GRANT DELETE ON watchlist.watch_observation TO tandem_signal_ingest")
    op.execute(
        "INSERT INTO watchlist.trading_state (id, state, reason, changed_by) "
        "VALUES (1, 'active', 'first installation', 'migration')"
    )


def downgrade() -> None:
    op.execute("DELETE FROM watchlist.trading_state")
    for role in OWNED_TABLES:
        op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA watchlist FROM {role}")
        op.execute(f"REVOKE USAGE ON SCHEMA watchlist FROM {role}")
