"""What is kept of few messages: refused addressees, terms of their own or missed, the conversation above."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, empty: of older messages none of this was kept."""
    op.create_table(
        "refused_legs",
        sa.Column("message", _KEY, nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("afzender", sa.Text(), nullable=False),
        sa.Column("conversatie", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name="fk_refused_legs_message"),
        sa.PrimaryKeyConstraint("message", "receiver", name="pk_refused_legs"),
    )
    op.create_index("ix_refused_legs_afzender", "refused_legs", ["afzender", "received_at", "message", "receiver"])
    op.create_index("ix_refused_legs_conversatie", "refused_legs", ["conversatie"])
    op.create_index("ix_refused_legs_received_at", "refused_legs", ["received_at", "message", "receiver"])
    op.create_table(
        "reply_terms",
        sa.Column("message", _KEY, autoincrement=False, nullable=False),
        sa.Column("answer_by", sa.BigInteger(), nullable=True),
        sa.Column("missed", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name="fk_reply_terms_message"),
        sa.PrimaryKeyConstraint("message", name="pk_reply_terms"),
    )
    op.create_table(
        "parents",
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("message", _KEY, nullable=False),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name="fk_parents_message"),
        sa.PrimaryKeyConstraint("parent", "message", name="pk_parents"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_parents_message", "parents", ["message"])
