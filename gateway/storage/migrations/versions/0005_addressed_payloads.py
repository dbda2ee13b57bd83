"""Content that is encrypted to its addressee's certificate alone."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, empty: what waits was sealed by the hub's keys and stays so."""
    op.add_column("deliveries", sa.Column("sealed_to", sa.Text(), nullable=True))
    op.create_table(
        "addressed_payloads",
        sa.Column("message", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("body_id", sa.Text(), nullable=False),
        sa.Column("body_digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name="fk_addressed_payloads_message"),
        sa.PrimaryKeyConstraint("message", "receiver", name="pk_addressed_payloads"),
    )
    op.create_index("ix_addressed_payloads_epoch", "addressed_payloads", ["epoch"])
