"""The audit and the spread samples become partitioned by month, so that old history is dropped and not deleted.

The partitions are in a schema of their own, which no service's role may enter. What no month takes goes to the default
partition: nothing is lost where nobody makes months. Rows and ids survive in both directions.

What is written once (samples, observations, funding, all of a fill but its fee) can no longer be changed by who wrote
it, and nobody adds a second trading state.

Revision: 0003, after 0002
"""

from datetime import datetime

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIMES = {"audit": "decided_at", "live_trade_spread_sample": "sampled_at"}
INDEXES = (
    "CREATE INDEX audit_service ON watchlist.audit (service, id)",
    "CREATE INDEX audit_signal ON watchlist.audit (signal_id, id) WHERE signal_id IS NOT NULL",
    "CREATE INDEX audit_event ON watchlist.audit (event_id, id) WHERE event_id IS NOT NULL",
    "CREATE INDEX live_trade_spread_sample_signal ON watchlist.live_trade_spread_sample (signal_id, id)",
    "ALTER TABLE watchlist.live_trade_spread_sample ADD FOREIGN KEY (signal_id) REFERENCES watchlist.live_trade_signal",
)
WRITTEN_ONCE = {
    "live_trade_spread_sample": "tandem_position_monitor",
    "watch_observation": "tandem_signal_ingest",
    "live_trade_funding": "tandem_executor",
    "live_trade_fill": "tandem_executor",
}
ROLES = ("tandem_signal_ingest", "tandem_executor", "tandem_position_monitor", "tandem_api_gateway")


def upgrade() -> None:
    op.execute("CREATE SCHEMA watchlist_months")
    for table, time in TIMES.items():
        _set_aside(table)
        _create(table, f"id, {time}", f"PARTITION BY RANGE ({time})")
        op.execute(f"CREATE TABLE watchlist_months.{table}_default PARTITION OF watchlist.{table} DEFAULT")
        _create_months(table, time)
        _take_over(table)
    _index_and_grant()
    for table, role in WRITTEN_ONCE.items():
        op.execute(f"REVOKE UPDATE ON watchlist.{table} FROM {role}")
    op.execute("GRANT UPDATE (fee_usdt) ON watchlist.live_trade_fill TO tandem_executor")
    op.execute("REVOKE INSERT ON watchlist.trading_state FROM tandem_executor")


def downgrade() -> None:
    for table in TIMES:
        _set_aside(table)
        _create(table, "id", "")
        _take_over(table)
    _index_and_grant()
    for table, role in WRITTEN_ONCE.items():
        op.execute(f"GRANT UPDATE ON watchlist.{table} TO {role}")
    op.execute("REVOKE UPDATE (fee_usdt) ON watchlist.live_trade_fill FROM tandem_executor")
    op.execute("GRANT UPDATE ON watchlist.live_trade_fill TO tandem_executor")
    op.execute("GRANT INSERT ON watchlist.trading_state TO tandem_executor")
    op.execute("DROP SCHEMA watchlist_months")


def _set_aside(table: str) -> None:
    """With its indexes and its sequence, so that all of their names are free."""
    op.execute(f"ALTER TABLE watchlist.{table} SET SCHEMA watchlist_months")


def _create(table: str, key: str, partitioning: str) -> None:
    columns = f"LIKE watchlist_months.{table} INCLUDING IDENTITY"
    op.execute(f"CREATE TABLE watchlist.{table} ({columns}, PRIMARY KEY ({key})) {partitioning}")


def _create_months(table: str, time: str) -> None:
    month = f"date_trunc('month', {time} AT TIME ZONE 'UTC')"
    months = op.get_bind().exec_driver_sql(
        f"SELECT DISTINCT {month}, {month} + interval '1 month' FROM watchlist_months.{table}"
    )
    for first, end in months.all():
        op.execute(
            f"CREATE TABLE watchlist_months.{table}_{first:%Y_%m} PARTITION OF watchlist.{table} "
            f"FOR VALUES FROM ('{_utc(first)}') TO ('{_utc(end)}')"
        )


def _utc(moment: datetime) -> str:
    return f"{moment.isoformat()}Z"


def _take_over(table: str) -> None:
    """All rows with their ids, and where the ids go on."""
    op.execute(f"INSERT INTO watchlist.{table} OVERRIDING SYSTEM VALUE SELECT * FROM watchlist_months.{table}")
    sequence = f"{table}_id_seq"
    op.execute(f"SELECT setval('watchlist.{sequence}', last_value, is_called) FROM watchlist_months.{sequence}")
    op.execute(f"DROP TABLE watchlist_months.{table}")


def _index_and_grant() -> None:
    """As in 0001 and 0002."""
    for statement in INDEXES:
        op.execute(statement)
    for role in ROLES:
        op.execute(f"GRANT SELECT ON watchlist.audit, watchlist.live_trade_spread_sample TO {role}")
        op.execute(f"GRANT INSERT ON watchlist.audit TO {role}")
    op.execute("GRANT INSERT, UPDATE ON watchlist.live_trade_spread_sample TO tandem_position_monitor")
