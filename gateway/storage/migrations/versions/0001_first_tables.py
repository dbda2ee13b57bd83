"""The first tables: journal, messages and proofs, conversations and deliveries, sealed payloads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table. There is no way down: a journal is never dropped by a command."""
    _chain_heads()
    _messages()
    _entries()
    _refusals()
    _certificates()
    _proofs()
    _conversations()
    _deliveries()
    _payloads()
    _bridged_payloads()


def _chain_heads() -> None:
    op.create_table(
        "chain_heads",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("node", name="pk_chain_heads")
    )


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", _key(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("referentienummer", sa.Text(), nullable=False),
        sa.Column("afzender", sa.Text(), nullable=False),
        sa.Column("conversatie", sa.Text(), nullable=False),
        sa.Column("cross", sa.Text(), nullable=True),
        sa.Column("module", sa.Text(), nullable=False),
        sa.Column("set_version", sa.Text(), nullable=False),
        sa.Column("berichttype", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("versie", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("signer_oin", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("message_digest", sa.LargeBinary(), nullable=False),
        sa.Column("body_digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("referentienummer", "afzender", name="uq_messages_referentienummer"),
        sa.UniqueConstraint("signer_oin", "message_id", name="uq_messages_signer_oin")
    )
    op.create_index("ix_messages_afzender", "messages", ["afzender", "received_at", "id"])
    op.create_index("ix_messages_received_at", "messages", ["received_at", "id"])


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message", _key(), nullable=True),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name="fk_entries_message"),
        sa.PrimaryKeyConstraint("node", "position", name="pk_entries")
    )
    op.create_index("ix_entries_message", "entries", ["message"])


def _refusals() -> None:
    op.create_table(
        "refusals",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["node", "position"], ["entries.node", "entries.position"], name="fk_refusals_node"),
        sa.PrimaryKeyConstraint("node", "position", name="pk_refusals")
    )
    op.create_index("ix_refusals_at", "refusals", ["at"])
    op.create_index("ix_refusals_ticket", "refusals", ["ticket"])


def _certificates() -> None:
    op.create_table(
        "certificates",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_certificates")
    )


def _proofs() -> None:
    op.create_table(
        "proofs",
        sa.Column("message", _key(), autoincrement=False, nullable=False),
        sa.Column("signed_info", sa.LargeBinary(), nullable=False),
        sa.Column("signature_value", sa.LargeBinary(), nullable=False),
        sa.Column("signature_method", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("caller_oin", sa.Text(), nullable=False),
        sa.Column("body_reference", sa.Text(), nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=True),
        sa.Column("after", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["certificate"], ["certificates.sha256"], name="fk_proofs_certificate"),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name="fk_proofs_message"),
        sa.PrimaryKeyConstraint("message", name="pk_proofs")
    )


def _conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", _key(), nullable=False),
        sa.Column("conversatie", sa.Text(), nullable=False),
        sa.Column("module", sa.Text(), nullable=False),
        sa.Column("initiator", sa.Text(), nullable=False),
        sa.Column("counterpart", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sa.UniqueConstraint("conversatie", "module", "initiator", "counterpart", name="uq_conversations_conversatie")
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("message", _key(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("conversation", _key(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("collected_at", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_by", _key(), nullable=True),
        sa.Column("set_version", sa.Text(), nullable=True),
        sa.Column("berichttype", sa.Text(), nullable=True),
        sa.Column("versie", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"], name="fk_deliveries_conversation"),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name="fk_deliveries_message"),
        sa.PrimaryKeyConstraint("message", "receiver", name="pk_deliveries"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_deliveries_conversation", "deliveries", ["conversation", "message"])
    op.create_index("ix_deliveries_due", "deliveries", ["state", "expires_at"])
    op.create_index("ix_deliveries_mailbox", "deliveries", ["receiver", "state", "received_at", "message"])


def _payloads() -> None:
    op.create_table(
        "payloads",
        sa.Column("message", _key(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name="fk_payloads_message"),
        sa.PrimaryKeyConstraint("message", name="pk_payloads")
    )
    op.create_index("ix_payloads_epoch", "payloads", ["epoch"])


def _bridged_payloads() -> None:
    op.create_table(
        "bridged_payloads",
        sa.Column("message", _key(), nullable=False),
        sa.Column("set_version", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name="fk_bridged_payloads_message"),
        sa.PrimaryKeyConstraint("message", "set_version", name="pk_bridged_payloads")
    )
    op.create_index("ix_bridged_payloads_epoch", "bridged_payloads", ["epoch"])
