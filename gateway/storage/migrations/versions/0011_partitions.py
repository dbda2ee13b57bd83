"""On PostgreSQL the journal and what is sealed lie in a partition for each month; on SQLite nothing changes.

Made here are the tables and the partition for what no month takes; the months are made by who upgrades and by a duty.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    # A key of a partitioned table holds what it is partitioned by: an entry is no longer found by a foreign key.
    op.execute("ALTER TABLE refusals DROP CONSTRAINT fk_refusals_node")
    op.execute("ALTER TABLE prunings DROP CONSTRAINT fk_prunings_node")
    _partition("entries", key="node, position, at", by="at", index="ix_entries_message", on="message")
    _partition("payloads", key="message, epoch", by="epoch", index="ix_payloads_epoch", on="epoch")
    _partition("bridged_payloads", key="message, set_version, epoch", by="epoch",
               index="ix_bridged_payloads_epoch", on="epoch")
    _partition("addressed_payloads", key="message, receiver, epoch", by="epoch",
               index="ix_addressed_payloads_epoch", on="epoch")


def _partition(table: str, *, key: str, by: str, index: str, on: str) -> None:
    """The same table again, partitioned; what it holds is copied."""
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    op.execute(f"ALTER TABLE {table}_before DROP CONSTRAINT pk_{table}")
    op.execute(f"DROP INDEX {index}")
    op.execute(f"CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS, "
               f"CONSTRAINT pk_{table} PRIMARY KEY ({key}), "
               f"CONSTRAINT fk_{table}_message FOREIGN KEY (message) REFERENCES messages (id)) "
               f"PARTITION BY RANGE ({by})")
    op.execute(f"CREATE INDEX {index} ON {table} ({on})")
    op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    op.execute(f"INSERT INTO {table} SELECT * FROM {table}_before")  # noqa: S608 - names of our own
    op.execute(f"DROP TABLE {table}_before")
