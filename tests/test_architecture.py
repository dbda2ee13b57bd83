"""The rooms of the gateway and what each may import, as a table; and the few rules of the house a parser can check.

Change the table first, then the code (docs/architecture.md).
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

GATEWAY = Path(__file__).parent.parent / "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a room may import beyond the standard library, the ground and itself."""

    rooms: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    clock: bool = False  # may ask what time it is; every other room is given it


def room(rooms: str = "", packages: str = "", *, clock: bool = False) -> Room:
    return Room(rooms=frozenset(rooms.split()), packages=frozenset(packages.split()), clock=clock)


GROUND = frozenset({"names", "database", "set_values", "refusals", "rollovers", "legs", "values", "errors", "ports",
                    "toml_lines", "tolerances", "merkle", "duties", "switches", "push_values", "multipart", "parted",
                    "remedies"})
WITHIN_GROUND = {"names": set(), "database": set(), "set_values": set(), "refusals": set(), "rollovers": set(),
                 "legs": set(), "push_values": {"set_values"},
                 "values": {"set_values", "refusals", "rollovers", "legs", "parted"}, "errors": {"values"},
                 "ports": {"values", "errors", "push_values", "parted", "multipart"}, "parted": set(),
                 "remedies": {"errors", "values"},
                 "toml_lines": set(), "tolerances": set(), "merkle": set(),
                 "duties": set(), "switches": set(), "multipart": {"errors"}}
ROOMS = {
    "messagesets": room("", "lxml xmlschema"),
    "soap": room("", "lxml"),
    "security": room("soap", "lxml cryptography signxml"),
    "routing": room(),
    "pipeline": room("messagesets soap security routing"),
    "storage": room("", "sqlalchemy alembic cryptography pkcs11 psycopg"),
    "transport": room("pipeline", "spyne six uvicorn httptools starlette prometheus_client", clock=True),
    "party": room("messagesets soap security transport routing", "lxml", clock=True),
    "privacy": room(),
    "switchboard": room(),
    "deliveries": room(),
    "operations": room(),
    "settings": room(),
    "calendar_nl": room("", "holidays"),
    "cli": room("operations app settings", "typer rich", clock=True),
    "app": room(
        "messagesets soap security routing pipeline storage transport party operations privacy switchboard deliveries "
        "settings calendar_nl",
        "lxml xmlschema cryptography signxml sqlalchemy alembic spyne uvicorn httptools starlette prometheus_client "
        "structlog",
        clock=True,
    ),
}
PARTS = {  # files that belong to another's room
    "_toml": "settings", "_parties": "settings", "_certificates": "settings", "_trust": "settings",
    "_push": "settings", "_routes": "settings",
    "__main__": "cli",
}
CLOCKED_FILES = {"security/throwaway.py"}  # makes certificates for an example world, which are dated
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 50
NAMESPACES = ("http://docs.oasis-open", "http://www.w3.org/", "http://schemas.xmlsoap.org")


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One source file, parsed."""

    path: str  # in gateway/, with slashes
    dotted: tuple[str, ...]  # ("gateway", "soap", "envelope")
    package: tuple[str, ...]  # what a relative import of one dot means
    tree: ast.Module
    lines: int

    @property
    def room(self) -> str:
        first = self.dotted[1] if len(self.dotted) > 1 else ""
        return PARTS.get(first, first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One imported name: `from a.b import c` is module a.b, name c; `import a.b` has no name."""

    module: tuple[str, ...]
    name: str | None
    line: int


def read(path: str, source: str) -> Module:
    parts = ("gateway", *Path(path).with_suffix("").parts)
    door = parts[-1] == "__init__"
    return Module(path=path, dotted=parts[:-1] if door else parts, package=parts[:-1],
                  tree=ast.parse(source, f"gateway/{path}", feature_version=(3, 11)), lines=source.count("\n"))


def imports(module: Module) -> Iterator[Import]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module=tuple(alias.name.split(".")), name=None, line=node.lineno)
        elif isinstance(node, ast.ImportFrom):
            named = tuple(node.module.split(".")) if node.module else ()
            base = module.package[: len(module.package) - node.level + 1] if node.level else ()
            for alias in node.names:
                yield Import(module=(*base, *named), name=alias.name, line=node.lineno)


def door_of(name: str, modules: dict[str, Module]) -> set[str] | None:
    """The names in a room's __all__ (a room that is one file needs none); None when it has no such list."""
    for path in (f"{name}/__init__.py", f"{name}.py"):
        if path in modules:
            for node in modules[path].tree.body:
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                    return set(ast.literal_eval(node.value))
            if path == f"{name}.py":
                return {getattr(node, "name", "") for node in modules[path].tree.body} - {""}
    return None


def import_faults(module: Module, modules: dict[str, Module]) -> list[str]:
    faults = []
    for one in imports(module):
        ours = one.module[0] == "gateway"
        if cause := _inside(module, one, modules) if ours else _outside(module, one.module[0]):
            faults.append(f"gateway/{module.path}:{one.line} {cause}")
    return faults


def _outside(module: Module, package: str) -> str | None:
    allowed = ROOMS[module.room].packages if module.room in ROOMS else frozenset()
    if package in sys.stdlib_module_names or package in allowed:
        return None
    return f"{module.room or 'the root'} may not import {package}"


def _inside(module: Module, one: Import, modules: dict[str, Module]) -> str | None:
    if len(one.module) == 1:  # from gateway import x: a ground module, the version, or app for the commands
        if one.name in GROUND:
            return _toward(module, one.name)
        known = one.name == "__version__" or (module.room, one.name) == ("cli", "app")
        return None if known else "import from the door: from gateway.<room> import <name>"
    target = PARTS.get(one.module[1], one.module[1])
    if target in GROUND:
        return _toward(module, target)
    if target == module.room:
        return None
    if module.room not in ROOMS or target not in ROOMS[module.room].rooms:
        return f"{module.room or 'the root'} may not import {target}"
    if len(one.module) > 2 or one.module[1] in PARTS:
        return f"imports {'.'.join(one.module)}, which is not the door of {target}"
    if one.name is None:
        return f"import from the door: from gateway.{target} import <name>"
    door = door_of(target, modules)
    if door is None:
        return f"{target} has no __all__ yet"
    return None if one.name in door else f"{one.name} is not in the __all__ of {target}"


def _toward(module: Module, ground: str) -> str | None:
    own = module.room
    if own in GROUND and ground != own and ground not in WITHIN_GROUND[own]:
        return f"{own} may not import {ground}"
    return None


def clock_faults(module: Module) -> list[str]:
    if module.path in CLOCKED_FILES or (module.room in ROOMS and ROOMS[module.room].clock):
        return []
    wall = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}
    return [
        f"gateway/{module.path}:{node.lineno} asks what time it is; {module.room} is given the time"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and (ast.unparse(node.value).split(".")[-1], node.attr) in wall
    ]


def size_faults(module: Module) -> list[str]:
    faults = [f"gateway/{module.path} has {module.lines} lines"] if module.lines > MAX_FILE_LINES else []
    if module.path.startswith("storage/migrations/versions/"):  # a dated record, written once
        return faults
    return faults + [
        f"gateway/{module.path}:{node.lineno} {node.name} is {node.end_lineno - node.lineno + 1} lines long"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
        and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    ]


def uri_faults(module: Module) -> list[str]:
    if module.path == "names.py":
        return []
    docstrings = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}
    return [
        f"gateway/{module.path}:{node.lineno} holds a namespace; names.py is the place"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and id(node) not in docstrings
        and any(uri in (node.value.decode("latin-1") if isinstance(node.value, bytes) else str(node.value))
                for uri in NAMESPACES)
    ]


def module_faults(module: Module) -> list[str]:
    """`if module == "schuldregeling"`: what differs between message sets belongs in their manifests."""
    def literal(node: ast.expr) -> bool:
        members = node.elts if isinstance(node, ast.Tuple | ast.Set | ast.List) else [node]
        return any(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in members)

    def named(node: ast.expr) -> bool:
        return ast.unparse(node).split(".")[-1] == "module"

    compared = (
        (node.lineno, [node.left, *node.comparators]) for node in ast.walk(module.tree) if isinstance(node, ast.Compare)
    )
    matched = (
        (node.subject.lineno, [node.subject, case.pattern.value])
        for node in ast.walk(module.tree) if isinstance(node, ast.Match)
        for case in node.cases if isinstance(case.pattern, ast.MatchValue)
    )
    return [
        f"gateway/{module.path}:{line} decides by the name of a module; extend the manifest instead"
        for line, sides in (*compared, *matched) if any(map(named, sides)) and any(map(literal, sides))
    ]


MODULES = {
    path.relative_to(GATEWAY).as_posix(): read(path.relative_to(GATEWAY).as_posix(), path.read_text("utf-8"))
    for path in sorted(GATEWAY.rglob("*.py"))
}
every_module = pytest.mark.parametrize("module", MODULES.values(), ids=MODULES.keys())


def test_the_walk_sees_the_gateway() -> None:
    assert {*GROUND, "settings"} <= {module.room for module in MODULES.values()}


@every_module
def test_module_lives_in_a_known_room(module: Module) -> None:
    assert module.room in {"", *GROUND, *ROOMS}


@every_module
def test_module_imports_what_its_room_may(module: Module) -> None:
    assert import_faults(module, MODULES) == []


@every_module
def test_only_rooms_with_a_clock_ask_the_time(module: Module) -> None:
    assert clock_faults(module) == []


@every_module
def test_modules_and_functions_stay_small(module: Module) -> None:
    assert size_faults(module) == []


@every_module
def test_namespaces_stand_in_names_only(module: Module) -> None:
    assert uri_faults(module) == []


@every_module
def test_no_code_knows_a_message_set_by_name(module: Module) -> None:
    assert module_faults(module) == []


# --- the rules themselves are right ------------------------------------------------------------------------------

WORLD = {path: read(path, source) for path, source in {
    "soap/__init__.py": '__all__ = ["parse"]\n', "soap/envelope.py": "", "settings.py": "class Settings: ...\n",
    "pipeline/__init__.py": "__all__ = []\n",
}.items()}


@pytest.mark.parametrize(("path", "source"), [
    ("routing/admit.py", "import lxml.etree"),
    ("routing/admit.py", "from gateway.soap import parse"),
    ("routing/admit.py", "def f():\n    from gateway.soap import parse"),
    ("security/verify.py", "from gateway.soap.envelope import parse"),
    ("security/verify.py", "from ..soap.envelope import parse"),
    ("security/verify.py", "from ..soap import envelope"),
    ("security/verify.py", "from ..soap import _hidden"),
    ("security/verify.py", "from .. import soap"),
    ("security/verify.py", "from gateway import soap"),
    ("security/verify.py", "from gateway import app"),
    ("security/verify.py", "import gateway.soap"),
    ("security/verify.py", "from gateway.pipeline import answer"),
    ("security/_sub/deep.py", "from ...pipeline import answer"),
    ("cli/main.py", "from gateway._toml import Table"),
    ("values.py", "from gateway import errors"),
    ("names.py", "from gateway.values import Party"),
    ("__init__.py", "from gateway.settings import Settings"),
])
def test_a_forbidden_import_is_seen(path: str, source: str) -> None:
    assert len(import_faults(read(path, source), WORLD)) == 1


@pytest.mark.parametrize(("path", "source"), [
    ("security/verify.py", "import hashlib\nfrom lxml import etree\nfrom ..soap import parse\nfrom . import keys"),
    ("security/verify.py", "from gateway.security.keys import load\nfrom gateway import names, errors"),
    ("security/__init__.py", "from .verify import verify\nfrom ..soap import parse\nfrom ..values import Party"),
    ("cli/main.py", "from gateway.settings import Settings\nimport typer\nfrom gateway import __version__, app"),
    ("settings.py", "from gateway._toml import Table"),
    ("errors.py", "from gateway.values import Finding"),
])
def test_an_allowed_import_passes(path: str, source: str) -> None:
    assert import_faults(read(path, source), WORLD) == []


@pytest.mark.parametrize("source", [
    "datetime.now(UTC)", "datetime.datetime.now()", "clock = datetime.now", "date.today()", "time.time()",
])
def test_a_hidden_clock_is_seen(source: str) -> None:
    assert clock_faults(read("routing/admit.py", source))
    assert not clock_faults(read("transport/server.py", source))


def test_the_other_rules_see_what_they_forbid() -> None:
    assert uri_faults(read("soap/x.py", 'A = "{http://www.w3.org/2005/08/addressing}To"'))
    assert uri_faults(read("soap/x.py", 'A = b"<a xmlns=\'http://schemas.xmlsoap.org/soap/envelope/\'/>"'))
    assert uri_faults(read("soap/x.py", 'A = f"<{b} xmlns=http://docs.oasis-open.org/x>"'))
    assert not uri_faults(read("soap/x.py", '"""See http://www.w3.org/TR/xmldsig-core1/."""'))
    assert module_faults(read("soap/x.py", 'if module == "schuldregeling": pass'))
    assert module_faults(read("soap/x.py", 'a = 1 if key.module in ("rechtbank", "x") else 2'))
    assert module_faults(read("soap/x.py", 'match key.module:\n    case "rechtbank": pass'))
    assert not module_faults(read("soap/x.py", "if module == other.module: pass"))
    assert size_faults(read("soap/x.py", "def f():\n" + "    pass\n" * 50))
    assert not size_faults(read("soap/x.py", "def f():\n" + "    pass\n" * 49))
    assert size_faults(read("soap/x.py", "a = 1\n" * 401))
