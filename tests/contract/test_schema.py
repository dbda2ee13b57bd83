"""Tables and migrations are equal, and every statement of the room is an index search."""

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.storage import audit as audit_module
from gateway.storage import certificates as certificates_module
from gateway.storage import checkpoints as checkpoints_module
from gateway.storage import current, head, open_store, upgrade
from gateway.storage import duties as duties_module
from gateway.storage import evidence as evidence_module
from gateway.storage import journal as journal_module
from gateway.storage import mailbox as mailbox_module
from gateway.storage import operator as operator_module
from gateway.storage import outbox as outbox_module
from gateway.storage import pruning as pruning_module
from gateway.storage import pushes as pushes_module
from gateway.storage import queue as queue_module
from gateway.storage import redirect as redirect_module
from gateway.storage import reports as reports_module
from gateway.storage import switches as switches_module
from gateway.storage import tolerances as tolerances_module
from gateway.storage import tree as tree_module
from gateway.storage.listing import _branches
from gateway.storage.migrations import _connected
from gateway.storage.session import Query, Session
from gateway.storage.tables import REVISION, metadata
from gateway.values import Search
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, NOW, acceptance, number

MODULES = (journal_module, mailbox_module, operator_module, reports_module, evidence_module, checkpoints_module,
           tree_module, audit_module, tolerances_module, pruning_module, duties_module, switches_module,
           outbox_module, pushes_module, queue_module, certificates_module, redirect_module)
QUERIES = {f"{module.__name__.rsplit('.', 1)[1]}.{name}": value
           for module in MODULES for name, value in vars(module).items() if isinstance(value, Query)}
QUERIES |= {f"mailbox.list-{key}": value for key, value in mailbox_module._LISTS.items()}


def test_tables_are_what_all_migrations_make(url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def described(name: str | None, kind: str, _: object) -> bool:
        """A month's partition is described by its table."""
        return kind != "table" or not re.search(r"_(default|\d{4}_\d\d)$", name or "")

    def kept(_: object, name: str | None, kind: str, *others: object) -> bool:
        """On PostgreSQL the key of entries holds their time, to which no foreign key leads (migration 0011)."""
        return kind != "foreign_key_constraint" or name not in ("fk_refusals_node", "fk_prunings_node") \
            or url.startswith("sqlite")

    with _connected(url) as connection:
        context = MigrationContext.configure(connection, opts={
            "compare_type": True, "compare_server_default": True, "include_name": described, "include_object": kept})
        assert compare_metadata(context, metadata) == []


def test_upgrade_brings_a_new_file_to_the_head_and_may_be_repeated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    assert current(url) is None
    assert upgrade(url) == head() == REVISION
    assert upgrade(url) == current(url) == REVISION
    open_store(url).close()


def test_running_hub_does_not_import_alembic() -> None:
    code = "import gateway.storage, sys; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def plan(session: Session, query: Query) -> tuple[str, list[str]]:
    """The statement and SQLite's plan for it. Values don't matter to the plan: no ANALYZE is ever run."""
    statement = session._statements.compile(query)
    parameters = [1] * statement.sql.count("?")
    session._cursor.execute("EXPLAIN QUERY PLAN " + statement.sql, parameters)
    return statement.sql, [row[3] for row in session._cursor.fetchall()]


def assert_indexed(sql: str, steps: list[str]) -> None:
    for step in steps:
        assert not re.match(r"SCAN (?!CONSTANT)", step), (sql, steps)
        assert "AUTOMATIC" not in step, (sql, steps)
        assert "TEMP B-TREE" not in step, (sql, steps)


# Which index, where more than one would do and only one is quick: the mailbox of a large party is long.
BY = {
    "outbox._FIRST_OF_NEXT": "ix_outbox_due (receiver>?)",
    "pushes._QUEUED": "ix_outbox_due (receiver=?)",
    "outbox._DUE": "ix_outbox_due (receiver=? AND next_at<?)",
    "queue._BEFORE": "ix_outbox_conversation (conversation=? AND receiver=?)",
    "checkpoints._FIRST_STAMPED": "ix_checkpoints_stamped (node=? AND size>?)",
    "checkpoints._NEWEST_STAMPED": "ix_checkpoints_stamped (node=?)",
    "pruning._OLD_MESSAGES": "ix_messages_received_at (received_at>? AND received_at<?)",
    "mailbox._FIND": "PRIMARY KEY (message=? AND receiver=?)",
    "mailbox._FIND_TO_CHANGE": "PRIMARY KEY (message=? AND receiver=?)",
    "mailbox.list-(False, False)": "ix_deliveries_mailbox (receiver=? AND state=?)",
    "mailbox.list-(True, False)": "ix_deliveries_mailbox (receiver=? AND state=?)",
    "mailbox.list-(False, True)": "ix_deliveries_conversation (conversation=?)",
    "mailbox.list-(True, True)": "ix_deliveries_conversation (conversation=?)",
    "journal._QUESTION": "ix_deliveries_conversation (conversation=? AND message=?)",
    "journal._COUNT": "ix_deliveries_conversation (conversation=?)",
}
# A handful of rows, once a day;
WHOLE = {"pruning._CERTIFICATES", "pruning._DROP_CERTIFICATE", "pruning._DROP_TOLERANCES", "pushes._BREAKERS",
         "duties._ALL", "switches._ALL"}  # … or all rows of a table that has a handful
# Ordered by id after an index that does not hold it: a handful of rows by their nature (one number, one message).
SORTS_FEW = {"pushes._ATTEMPTS", "journal._QUESTION", "mailbox._FIND", "mailbox._FIND_TO_CHANGE", "evidence._BY_NUMBER",
             "evidence._BY_NUMBER_AND_SENDER", "evidence._RECORDED", "reports._LEGS", "journal._CONVERSATION",
             "journal._INITIATOR", "pruning._ENTRIES_OF", "redirect._UNDER", "mailbox.list-(False, True)",
             "mailbox.list-(True, True)"}


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_statement_is_an_index_search(hub: Hub, name: str) -> None:
    if not hub.url.startswith("sqlite"):
        pytest.skip("reads SQLite's plans")
    with hub.store.read() as session:
        sql, steps = plan(session, QUERIES[name])
    assert BY.get(name, "") in steps[0] if steps else name not in BY
    if name in SORTS_FEW:
        steps = [step for step in steps if "TEMP B-TREE FOR" not in step]
    if name not in WHOLE:
        assert_indexed(sql, steps)


SEARCHES = {
    "reference": {"referentienummer": number("a")},
    "conversation": {"conversatie": number("c")},
    "cross": {"cross": number("a")},
    "sender": {"afzender": BANK.id},
    "receiver": {"ontvanger": BANK.id},
    "sender and receiver": {"afzender": BANK.id, "ontvanger": ENERGIE.id},
    "sender in time": {"afzender": BANK.id, "since": NOW, "until": NOW + timedelta(days=1)},
    "receiver in time": {"ontvanger": BANK.id, "since": NOW, "until": NOW + timedelta(days=1)},
    "everything": {},
    "reference to receiver": {"referentienummer": number("a"), "ontvanger": BANK.id},
    "conversation from sender": {"conversatie": number("c"), "afzender": BANK.id, "since": NOW},
    "cross between": {"cross": number("c"), "afzender": BANK.id, "ontvanger": ENERGIE.id},
    "time": {"since": NOW, "until": NOW + timedelta(days=1)},
}


@pytest.mark.parametrize("party", [None, ENERGIE.id])
@pytest.mark.parametrize("name", SEARCHES)
def test_log_search_is_an_index_search_in_order(hub: Hub, name: str, party: str | None) -> None:
    if not hub.url.startswith("sqlite"):
        pytest.skip("reads SQLite's plans")
    hub.accept(acceptance("a"))
    few = name.split()[0] in ("reference", "conversation", "cross")
    with hub.store.read() as session:
        for branch in _branches(Search(party=party, **SEARCHES[name])):  # type: ignore[arg-type]
            sql, steps = plan(session, Query(branch))
            if few:
                assert not any("mailbox" in step or "afzender" in step for step in steps), (sql, steps)
                steps = [step for step in steps if "TEMP B-TREE" not in step]
            if name == "everything" and party is None and "refused_legs" not in sql:
                # The newest of all: a walk down the index in order that ends at the limit.
                assert steps[0] == "SCAN messages USING INDEX ix_messages_received_at"
                steps = steps[1:]
            assert_indexed(sql, steps)
