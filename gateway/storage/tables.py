"""The one description of the tables. Every change here is also a migration; a test holds both equal.

Times are integers: microseconds since 1970-01-01T00:00:00Z. They sort, compare and index the same on every engine, and
no driver can reinterpret them. Blobs are octets, everything else is text. The order of columns in an index is the
order of the questions that are asked of it: each statement of this room is an index search (tests/contract). There is
no index more than that needs: at every commit each index is another page to write, check and sync.

    chain_heads, entries, refusals  the journal: an append-only hash chain per node
    prunings                        what of it was dropped by the retention rule
    checkpoints, subtrees           what the hub signed of the journal, and hashes of its Merkle tree
    messages, proofs, certificates  what was accepted and who signed it: metadata and digests, kept
    conversations, deliveries       state: one row per conversation, one per addressee of a message
    refused_legs                    addressees of accepted messages to whom they do not go
    reply_terms, parents            of the few messages that have them: a term of their own or a term missed, and the
                                    conversation above their own
    payloads, bridged_payloads      sealed octets of messages that are still to be confirmed, and nothing else
    addressed_payloads              the same, of what only one addressee can read
    uploads, file_pieces            files that came apart from their message, sealed; the key is in its payload
    outbox, attempts, push_proofs   in push_tables.py: what is to be pushed, every attempt at it, the receivers'
    breakers                        signatures for it, and parties whose own service is not called for a while
    tolerances                      figures for a party's page; no journal and no state
    successors                      who stands in a conversation in whose place, after a merger
    duties, switches                work that is done once among all nodes; what an operator switched off
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.storage._metadata import KEY, metadata

REVISION: Final = "0012"  # the migration this description equals; a store at another revision is not opened

chain_heads = Table(
    "chain_heads", metadata,
    Column("node", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

messages = Table(
    "messages", metadata,
    Column("id", KEY, primary_key=True),
    Column("node", Text, nullable=False),  # with position: the entry of its acceptance
    Column("position", BigInteger, nullable=False),
    Column("referentienummer", Text, nullable=False),
    Column("afzender", Text, nullable=False),
    Column("conversatie", Text, nullable=False),
    Column("cross", Text),
    Column("module", Text, nullable=False),
    Column("set_version", Text, nullable=False),
    Column("berichttype", Text, nullable=False),
    Column("family", Text, nullable=False),  # MessageType.correlates_as: what answers and limits go by
    Column("versie", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("signer_oin", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("message_digest", LargeBinary, nullable=False),
    Column("body_digest", LargeBinary, nullable=False),
    # Referentienummer first, so that a number alone also finds its message. The key of idempotency.
    UniqueConstraint("referentienummer", "afzender"),
    UniqueConstraint("signer_oin", "message_id"),
    Index("ix_messages_afzender", "afzender", "received_at", "id"),
    Index("ix_messages_received_at", "received_at", "id"),
)

entries = Table(
    "entries", metadata,
    Column("node", Text, nullable=False),
    Column("position", BigInteger, nullable=False),  # 1, 2, 3 … without a gap, per node
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message", ForeignKey("messages.id")),  # what it is about; None for refusals and general operator actions
    Column("record", Text, nullable=False),  # canonical JSON, holds the three columns above too; "": dropped (prunings)
    Column("leaf", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("node", "position"),
    Index("ix_entries_message", "message"),
)

# Where to find refusals: a table of its own, so that accepted messages don't pay for its indexes.
refusals = Table(
    "refusals", metadata,
    Column("node", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("node", "position"),
    ForeignKeyConstraint(["node", "position"], ["entries.node", "entries.position"]),
    Index("ix_refusals_ticket", "ticket"),
    Index("ix_refusals_at", "at"),
)

# The entries (node, position) that say that records of a chain were dropped by the retention rule, up to a position.
prunings = Table(
    "prunings", metadata,
    Column("chain", Text, nullable=False),  # the node whose chain it is about
    Column("until", BigInteger, nullable=False),
    Column("node", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    PrimaryKeyConstraint("chain", "until"),
    ForeignKeyConstraint(["node", "position"], ["entries.node", "entries.position"]),
    sqlite_with_rowid=False,
)

checkpoints = Table(
    "checkpoints", metadata,
    Column("node", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),  # as the note says
    Column("stamped_at", BigInteger),  # the time in the note's RFC 3161 token
    Column("note", LargeBinary, nullable=False),  # security/checkpoint.py
    Column("certificate", ForeignKey("certificates.sha256"), nullable=False),  # that it is signed with
    PrimaryKeyConstraint("node", "size"),
    # Of the time-stamped ones alone: where no authority is configured it is empty, and says so at once.
    Index("ix_checkpoints_stamped", "node", "size", "stamped_at", sqlite_where=text("stamped_at IS NOT NULL"),
          postgresql_where=text("stamped_at IS NOT NULL")),
)

# Roots of full subtrees of 2^8, 2^16, 2^24 … leaves. The leaves themselves are in `entries`.
subtrees = Table(
    "subtrees", metadata,
    Column("node", Text, nullable=False),
    Column("height", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),  # of the subtrees of this height, from 0
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("node", "height", "number"),
    sqlite_with_rowid=False,
)

certificates = Table(
    "certificates", metadata,
    Column("sha256", Text, primary_key=True),  # hex
    Column("der", LargeBinary, nullable=False),
)

proofs = Table(
    "proofs", metadata,
    Column("message", KEY, ForeignKey("messages.id"), primary_key=True, autoincrement=False),
    Column("signed_info", LargeBinary, nullable=False),
    Column("signature_value", LargeBinary, nullable=False),
    Column("signature_method", Text, nullable=False),
    Column("certificate", ForeignKey("certificates.sha256"), nullable=False),
    Column("caller_oin", Text, nullable=False),
    Column("body_reference", Text, nullable=False),
    Column("before", LargeBinary),
    Column("after", LargeBinary),
)

conversations = Table(
    "conversations", metadata,
    Column("id", KEY, primary_key=True),
    Column("conversatie", Text, nullable=False),
    Column("module", Text, nullable=False),
    Column("initiator", Text, nullable=False),
    Column("counterpart", Text, nullable=False),
    Column("state", Text, nullable=False),
    UniqueConstraint("conversatie", "module", "initiator", "counterpart"),
)

# Only where an operator redirected: the party of the conversation now, for each that was it before.
successors = Table(
    "successors", metadata,
    Column("conversation", KEY, ForeignKey("conversations.id"), nullable=False),
    Column("party", Text, nullable=False),
    Column("successor", Text, nullable=False),
    PrimaryKeyConstraint("conversation", "party"),
    Index("ix_successors_successor", "successor"),
)

deliveries = Table(
    "deliveries", metadata,
    Column("message", ForeignKey("messages.id"), nullable=False),
    Column("receiver", Text, nullable=False),
    Column("conversation", ForeignKey("conversations.id"), nullable=False),
    Column("state", Text, nullable=False),  # values.DeliveryState
    Column("received_at", BigInteger, nullable=False),  # of the message; here to list a mailbox in order
    Column("expires_at", BigInteger, nullable=False),
    Column("collected_at", BigInteger),
    Column("confirmed_at", BigInteger),
    Column("answered_by", KEY),  # the latest message that answers this one; a key here would need one more index
    Column("set_version", Text),  # in which this addressee gets it; this and the next two absent: as it was sent
    Column("berichttype", Text),
    Column("versie", Text),
    Column("sealed_to", Text),  # certificate (SHA-256, hex) that its content is encrypted to; absent: the hub's keys
    PrimaryKeyConstraint("message", "receiver"),
    Index("ix_deliveries_mailbox", "receiver", "state", "received_at", "message"),
    Index("ix_deliveries_due", "state", "expires_at"),
    Index("ix_deliveries_conversation", "conversation", "message"),
    sqlite_with_rowid=False,  # rows are small and always found by their key: one tree less to write
)

# The three tables that follow hold something about few messages, so that the others pay nothing for it.
refused_legs = Table(
    "refused_legs", metadata,
    Column("message", KEY, ForeignKey("messages.id"), nullable=False),
    Column("receiver", Text, nullable=False),
    Column("code", Text, nullable=False),  # SKP…, as in the receipt
    Column("afzender", Text, nullable=False),  # this and the next two of the message; here to search by
    Column("conversatie", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("message", "receiver"),
    Index("ix_refused_legs_afzender", "afzender", "received_at", "message", "receiver"),
    Index("ix_refused_legs_conversatie", "conversatie"),
    Index("ix_refused_legs_received_at", "received_at", "message", "receiver"),
)

reply_terms = Table(
    "reply_terms", metadata,
    Column("message", KEY, ForeignKey("messages.id"), primary_key=True, autoincrement=False),
    Column("answer_by", BigInteger),  # until when the message itself asks an answer
    Column("missed", BigInteger),  # of an answer that came late: the end of the term it should have come in
)

parents = Table(
    "parents", metadata,
    Column("parent", Text, nullable=False),  # BovenliggendeConversatie
    Column("message", KEY, ForeignKey("messages.id"), nullable=False),
    PrimaryKeyConstraint("parent", "message"),
    Index("ix_parents_message", "message"),
    sqlite_with_rowid=False,
)

payloads = Table(
    "payloads", metadata,
    Column("message", KEY, primary_key=True, autoincrement=False),
    Column("epoch", Text, nullable=False),  # which key wraps the data key
    Column("wrapped", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    ForeignKeyConstraint(["message"], ["messages.id"]),
    Index("ix_payloads_epoch", "epoch"),
)

# A message in other versions than its sender's: a table of its own, so that the others keep their simple key.
bridged_payloads = Table(
    "bridged_payloads", metadata,
    Column("message", KEY, ForeignKey("messages.id"), nullable=False),
    Column("set_version", Text, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("message", "set_version"),
    Index("ix_bridged_payloads_epoch", "epoch"),
)

# What one addressee will collect, encrypted to its certificate: the hub's keys open none of it.
addressed_payloads = Table(
    "addressed_payloads", metadata,
    Column("message", KEY, ForeignKey("messages.id"), nullable=False),
    Column("receiver", Text, nullable=False),
    Column("epoch", Text, nullable=False),  # which key wraps, once more, what is wrapped to the certificate
    Column("wrapped", LargeBinary, nullable=False),  # xenc:EncryptedKey
    Column("sealed", LargeBinary, nullable=False),  # xenc:EncryptedData
    Column("body_id", Text, nullable=False),
    Column("body_digest", LargeBinary, nullable=False),
    # The same message as it is pushed, where its receiver has a service of its own (docs/decisions/0025).
    Column("pushed_wrapped", LargeBinary),
    Column("pushed_sealed", LargeBinary),
    Column("pushed_body_id", Text),
    Column("pushed_body_digest", LargeBinary),
    Column("pushed_digest", LargeBinary),  # of the message element
    PrimaryKeyConstraint("message", "receiver"),
    Index("ix_addressed_payloads_epoch", "epoch"),
)

# Files of one request. `message` is no foreign key: what is swept away is no longer any message's.
uploads = Table(
    "uploads", metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),  # spool.py
    Column("at", BigInteger, nullable=False),  # when it began
    Column("octets", BigInteger, nullable=False),  # sealed
    Column("message", BigInteger),
    Index("ix_uploads_state", "state", "id"),
)

file_pieces = Table(
    "file_pieces", metadata,
    Column("upload", Text, nullable=False),
    Column("file", BigInteger, nullable=False),
    Column("piece", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("upload", "file", "piece"),
)

tolerances = Table(
    "tolerances", metadata,
    Column("party", Text, nullable=False),
    Column("tolerance", Text, nullable=False),  # its id in gateway/tolerances.py
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    PrimaryKeyConstraint("party", "tolerance"),
    sqlite_with_rowid=False,
)

duties = Table(
    "duties", metadata,
    Column("name", Text, primary_key=True),
    Column("every", BigInteger, nullable=False),  # microseconds
    Column("since", BigInteger, nullable=False),  # first registered
    Column("node", Text),  # which runs it, or ran it last
    Column("holder", Text),  # the process that runs it; absent: none
    Column("lease_until", BigInteger),
    Column("last_started", BigInteger),
    Column("last_ended", BigInteger),
    Column("last_done", BigInteger),  # the last end without failure
    Column("outcome", Text),
)

switches = Table(
    "switches", metadata,
    Column("kind", Text, nullable=False),  # switches.SwitchKind
    Column("name", Text, nullable=False),  # a party's id; module or module/version
    Column("since", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("kind", "name"),
)
