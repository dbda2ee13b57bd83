"""Where to find the entries that say that older records were dropped."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, empty: nothing was dropped before."""
    op.create_table(
        "prunings",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["node", "position"], ["entries.node", "entries.position"], name="fk_prunings_node"),
        sa.PrimaryKeyConstraint("chain", "until", name="pk_prunings"),
        sqlite_with_rowid=False,
    )
