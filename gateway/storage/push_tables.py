"""What is to be pushed, every attempt at it, and what is known of the services it goes to (decision 24)."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, Table, Text

from gateway.storage._metadata import KEY, metadata

# Open deliveries to parties that have a service of their own; parties that collect have no row here. What is not
# claimed may be from `next_at`; of a claimed one that is the end of its lease. A later message of the same conversation
# to the same party has next_at = WAITS until the one before it is gone.
outbox = Table(
    "outbox", metadata,
    Column("message", KEY, ForeignKey("messages.id"), nullable=False),
    Column("receiver", Text, nullable=False),
    Column("conversation", ForeignKey("conversations.id"), nullable=False),
    Column("action", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("attempts", BigInteger, nullable=False),  # begun
    Column("next_at", BigInteger, nullable=False),
    Column("claimed_by", Text),
    Column("lease_until", BigInteger),
    PrimaryKeyConstraint("message", "receiver"),
    Index("ix_outbox_due", "receiver", "next_at", "message"),
    Index("ix_outbox_conversation", "conversation", "receiver", "message"),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts", metadata,
    Column("message", KEY, ForeignKey("messages.id"), nullable=False),
    Column("receiver", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("node", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("duration", BigInteger, nullable=False),  # microseconds
    Column("result", Text, nullable=False),  # push_values.Result
    Column("cause", Text, nullable=False),
    PrimaryKeyConstraint("message", "receiver", "number"),
    sqlite_with_rowid=False,
)

# The signature under a receiver's receipt of what was pushed to it.
push_proofs = Table(
    "push_proofs", metadata,
    Column("message", KEY, ForeignKey("messages.id"), nullable=False),
    Column("receiver", Text, nullable=False),
    Column("signed_info", LargeBinary, nullable=False),
    Column("signature_value", LargeBinary, nullable=False),
    Column("signature_method", Text, nullable=False),
    Column("certificate", ForeignKey("certificates.sha256"), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("body_reference", Text, nullable=False),
    PrimaryKeyConstraint("message", "receiver"),
)

# Of parties whose service failed since it last took something; push_values.Breaker.
breakers = Table(
    "breakers", metadata,
    Column("party", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("refusals", BigInteger, nullable=False),
    Column("openings", BigInteger, nullable=False),
    Column("until", BigInteger),
)
