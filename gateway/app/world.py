"""The example world: an instance folder with a throw-away PKI, ten parties and an empty store."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.app.sets import catalog_in
from gateway.errors import Misconfigured
from gateway.messagesets import Catalog
from gateway.security import EXAMPLE_HUB_OIN, EXAMPLE_OINS, default_description, make_pki
from gateway.settings import dump_parties
from gateway.storage import upgrade
from gateway.values import Party, Registered

# Fixed, so that the examples of the message sets can be sent in any example world as they are.
_ID: Final = "11111111-1111-4111-8111-0000000000{:02}"
_WORLD: Final = (
    # slug, name, roles, subtype, may process BSN
    ("gemeente", "Gemeente Voorbeeldstad", ("SHV", "GEMEENTE"), "SHV_FASE2", True),
    ("energie", "Voorbeeld Energie", ("SE",), "SCHULDEISER", False),
    ("deurwaarder", "Voorbeeld Gerechtsdeurwaarders", ("SE", "DEURWAARDER"), "SCHULDEISER", True),
    ("zorgverzekeraar", "Voorbeeld Zorgverzekeraar", ("SE", "SIGNAALPARTNER"), "SCHULDEISER", True),
    ("kredietbank", "Kredietbank Voorbeeldstad", ("KREDIETBANK",), None, True),
    ("waarborgfonds", "Voorbeeld Waarborgfonds", ("WAARBORGFONDS",), None, False),
    ("bewindvoerder", "Voorbeeld Bewindvoering", ("BEWINDVOERDER",), "BEWINDVOERDER", False),
    ("budgetbeheer", "Voorbeeld Budgetbeheer", ("BUDGETBEHEERDER",), None, False),
    ("matching", "Voorbeeld Matchingsysteem", ("MATCHINGSYSTEEM",), None, False),
    ("rechtbank", "Rechtbank Voorbeeldland", ("RECHTBANK",), None, True),
)
_SOURCE: Final = {"BRON": frozenset({"ALLE"})}
_ROUTING: Final[dict[str, dict[str, frozenset[str]]]] = {
    "energie": _SOURCE, "deurwaarder": _SOURCE, "zorgverzekeraar": _SOURCE,
    "rechtbank": {"RECHTBANK": frozenset({"RBMNE"})},
}
_GATEWAY_TOML: Final = """\
# The instance. Paths are relative to this folder; unknown keys are errors. See docs/configuration.md.
[hub]
id = "{id}"
oin = "{oin}"
name = "Voorbeeldknooppunt"
public_url = "https://localhost:8443"

[soap]
listen = "127.0.0.1:8443"
certificate = "pki/hub-tls.pem"
key = "pki/hub-tls.key"
max_octets = 10_485_760

[web]
listen = "127.0.0.1:8080"

[signing]
certificate = "pki/hub-sign.pem"
key = "pki/hub-sign.key"

[encryption]
certificate = "pki/hub-enc.pem"
key = "pki/hub-enc.key"

[trust]
anchors = ["pki/ca.pem"]
crls = ["pki/ca.crl"]
crl_max_age_hours = 4

[store]
url = "sqlite:///gateway.db"

[retention]
working_days = 5
calendar = "NL"

[limits]
skew_seconds = 60
timestamp_ttl_seconds = 300
"""
_PARTIES_HEAD: Final = """\
# The address book. Apply changes with `gateway parties plan` and `gateway parties apply`.
# Which certificates a party uses is decided by trust path and OIN; to pin them as well:
# certificates = ["pki/gemeente-tls.pem", "pki/gemeente-sign.pem"]
# To have what it sends to and gets from a service encrypted (2W-be-SE):
# profiles = { schuldregeling = "2W-be-SE", postbus = "2W-be-SE" }

"""


def create_instance(folder: Path) -> None:
    """Make an instance folder. Raises Misconfigured when the folder holds anything, or a file can't be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise Misconfigured(f"{folder} is not empty; name a new or an empty folder")
        (folder / "gateway.toml").write_text(_GATEWAY_TOML.format(id=uuid.uuid4(), oin=EXAMPLE_HUB_OIN), "utf-8")
        parties = dump_parties(example_parties(catalog_in()))
        (folder / "parties.toml").write_text(_PARTIES_HEAD + parties, "utf-8")
    except OSError as error:
        raise Misconfigured(f"{folder}: {error.strerror}; choose a folder you may write in") from error
    make_pki(default_description(), folder / "pki", datetime.now(UTC))
    upgrade(f"sqlite:///{folder.absolute() / 'gateway.db'}")


def _encryption(slug: str) -> Registered:
    """The certificate of this party to encrypt to, by the name that make_pki gives it; its octets are still to come."""
    return Registered(name=f"pki/{slug}-enc.pem", sha256="")


def example_parties(catalog: Catalog) -> list[Party]:
    """The ten parties, each with every module version in which its roles may play a part."""
    parties = []
    for number, (slug, name, roles, subtype, mag_bsn) in enumerate(_WORLD, start=1):
        modules: dict[str, tuple[str, ...]] = {}
        modules_only = (item for item in catalog.sets.items() if not item[1].core)
        for key, message_set in sorted(modules_only, key=lambda item: str(item[0])):
            playable = (
                role for role in message_set.roles.values()
                if role.parties & set(roles) and (not role.subtypes or subtype in role.subtypes)
            )
            if any(playable):
                modules[key.module] = (*modules.get(key.module, ()), key.version)
        parties.append(Party(
            id=_ID.format(number), slug=slug, name=name, oin=EXAMPLE_OINS[slug], roles=frozenset(roles),
            subtype=subtype, mag_bsn=mag_bsn, modules=modules,
            requires=frozenset({"beschikking"} if slug == "bewindvoerder" else ()),
            gemeentecodes=frozenset({"0363"} if slug in ("gemeente", "matching") else ()),
            routing=_ROUTING.get(slug, {}), encryption=_encryption(slug),
        ))
    return parties
