"""Signed checkpoints of the journal, and the hashes of its Merkle tree that are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables, empty: the first checkpoint covers every entry there is."""
    op.create_table(
        "checkpoints",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("stamped_at", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["certificate"], ["certificates.sha256"],
                                name="fk_checkpoints_certificate"),
        sa.PrimaryKeyConstraint("node", "size", name="pk_checkpoints"),
    )
    stamped = sa.text("stamped_at IS NOT NULL")
    op.create_index("ix_checkpoints_stamped", "checkpoints", ["node", "size", "stamped_at"],
                    sqlite_where=stamped, postgresql_where=stamped)
    op.create_table(
        "subtrees",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("node", "height", "number", name="pk_subtrees"),
        sqlite_with_rowid=False,
    )
