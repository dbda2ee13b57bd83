"""One instance folder, opened: its settings, parties and sets, and what can be done with them."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path

from gateway.app.checkpoints import CheckpointWriter, audit
from gateway.app.evidence import evidence_file, refusal_file
from gateway.app.profiles import check_profiles
from gateway.app.succession import Succession
from gateway.app.trust import LiveTrust
from gateway.app.words import in_words
from gateway.deliveries import Deliveries
from gateway.errors import Misconfigured, ReceiverUnknown, Unreachable
from gateway.messagesets import Catalog, load_catalog
from gateway.operations import Operations
from gateway.party import PartyClient, PartyEncryption
from gateway.privacy import Privacy
from gateway.routing import AddressBook, agreed_encrypted, encryption_certificate
from gateway.security import (
    CheckCertificate,
    DecryptionKey,
    SecurityPolicy,
    SigningKey,
    Usage,
    decryption_keys_of,
    load_certificate,
    load_decryption_key,
    load_signing_key,
    same_key,
)
from gateway.settings import Settings, Token, load_parties, load_routes, load_settings, plan, plan_routes
from gateway.storage import (
    Checkpoints,
    Duties,
    KeyDirectory,
    KeyVault,
    Operator,
    Pushes,
    Redirection,
    Reports,
    Sealer,
    SqlSwitches,
    Store,
    TokenVault,
    holdings,
    months_later,
    of_party,
    open_store,
)
from gateway.switchboard import ModuleVersion, Switchboard
from gateway.transport import Caller, TlsFiles, client_tls
from gateway.values import Party, Route

RUNNING = "run.json"  # written by a serving hub: where it listens


def utc_now() -> datetime:
    """The clock of everything that runs."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh random UUID: version 4, variant 10 (RFC 9562 §5.4)."""
    # By hand: uuid.uuid4() makes an object first, and costs twice as much.
    octets = bytearray(os.urandom(16))
    octets[6] = octets[6] & 0x0F | 0x40
    octets[8] = octets[8] & 0x3F | 0x80
    digits = octets.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@dataclass(frozen=True)
class Instance:
    """An instance folder. Parts are read when they are first asked for."""

    folder: Path
    settings: Settings

    @cached_property
    def catalog(self) -> Catalog:
        return load_catalog(self.settings.sets.xsd)

    @cached_property
    def register(self) -> AddressBook:
        return self.read_register()

    def read_register(self) -> AddressBook:
        """The address book as its file is now. Raises Misconfigured."""
        parties = self._checked(self._stated())
        return AddressBook(parties, routes=self._routes(self.folder / "parties.toml", parties), today=utc_now().date())

    def _routes(self, file: Path, parties: tuple[Party, ...]) -> tuple[Route, ...]:
        """The routing table in this file, once its modules are ones there are. Raises Misconfigured."""
        routes = load_routes(file, parties)
        modules = {key.module for key in self.catalog.sets} if any(row.module for row in routes) else set()
        for row in routes:
            if row.module is not None and row.module not in modules:
                raise Misconfigured(f"{file.name}: the route for {row.kind} {row.value} is of module '{row.module}', "
                                    f"which is not here; modules are {', '.join(sorted(modules))}")
        return routes

    def _checked(self, parties: tuple[Party, ...]) -> tuple[Party, ...]:
        """The parties, once the profiles they agreed on are ones this hub can keep. Raises Misconfigured."""
        if any(party.profiles for party in parties):
            check_profiles(parties, self.catalog.services.values(), able=bool(self.settings.encryption))
        return parties

    @property
    def policy(self) -> SecurityPolicy:
        """Profile 2W-be-S with the instance's clock limits."""
        limits = self.settings.limits
        return SecurityPolicy(token_signed=True, skew=limits.skew, max_age=limits.timestamp_ttl,
                              max_span=2 * limits.timestamp_ttl)

    @cached_property
    def signing(self) -> tuple[SigningKey, ...]:
        """The hub's own signing keys, newest first."""
        return tuple(load_signing_key(pair.certificate, pair.key) for pair in self.settings.signing)

    @cached_property
    def vault(self) -> KeyVault:
        """What keeps the sealing keys. Raises Misconfigured."""
        keys = self.settings.store.keys
        if isinstance(keys, Token):
            return TokenVault(module=keys.module, token=keys.label, pin=keys.pin_file.read_text("utf-8").strip())
        return KeyDirectory(keys)

    @cached_property
    def encryption(self) -> tuple[DecryptionKey, ...]:
        """The keys that messages to the hub are encrypted to, newest first; none: no 2W-be-SE.

        Raises  Misconfigured, also for a key that the hub uses for something else: one key, one use.
        """
        keys = tuple(load_decryption_key(pair.certificate, pair.key) for pair in self.settings.encryption)
        others = (self.settings.soap.tls, *self.settings.signing) if keys else ()
        for pair, key in zip(self.settings.encryption, keys, strict=True):
            for other in others:
                if same_key(key.certificate, load_certificate(other.certificate)):
                    raise Misconfigured(f"{pair.certificate}: has the key of {other.certificate.name} too; "
                                        "make a key that is for encryption alone")
        return keys

    def sealer(self) -> Sealer:
        return Sealer(self.vault)

    def resolve(self, who: str) -> Party:
        """The party a person means by slug, name or id. Raises ReceiverUnknown naming those there are."""
        party = self.register.resolve(who)
        if party is None:
            known = ", ".join(one.slug for one in self.register.everyone)
            raise ReceiverUnknown(f"no party '{who}'; this instance has {known}")
        return party

    def party_name(self, party_id: str) -> str:
        """How an operator knows the party with this id."""
        party = self.register.by_id(party_id)
        return party.slug if party is not None else party_id

    def hub_url(self) -> str:
        """Where the hub listens now, or where its parties reach it."""
        try:
            running = json.loads((self.folder / RUNNING).read_text("utf-8"))
            os.kill(int(running["pid"]), 0)
            return str(running["soap"])
        except (OSError, ValueError, KeyError):
            return self.settings.hub.public_url

    def party(self, who: str, *, url: str | None = None) -> PartyClient:
        """Act as a party of this instance, with the keys in its pki folder; `close` it when done."""
        party = self.resolve(who)
        signing, live = self.party_signing(party), LiveTrust(self.settings.trust, utc_now, lambda event, facts: None)
        caller = Caller(client_tls(self.party_tls(party)))
        return PartyClient(
            address=f"urn:schuldenknooppunt:deelnemer?OIN={party.oin}",
            hub_url=(url or self.hub_url()).rstrip("/"), hub_oin=self.settings.hub.oin, signing=signing,
            catalog=self.catalog, check_hub=live.checker(Usage.SIGNING), policy=self.policy,
            encryption=self.party_encryption(party, signing, live.checker(Usage.ENCRYPTION)),
            post=caller.post, close=caller.close, clock=utc_now, new_id=new_id,
        )

    def party_signing(self, party: Party) -> SigningKey:
        """A party's signing key, from the pki folder."""
        pki = self.folder / "pki"
        return load_signing_key(pki / f"{party.slug}-sign.pem", pki / f"{party.slug}-sign.key")

    def party_tls(self, party: Party) -> TlsFiles:
        """A party's TLS identity, from the pki folder, and the trust of this instance."""
        pki, trust = self.folder / "pki", self.settings.trust
        return TlsFiles(certificate=pki / f"{party.slug}-tls.pem", key=pki / f"{party.slug}-tls.key",
                        anchors=trust.anchors, crls=trust.crls)

    def party_encryption(self, party: Party, signing: SigningKey, check: CheckCertificate) -> PartyEncryption:
        """What a party encrypts to and decrypts with: its own -enc key, and its signing key where that is RSA."""
        own = self.folder / "pki" / f"{party.slug}-enc.pem"
        keys = (load_decryption_key(own, own.with_suffix(".key")),) if own.is_file() else ()
        hub = self.settings.encryption
        return PartyEncryption(
            agreed=lambda service: agreed_encrypted(party, service),
            hub=load_certificate(hub[0].certificate) if hub else None, check=check,
            keys=(*keys, *decryption_keys_of(signing)), by_id=self.register.by_id,
        )

    @contextmanager
    def acting(self, who: str, *, url: str | None = None) -> Iterator[PartyClient]:
        """`party`, closed at the end. Raises Unreachable that also says what to do about a hub that does not answer."""
        client = self.party(who, url=url)
        try:
            yield client
        except Unreachable as error:
            raise Unreachable(f"{error.detail}. Start the hub of this folder with: gateway serve {self.folder}  "
                              "A hub elsewhere is named with --url https://host:port") from error
        finally:
            client.close()

    @contextmanager
    def operations(self) -> Iterator[Operations]:
        """What an operator can do, with the store open for as long."""
        with open_store(self.settings.store.database, node=self.settings.hub.node) as store:
            reports = Reports(store)
            yield Operations(
                reports=reports, acts=Operator(store), redirection=Succession(lambda: self.catalog, Redirection(store)),
                resolve=self.resolve, explain=in_words, clock=utc_now,
                walk=lambda progress, kept: audit(self.settings, self.signing, progress, kept),
                proof=Checkpoints(store).consistency, checkpoints=Checkpoints(store).all,
                prove=lambda number, sender: self._prove(store, partial(
                    evidence_file, reports, number, afzender=sender)),
                prove_refusal=lambda ticket: self._prove(store, partial(refusal_file, reports, ticket)),
                attempts=Deliveries(pushes=Pushes(store), resolve=self.resolve, clock=utc_now).attempts,
            )

    @contextmanager
    def privacy(self) -> Iterator[Privacy]:
        """What is held and why, with the store open for as long."""
        with open_store(self.settings.store.database, node=self.settings.hub.node) as store:
            operator = Operator(store)
            yield Privacy(
                holdings=lambda: holdings(store, self.vault), of_party=lambda party: of_party(store, party),
                erase=lambda party, who, why, now: operator.erase_party(party, who=who, why=why, now=now),
                certificate=self.encrypts_to, party=self.register.resolve, ends=months_later,
                months=self.settings.retention.metadata_months, clock=utc_now)

    @contextmanager
    def switchboard(self) -> Iterator[Switchboard]:
        """What is switched off and on, with the store open for as long."""
        with open_store(self.settings.store.database, node=self.settings.hub.node) as store:
            yield Switchboard(
                stored=SqlSwitches(store), resolve=self.resolve, states=Duties(store, holder="").all, clock=utc_now,
                sets=lambda: [ModuleVersion(key.module, key.version, one.title_nl, one.status)
                              for key, one in self.catalog.sets.items() if not one.core])

    @contextmanager
    def deliveries(self) -> Iterator[Deliveries]:
        """What waits to be pushed, with the store open for as long."""
        with open_store(self.settings.store.database, node=self.settings.hub.node) as store:
            yield Deliveries(pushes=Pushes(store), resolve=self.resolve, clock=utc_now)

    def _prove(self, store: Store, write: Callable[..., bytes]) -> bytes:
        """Sign the journal as far as it is first: then the file is short, whatever came after the message."""
        CheckpointWriter(self.settings, self.signing, store, clock=utc_now, observe=lambda event, facts: None).write()
        return write(signing=self.signing, now=utc_now())

    def encrypts_to(self, party_id: str) -> str | None:
        """The certificate (SHA-256, hex) that what is for a party is encrypted to at this moment."""
        party = self.register.by_id(party_id)
        registered = encryption_certificate(party, utc_now()) if party is not None else None
        return None if registered is None else registered.sha256

    def plan_parties(self, file: Path) -> list[str]:
        """What applying the file would change, in words."""
        current, wanted = self._stated(), self._checked(load_parties(file, folder=self.folder))
        return [*map(str, plan(current, wanted, now=utc_now())),
                *plan_routes(load_routes(self.folder / "parties.toml", current), self._routes(file, wanted),
                             (*current, *wanted))]

    def _stated(self) -> tuple[Party, ...]:
        """The parties as their file states them, whatever the day."""
        return load_parties(self.folder / "parties.toml")

    def apply_parties(self, file: Path, *, who: str, why: str) -> list[str]:
        """Make the file the address book; journaled. The file is taken over as it is, comments included."""
        fresh = self.folder / "parties.toml.new"
        shutil.copyfile(file, fresh)  # read once: what is planned is what is taken over
        try:
            changes = self.plan_parties(fresh)
            if changes:
                with self.operations() as operations:
                    operations.note(f"parties apply: {len(changes)} change(s)", who=who, why=why)
                    fresh.replace(self.folder / "parties.toml")
            return changes
        finally:
            fresh.unlink(missing_ok=True)


def open_instance(folder: Path) -> Instance:
    """Open an instance folder. Raises Misconfigured that says what is wrong with its settings."""
    if not (folder / "gateway.toml").is_file():
        raise Misconfigured(f"{folder} holds no gateway.toml; make an instance with: gateway init {folder}")
    settings = load_settings(folder)
    return Instance(folder=settings.folder, settings=settings)
