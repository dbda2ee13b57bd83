"""docs/push.md is true: its commands do what it says, on a request that the hub made and on a service that runs."""

import re
import shutil
import subprocess
import uuid
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from lxml import etree

from gateway.security import EXAMPLE_HUB_OIN
from tests import foreign
from tests.acceptance.hub import ROOT
from tests.acceptance.load import kennisgeving
from tests.acceptance.receiving import listening
from tests.postgres.databases import copied
from tests.push.conveyor import conveyor

PAGE = (ROOT / "docs" / "push.md").read_text("utf-8")
TOOLS = ("sh", "xmlsec1", "openssl", "xmllint", "curl", "base64")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def block(start: str) -> str:
    """The indented commands of the page from this one on."""
    found = re.search(rf"^    {re.escape(start)}.*\n(?:    .*\n)*", PAGE, re.MULTILINE)
    assert found, start
    return re.sub("^    ", "", found[0], flags=re.MULTILINE)


def run(script: str, folder: Path) -> str:
    ran = subprocess.run(["sh", "-ec", script], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_a_saved_request_is_checked_by_hand(template: Path, tmp_path: Path) -> None:
    message = kennisgeving(str(uuid.uuid4()))
    with conveyor(template, tmp_path / "instance") as hub:
        hub.send(message)
        hub.push()
    (tmp_path / "instance" / "request.xml").write_bytes(hub.requests[0])
    said = run(block("xmllint --xpath"), tmp_path / "instance")
    assert "signer.pem: OK" in said
    assert EXAMPLE_HUB_OIN in said
    assert re.search(r"^OK$", said, re.MULTILINE)
    assert b64encode(sha256(foreign.canonical(etree.fromstring(message))).digest()).decode() in said


def test_the_listener_is_tried_from_outside(template: Path, tmp_path: Path) -> None:
    folder = copied(template, tmp_path / "instance")
    with listening(folder, "energie", tmp_path / "taken") as service:
        script = block("openssl s_client").replace("9443", str(service.port))
        said = run(script, folder)
        assert "Verification: OK" in said
        assert re.search(r"HTTP/1.1 40[45]", said)
        bare = re.sub(r"--cert \S+ --key \S+ ", "", script.splitlines()[1])
        assert subprocess.run(["sh", "-c", bare], cwd=folder, capture_output=True, check=False).returncode != 0
