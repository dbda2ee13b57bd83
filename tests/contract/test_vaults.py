"""What keeps the keys of days: one suite for the directory and for a PKCS#11 token (SoftHSM)."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from gateway.app import open_instance
from gateway.errors import Misconfigured, StorageError
from gateway.storage import KeyDirectory, KeyVault, Sealer, TokenVault
from tests.contract.conftest import Hub
from tests.contract.samples import ENERGIE, NOW, acceptance, number

MODULE = next((path for path in map(Path, ("/usr/lib/softhsm/libsofthsm2.so",
                                           "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
                                           "/usr/lib64/pkcs11/libsofthsm2.so")) if path.exists()), None)
WITH_TOKEN = pytest.mark.skipif(
    MODULE is None or find_spec("pkcs11") is None or shutil.which("softhsm2-util") is None,
    reason="no SoftHSM here (apt-get install softhsm2; pip install python-pkcs11)")
DAY, OTHER_DAY, PIN = "2031-03-03", "2031-03-04", "2718"
Open = Callable[[], KeyVault]


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """SoftHSM reads its settings once in a process: one folder of tokens for all tests."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(settings))
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "gateway", "--pin", PIN, "--so-pin", PIN],
                       check=True, capture_output=True)
        yield


@pytest.fixture(params=["directory", pytest.param("token", marks=WITH_TOKEN)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same vault anew, as another process would."""
    if request.param == "directory":
        return lambda: KeyDirectory(tmp_path / "keys")
    request.getfixturevalue("softhsm")
    token = TokenVault(module=MODULE, token="gateway", pin=PIN)
    for epoch in token.epochs():
        token.destroy(epoch)
    return lambda: TokenVault(module=MODULE, token="gateway", pin=PIN)


def test_what_one_wraps_another_unwraps_until_the_day_is_destroyed(opened: Open) -> None:
    ours, theirs = opened(), opened()
    wrapped = [vault.wrap(DAY, bytes([count] * 32), b"context") for count, vault in enumerate((ours, theirs, ours))]
    for vault in (ours, theirs):
        assert [vault.unwrap(DAY, one, b"context") for one in wrapped] == [bytes([count] * 32) for count in range(3)]
    kept = theirs.wrap(OTHER_DAY, b"k" * 32, b"")
    assert ours.epochs() == [DAY, OTHER_DAY]
    theirs.destroy(DAY)
    theirs.destroy(DAY)  # again is no error
    assert ours.epochs() == theirs.epochs() == [OTHER_DAY]
    for vault in (ours, theirs, opened()):
        for one in wrapped:
            with pytest.raises(StorageError):
                vault.unwrap(DAY, one, b"context")
        assert vault.unwrap(OTHER_DAY, kept, b"") == b"k" * 32
    assert ours.unwrap(DAY, ours.wrap(DAY, b"n" * 32, b""), b"") == b"n" * 32  # a new key of that day is another key


def test_another_context_another_day_or_changed_octets_do_not_unwrap(opened: Open) -> None:
    vault = opened()
    wrapped = vault.wrap(DAY, b"k" * 32, b"context")
    vault.wrap(OTHER_DAY, b"k" * 32, b"context")
    wrong = [(DAY, wrapped, b"other"), (OTHER_DAY, wrapped, b"context"), (DAY, wrapped[:-1], b"context"),
             (DAY, b"", b"context"), *((DAY, wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1:], b"context")
                                       for at in (0, 20, len(wrapped) - 1))]
    for epoch, octets, context in wrong:
        with pytest.raises(StorageError):
            vault.unwrap(epoch, octets, context)


def test_many_threads_and_vaults_agree(opened: Open) -> None:
    vaults = [opened() for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        wrapped = list(pool.map(lambda count: vaults[count % 4].wrap(DAY, b"%032d" % count, b""), range(32)))
        back = list(pool.map(lambda count: vaults[-count % 4].unwrap(DAY, wrapped[count], b""), range(32)))
    assert back == [b"%032d" % count for count in range(32)]


@WITH_TOKEN
def test_another_process_uses_the_same_token(softhsm: None) -> None:
    vault = TokenVault(module=MODULE, token="gateway", pin=PIN)
    vault.destroy(DAY)
    ran = wrap_elsewhere(PIN)
    assert vault.unwrap(DAY, bytes.fromhex(ran.stdout.decode()), b"") == b"k" * 32


def wrap_elsewhere(pin: str) -> subprocess.CompletedProcess[bytes]:
    """A data key wrapped by another process, which logs in by itself."""
    program = ("import sys; from pathlib import Path; from gateway.storage import TokenVault; "
               "vault = TokenVault(module=Path(sys.argv[1]), token='gateway', pin=sys.argv[2]); "
               "print(vault.wrap(sys.argv[3], b'k' * 32, b'').hex())")
    return subprocess.run([sys.executable, "-c", program, str(MODULE), pin, DAY], capture_output=True, check=False)


@WITH_TOKEN
def test_a_hub_keeps_its_keys_in_a_token(softhsm: None, hub: Hub, template: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(template, tmp_path / "instance")
    (folder / "pin").write_text(PIN + "\n")
    settings = folder / "gateway.toml"
    keys = f'keys = {{ pkcs11 = "{MODULE}", token = "gateway", pin_file = "pin" }}'
    settings.write_text(settings.read_text("utf-8").replace("[store]", f"[store]\n{keys}"), "utf-8")
    vault = open_instance(folder).vault
    for epoch in vault.epochs():
        vault.destroy(epoch)
    journal, mailbox = hub.over(Sealer(vault))
    hub.journal, hub.mailbox = journal, mailbox
    hub.accept(acceptance("a", payload=b"<inhoud/>"))
    assert vault.epochs() == [DAY]
    assert hub.mailbox.collect(ENERGIE.id, number("a"), NOW)[1] == b"<inhoud/>"
    vault.destroy(DAY)
    with pytest.raises(StorageError):
        hub.mailbox.collect(ENERGIE.id, number("a"), NOW)
    assert not (folder / "keys").exists()


@WITH_TOKEN
def test_a_token_that_does_not_open_is_told(softhsm: None) -> None:
    with pytest.raises(Misconfigured, match="can't be opened"):
        TokenVault(module=MODULE, token="another", pin=PIN)
    ran = wrap_elsewhere("0000")
    assert "can't be opened: PinIncorrect" in ran.stderr.decode()
