"""Copies of the store, and a store that was put back from one: is it behind what the hub published?"""

from collections.abc import Callable
from pathlib import Path

from gateway.app.checkpoints import published_states
from gateway.app.instance import Instance, open_instance, utc_now
from gateway.errors import Misconfigured
from gateway.settings import Settings
from gateway.storage import Restores, Store, backup, next_name, open_store


def backup_store(folder: Path, target: Path, progress: Callable[[int, int], None]) -> int:
    """`gateway db backup`: octets of the copy. Raises Misconfigured, StorageError."""
    settings = open_instance(folder).settings
    keys = settings.store.keys
    if isinstance(keys, Path) and target.resolve().is_relative_to(keys.resolve()):
        raise Misconfigured("that is the folder of the sealing keys; remedy: keep copies of the database apart from it")
    return backup(settings.store.database, target, progress)


def declare_restored(folder: Path, *, who: str, why: str) -> list[dict[str, object]]:
    """`gateway db restored`: a row for each chain that ended. Raises Misconfigured."""
    settings = open_instance(folder).settings
    with open_store(settings.store.database, node=settings.hub.node) as store:
        ended = Restores(store).declare(published_states(settings), who=who, why=why, now=utc_now())
        return [{"node": one.node, "entries": one.size, "signed": one.signed or None} for one in ended]


def require_whole(instance: Instance, store: Store) -> None:
    """Refuse to go on with journals that are behind what was published. Raises Misconfigured that says what to do."""
    reason = behind(instance.settings, store)
    if reason:
        raise Misconfigured(reason)


def behind(settings: Settings, store: Store) -> str:
    """Why this node may not write its journal; empty when it may."""
    node, published, restores = settings.hub.node, published_states(settings), Restores(store)
    if node in restores.ended():
        return (f"the journal of {node} ended at a restore; remedy: another name for this node, such as "
                f"[hub] node = \"{next_name(node)}\" in gateway.toml")
    departed = restores.departed(published)
    if departed:
        known = " and ".join(f"{one.size} entries of {one.node}" for one in departed)
        return (f"the hub published {known}, which are not in the store: it was put back from an older copy; remedy: "
                f"[hub] node = \"{next_name(node)}\" in gateway.toml, then gateway db restored "
                "(docs/operations/backup.md)")
    return ""
