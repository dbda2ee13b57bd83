"""The throw-away PKI the tests share: the example world of `gateway init` and the wrong ones of certs-example."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.app import create_instance
from gateway.security.keys import SigningKey, load_certificate, load_signing_key, load_trust
from gateway.security.pki import TrustSnapshot
from gateway.security.throwaway import default_description, make_pki, read_description
from tests.acceptance.hub import Hub, fresh_hub
from tests.clauses import pytest_addoption, pytest_collection_modifyitems
from tests.line import Line, make_line
from tests.postgres.databases import drop_all

__all__ = ["pytest_addoption", "pytest_collection_modifyitems"]  # the hooks of `clause` marks

DESCRIPTION = Path(__file__).parent.parent / "certs-example" / "pki.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pki:
    """A folder of certificates, made at `now`. Names are file names without ending: `gemeente-tls`, `verlopen`."""

    folder: Path
    now: datetime

    def pem(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def crl(self, name: str = "ca") -> Path:
        return self.folder / f"{name}.crl"

    def der(self, name: str) -> bytes:
        return load_certificate(self.pem(name))

    def signing_key(self, name: str) -> SigningKey:
        return load_signing_key(self.pem(name), self.key(name))

    def trust(
        self, *anchors: str, crls: tuple[str, ...] | None = None, max_age: timedelta = timedelta(hours=4)
    ) -> TrustSnapshot:
        """Trust in these CAs (default: the example CA) by these lists (default: each CA's own), read at `now`."""
        names = anchors or ("ca",)
        return load_trust(
            [self.pem(name) for name in names],
            [self.crl(name) for name in (names if crls is None else crls)],
            loaded_at=self.now,
            max_age=max_age,
        )


@pytest.fixture(scope="session", autouse=True)
def databases() -> Iterator[None]:
    """Nothing of what a run made on a server stays there."""
    yield
    drop_all()


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Made once a run; read it, never write into its folder."""
    folder, now = tmp_path_factory.mktemp("pki"), datetime.now(UTC)
    make_pki(default_description().plus(read_description(DESCRIPTION.read_text("utf-8"))), folder, now)
    return Pki(folder=folder, now=now)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder as `gateway init` makes it; copied, never used itself."""
    folder = tmp_path_factory.mktemp("template") / "instance"
    create_instance(folder)
    return folder


@pytest.fixture
def line(template: Path, tmp_path: Path) -> Iterator[Line]:
    """A fresh hub in this process (tests/line.py)."""
    made = make_line(template, tmp_path / "instance")
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def hub(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub process per module, on a fresh copy of the example world."""
    with fresh_hub(template, tmp_path_factory.mktemp("hub") / "instance") as running:
        yield running
