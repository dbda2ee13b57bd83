"""Deliveries to parties that have a service of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, empty: what waits now is collected, as its receiver expects."""
    _outbox()
    _attempts()
    _push_proofs()
    _breakers()


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("message", _key, nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("conversation", _key, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name="fk_outbox_message"),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"], name="fk_outbox_conversation"),
        sa.PrimaryKeyConstraint("message", "receiver", name="pk_outbox"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_outbox_due", "outbox", ["receiver", "next_at", "message"])
    op.create_index("ix_outbox_conversation", "outbox", ["conversation", "receiver", "message"])


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("message", _key, nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("duration", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name="fk_attempts_message"),
        sa.PrimaryKeyConstraint("message", "receiver", "number", name="pk_attempts"),
        sqlite_with_rowid=False,
    )


def _push_proofs() -> None:
    op.create_table(
        "push_proofs",
        sa.Column("message", _key, nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("signed_info", sa.LargeBinary(), nullable=False),
        sa.Column("signature_value", sa.LargeBinary(), nullable=False),
        sa.Column("signature_method", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("body_reference", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name="fk_push_proofs_message"),
        sa.ForeignKeyConstraint(["certificate"], ["certificates.sha256"], name="fk_push_proofs_certificate"),
        sa.PrimaryKeyConstraint("message", "receiver", name="pk_push_proofs"),
    )


def _breakers() -> None:
    op.create_table(
        "breakers",
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("refusals", sa.BigInteger(), nullable=False),
        sa.Column("openings", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("party", name="pk_breakers"),
    )
