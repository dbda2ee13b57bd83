"""The store: journal, mailboxes, sealed payloads, evidence. The only room that knows a database runs.

    migrations.upgrade(url)                      once, and after each update of the gateway
    store = open_store(url, node=…)              one per process
    sealer = Sealer(KeyDirectory(path))          or TokenVault: any KeyVault
    SqlJournal(store, sealer)                    ports.Journal
    SqlMailbox(store, sealer, clock)             ports.Mailbox
    SqlOutbox(store, sealer)                     ports.Outbox
    SqlSpool(store)                              ports.Spool
    SqlTolerances(store)                         ports.Tolerances
    Reports(store), Operator(store)              the operator's reads and acts
    Pruning(store)                               the retention rule; holdings(store, vault): what there is
    Duties(store, holder=…), SqlSwitches(store)  work done once among all nodes; what is switched off
    Checkpoints(store)                           signed states of the journal, and proofs between them
    Restores(store), backup(…)                   a store put back from a copy; making one
    verify_chain(url, progress)                  any time, also while the gateway runs
"""

from gateway.storage.audit import BACKWARDS, ChainReport, Computed, verify_chain
from gateway.storage.backup import backup
from gateway.storage.chain import START, Head, leaf_hash, link_hash
from gateway.storage.checkpoints import Checkpoints, Consistency, Draft, SignedCheckpoint
from gateway.storage.duties import Duties
from gateway.storage.engine import Store, open_store
from gateway.storage.evidence import Covered, CoveredBy, Evidence, Journaled, Recorded, Stretch
from gateway.storage.holdings import holdings, of_party, sealed_to
from gateway.storage.hsm import TokenVault
from gateway.storage.journal import SqlJournal
from gateway.storage.mailbox import SqlMailbox
from gateway.storage.migrations import current, head, upgrade
from gateway.storage.operator import Operator
from gateway.storage.outbox import SqlOutbox
from gateway.storage.pruning import Pruned, Pruning, months_later
from gateway.storage.pushes import Pushes
from gateway.storage.redirect import Leg, Redirection
from gateway.storage.reports import Counts, Reports, Story
from gateway.storage.restores import Ended, Restores, State, next_name
from gateway.storage.sealing import Sealer
from gateway.storage.spool import SqlSpool
from gateway.storage.switches import SqlSwitches
from gateway.storage.tolerances import SqlTolerances
from gateway.storage.vault import KeyDirectory, KeyVault

__all__ = [
    "BACKWARDS", "START", "ChainReport", "Checkpoints", "Computed", "Consistency", "Counts", "Covered", "CoveredBy",
    "Draft", "Duties", "Ended", "Evidence", "Head", "Journaled", "KeyDirectory", "KeyVault", "Leg", "Operator",
    "Pruned", "Pruning", "Pushes", "Recorded", "Redirection", "Reports", "Restores", "Sealer", "SignedCheckpoint",
    "SqlJournal", "SqlMailbox", "SqlOutbox", "SqlSpool", "SqlSwitches", "SqlTolerances", "State", "Store", "Story",
    "Stretch", "TokenVault", "backup", "current", "head", "holdings", "leaf_hash", "link_hash", "months_later",
    "next_name", "of_party", "open_store", "sealed_to", "upgrade", "verify_chain",
]
