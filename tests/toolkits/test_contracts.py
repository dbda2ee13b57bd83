"""The WSDL files in toolkits of other languages: gSOAP (C++), PHP's SoapClient, Node's `soap`.

Each toolkit reads the files as they lie in the repository, with their relative imports, and must find every operation.
PHP and Node then make each valid example anew, from plain values by a typed call, as a programmer would; what they
would have sent is judged by the message set. zeep is tested beside these (tests/messagesets, tests/acceptance).

A toolkit that is not installed is skipped. Debian: gsoap, php-cli, php-soap. Node: `npm install --prefix build/node
soap`, or any other place that SOAP_FOR_NODE names.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from gateway.messagesets import validate_text
from gateway.values import SetKey
from tests.acceptance.every_set import CATALOG, KN, MODULES, ROOT, Specimen, examples

HERE = Path(__file__).parent
NODE_SOAP = Path(os.environ.get("SOAP_FOR_NODE", ROOT / "build" / "node" / "node_modules" / "soap"))
EACH = pytest.mark.parametrize("key", CATALOG.sets, ids=str)
Call = tuple[str, str, object]  # contract, operation, values


def has(*words: str) -> bool:
    """Does this command run, and succeed?"""
    if shutil.which(words[0]) is None:
        return False
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


GSOAP = pytest.mark.skipif(
    not (shutil.which("wsdl2h") and shutil.which("soapcpp2")), reason="gSOAP is not installed (package gsoap)")
PHP = pytest.mark.skipif(
    not has("php", "-r", "exit(class_exists('SoapClient') ? 0 : 1);"),
    reason="PHP with its SOAP extension is not installed (packages php-cli, php-soap)")
NODE = pytest.mark.skipif(
    not (shutil.which("node") and NODE_SOAP.is_dir()),
    reason="Node or its package soap is not installed (npm install --prefix build/node soap)")


def contracts(key: SetKey) -> list[Path]:
    return sorted((ROOT / "wsdl" / key.module / key.version).glob("*.wsdl"))


def operations(contract: Path) -> list[str]:
    """The operations of a WSDL file, read as plain XML."""
    wsdl = "{http://schemas.xmlsoap.org/wsdl/}"
    return [one.get("name", "") for one in etree.parse(contract).iterfind(f"{wsdl}portType/{wsdl}operation")]


# --- C++ -----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("WS008")
@GSOAP
@EACH
def test_gsoap_makes_a_client_of_every_contract(key: SetKey, tmp_path: Path) -> None:
    for contract in contracts(key):
        header = tmp_path / f"{contract.stem}.h"
        read = subprocess.run(["wsdl2h", "-c++11", "-o", str(header), str(contract)], capture_output=True, text=True,
                              check=False)
        assert read.returncode == 0, read.stderr
        assert not re.search(r"(?i)\b(error|warning|not found|undefined)\b", read.stderr), read.stderr
        found = dict(re.findall(r"method-input-action:\s+(\w+) (\S+)", header.read_text("utf-8")))
        namespace = CATALOG.sets[key].namespace
        assert found == {name: f"{namespace}:{name}" for name in operations(contract)}
    made = subprocess.run(
        ["soapcpp2", "-c++11", "-j", "-C", "-L", "-x", "-I/usr/share/gsoap/import", "-d", str(tmp_path), str(header)],
        capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "Compilation successful" in made.stdout + made.stderr
    assert list(tmp_path.glob("*Proxy.cpp"))


# --- PHP and Node --------------------------------------------------------------------------------------------------


def calls(key: SetKey, name: Callable[[etree._Element], str]) -> list[tuple[Specimen, Call]]:
    """Each example of a set as a typed call of the service that takes it."""
    made = []
    for one in examples(key):
        role = CATALOG.sets[key].messages[one.element].sender_role.lower()
        contract = ROOT / "wsdl" / key.module / key.version / f"{role}.wsdl"
        made.append((one, (str(contract), one.element, values(etree.fromstring(one.octets), key, name))))
    return made


def values(element: etree._Element, key: SetKey, name: Callable[[etree._Element], str]) -> object:
    """An element as a programmer holds it: text, octets, true or false; else its names and values, lists by name."""
    children = list(element.iterchildren("{*}*"))
    if not children:
        if element.tag in CATALOG.sets[key].schema.vocabulary.attached:
            return {"base64": element.text}
        return {"true": True, "false": False}.get(element.text or "", element.text or "")
    found: dict[str, list[object]] = {}
    for child in children:
        found.setdefault(name(child), []).append(values(child, key, name))
    return {label: all_of[0] if len(all_of) == 1 else all_of for label, all_of in found.items()}


def judge(command: list[str], key: SetKey, made: list[tuple[Specimen, Call]], tmp_path: Path) -> None:
    """Run a client on all calls: it finds the contract's operations, and each message it would send is valid."""
    file = tmp_path / "calls.json"
    file.write_text(json.dumps([call for _, call in made]), "utf-8")
    ran = subprocess.run([part.format(calls=file) for part in command], capture_output=True, text=True, check=True,
                         timeout=60)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(lines) == len(made) > 0
    for (one, (contract, _, _)), line in zip(made, lines, strict=True):
        assert "error" not in line, (one.name, line)
        assert sorted(line["operations"]) == sorted(operations(Path(contract)))
        sent = etree.fromstring(line["sent"].encode()).find("{http://schemas.xmlsoap.org/soap/envelope/}Body")[0]
        assert validate_text(etree.tostring(sent), CATALOG.by_namespace) == (), one.name
        assert [node.text for node in sent.iter(f"{{{KN}}}Referentienummer")] == [one.number]


@PHP
@pytest.mark.parametrize("key", MODULES, ids=str)
def test_php_writes_every_message_by_typed_calls(key: SetKey, tmp_path: Path) -> None:
    made = calls(key, lambda child: etree.QName(child).localname)
    judge(["php", str(HERE / "client.php"), "{calls}"], key, made, tmp_path)


@NODE
@pytest.mark.parametrize("key", MODULES, ids=str)
def test_node_writes_every_message_by_typed_calls(key: SetKey, tmp_path: Path) -> None:
    """Names carry the contract's prefix: without it the package misses the namespace of elements from an xs:group."""
    prefixes = {KN: "kn", CATALOG.sets[key].namespace: CATALOG.sets[key].prefix}

    def prefixed(child: etree._Element) -> str:
        name = etree.QName(child)
        return f"{prefixes[str(name.namespace)]}:{name.localname}"

    judge(["node", str(HERE / "client.cjs"), "{calls}", str(NODE_SOAP)], key, calls(key, prefixed), tmp_path)


LOADERS = {
    "php": ["-r", "foreach (array_slice($argv, 1) as $one) { $client = new SoapClient($one, ['cache_wsdl' => 0]); "
            "echo count($client->__getFunctions()), \"\\n\"; }", "--"],
    "node": ["-e", "const soap = require(process.argv[1]); (async () => { for (const one of process.argv.slice(2)) { "
             "const client = await soap.createClientAsync(one); const service = Object.values(client.describe())[0]; "
             "console.log(Object.keys(Object.values(service)[0]).length); } })();", str(NODE_SOAP)],
}


@pytest.mark.parametrize("tool", [pytest.param("php", marks=PHP), pytest.param("node", marks=NODE)])
def test_every_contract_loads_with_all_its_operations(tool: str) -> None:
    every = [contract for key in CATALOG.sets for contract in contracts(key)]
    command = [tool, *LOADERS[tool], *map(str, every)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert list(map(int, ran.stdout.split())) == [len(operations(contract)) for contract in every]
    assert ran.stderr == ""
