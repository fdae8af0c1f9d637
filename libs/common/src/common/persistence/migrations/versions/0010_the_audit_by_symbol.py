"""The audit is found by symbol.

Revision: 0010, after 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("audit_symbol", "audit", ["symbol", "id"], schema="watchlist")


def downgrade() -> None:
    op.drop_index("audit_symbol", "audit", schema="watchlist")
