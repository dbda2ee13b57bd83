"""Who stands in a conversation in whose place, after a merger of parties."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, empty: nothing was redirected before."""
    op.create_table(
        "successors",
        sa.Column("conversation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("successor", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"], name="fk_successors_conversation"),
        sa.PrimaryKeyConstraint("conversation", "party", name="pk_successors"),
    )
    op.create_index("ix_successors_successor", "successors", ["successor"])
