"""Who may ask what: the cheap refusals before any cryptography, and the addressee once the content is proven.

`admit` looks at caller, endpoint and Action only. Sender and addressee stand in the Body, which nobody may believe
before it is verified; so `address` runs after validation (docs/decisions/0004).
"""

from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from gateway.errors import (
    ActionMismatch,
    BsnNotAllowed,
    GatewayError,
    GroundMissing,
    ModuleNotAgreed,
    NotAuthorised,
    ReceiverUnknown,
    RoleNotAllowed,
    SecurityMissing,
    UnknownMessage,
    VersionNotAgreed,
)
from gateway.names import ENCRYPTED_PROFILE, XENC
from gateway.ports import Register
from gateway.routing.legs import Addressed, sift
from gateway.values import Finding, Header, MessageType, Operation, Party, Permit, RoleRule, Service, SetKey

_ENCRYPTED: Final = (XENC, "EncryptedData")
_NONE: Final[Mapping[str, RoleRule]] = MappingProxyType({})


def admit(*, service: Service, action: str, body: tuple[str, str], caller: Party, register: Register) -> Permit:
    """May this caller ask this operation here?

    1 the Action is one of the service's; 2 the Body's element (namespace, local name) is the one that Action names,
    unless it is encrypted, as caller and hub agreed; 3 the caller, or a party it acts for, plays the service's role and
    has the module.

    Raises  UnknownMessage, ActionMismatch, SecurityMissing, RoleNotAllowed, ModuleNotAgreed, VersionNotAgreed.
    """
    operation = service.operations.get(action)
    if operation is None:  # 1
        raise UnknownMessage("wsa:Action is none of this service's operations")
    encrypted = agreed_encrypted(caller, service)
    if not encrypted:  # 2
        check_element(operation, body)
    if service.role is not None:  # 3
        _any_may_play(_principals(caller, register), service.role, service.key)
    return Permit(caller=caller, service=service, operation=operation, encrypted=encrypted)


def agreed_encrypted(party: Party, service: Service) -> bool:
    """Is profile 2W-be-SE asked here: by the message set of everybody, or agreed by this party (WB011)?"""
    return _agreed(party, service.profile, service.agreed_as)


def agreed_encrypted_push(party: Party, key: SetKey, profile: str) -> bool:
    """Is 2W-be-SE asked for what is pushed to this party of this set, whose own profile this is? One agreement counts
    for both directions: what is encrypted when the party sends it is encrypted when it gets it.
    """
    return _agreed(party, profile, key.module)


def _agreed(party: Party, profile: str, agreed_as: str) -> bool:
    if profile == ENCRYPTED_PROFILE:
        return True
    return bool(party.profiles) and party.profiles.get(agreed_as) == ENCRYPTED_PROFILE


def takes(party: Party, role: RoleRule, key: SetKey) -> bool:
    """Does this party play the role, in this version of the module?"""
    return plays(party, role) and key.version in party.modules.get(key.module, ())


def check_element(operation: Operation, body: tuple[str, str]) -> None:
    """Is the Body's element the operation's? Dispatch is by the element, the Action must agree (CVE-2012-3451).

    Raises  ActionMismatch; SecurityMissing for an encrypted Body where none is agreed.
    """
    if body != (operation.namespace, operation.name):
        if body == _ENCRYPTED:
            raise SecurityMissing("the Body is encrypted, but 2W-be-SE is not agreed with this party for this service")
        raise ActionMismatch("the Body's element is not the one that wsa:Action names")


def address(
    *, sender: Party, header: Header, message_type: MessageType, has_bsn: bool, service: Service,
    roles: Mapping[str, RoleRule], register: Register, on: date, bridges: Mapping[str, RoleRule] = _NONE,
) -> Addressed:
    """The addressees of a valid message.

    1 the sender itself plays the role and has module and version, may process a BSN where there is one, and documents
    it must send along are there; 2 the addressees are as many as the type takes, or found by its routing key; 3 each of
    them is known, active, another, plays the receiving role with module and version, and may process a BSN.

    Takes   `on`: the day for which the routing table is asked; `bridges`: other versions that such a message can be
            brought to, and the role that receives it there. An addressee that takes one of those instead of the
            sender's is let through; `taken_as` says which.

    Raises  RoleNotAllowed, ModuleNotAgreed, VersionNotAgreed, ReceiverUnknown, NotAuthorised, GroundMissing,
            BsnNotAllowed: of the sender's own doing, or because no addressee is left.
    """
    _may_play(sender, roles[message_type.sender_role], service.key)  # 1
    wanted = _wanted(sender, header, message_type, roles, register, service.key.module, on)
    if len(wanted) > message_type.max_receivers:  # 2
        raise NotAuthorised(f"{message_type.element} takes at most {message_type.max_receivers} addressee(s)")
    for required in message_type.documents | (sender.requires if message_type.ground else frozenset()):
        if required not in header.documents:
            raise GroundMissing(f"{sender.slug} must send a {required} along")
    if has_bsn and not sender.mag_bsn:
        raise BsnNotAllowed("a BSN, but the sender has no ground to process it")
    role = roles[message_type.receiver_role]

    def judge(one: str) -> Party:  # 3
        party = _receiver(one, sender, role, service.key, register, bridges)
        if has_bsn and not party.mag_bsn:
            raise BsnNotAllowed(f"a BSN, but {party.slug} has no ground to process it")
        return party

    receivers, refused = sift(wanted, judge, str)
    return Addressed(receivers=receivers, refused=refused)


def _principals(caller: Party, register: Register) -> list[Party]:
    others = (register.by_oin(oin) for oin in sorted(caller.acts_for))
    return [caller, *(party for party in others if party is not None and party.active)]


def _any_may_play(parties: Iterable[Party], role: RoleRule, key: SetKey) -> None:
    first: GatewayError | None = None
    for party in parties:
        try:
            return _may_play(party, role, key)
        except NotAuthorised as error:
            first = first or error
    raise first or RoleNotAllowed("nobody plays this role")


def plays(party: Party, role: RoleRule) -> bool:
    """May this party play the role?"""
    return bool(party.roles & role.parties) and (not role.subtypes or party.subtype in role.subtypes)


def _may_play(party: Party, role: RoleRule, key: SetKey) -> None:
    if not plays(party, role):
        kind = f"{party.slug} (subtype {party.subtype or 'none'})"
        raise RoleNotAllowed(f"{kind} may not play {role.name} in {key.module}")
    versions = party.modules.get(key.module)
    if not versions:
        raise ModuleNotAgreed(f"{party.slug} has not switched on {key.module}")
    if key.version not in versions:
        raise not_taken(party, key)


def taken_as(party: Party, key: SetKey, bridges: Mapping[str, RoleRule]) -> tuple[str, ...]:
    """The versions in which a party that does not take `key` takes such a message, newest first; else none."""
    versions = party.modules.get(key.module, ())
    if key.version in versions:
        return ()
    taken = (one for one in versions if one in bridges and plays(party, bridges[one]))
    return tuple(sorted(taken, key=lambda one: tuple(map(int, one.split("."))), reverse=True))


def not_taken(party: Party, key: SetKey, *, tried: tuple[str, ...] = ()) -> VersionNotAgreed:
    """The refusal that names the versions the party takes; `tried`: those that this one message does not fit into."""
    versions = ", ".join(party.modules[key.module])
    error = VersionNotAgreed(f"{party.slug} takes {key.module} {versions}, not {key.version}"
                             + (f"; nor can this message be bridged to {', '.join(tried)}" if tried else ""))
    error.findings = (
        Finding(
            xpath="/", rule="versie", nl=f"De deelnemer ondersteunt {key.module} in versie {versions}.",
            en=f"The party takes {key.module} in version {versions}.",
        ),
        *(Finding(xpath="/", rule="overzetten",
                  nl=f"Dit bericht is niet zonder verlies over te zetten naar versie {one}.",
                  en=f"This message can't be brought to version {one} without loss.") for one in tried),
    )
    return error


def _wanted(
    sender: Party, header: Header, message_type: MessageType, roles: Mapping[str, RoleRule], register: Register,
    module: str, on: date,
) -> tuple[str, ...]:
    """The ids of the addressees: as named, or found by the routing key among those that play the receiving role.

    Whoever registered a key and sends under it himself is none of them: he named nobody.
    """
    if header.routering is None:
        return tuple(dict.fromkeys(header.ontvangers))
    kind, value = header.routering
    if kind not in message_type.routes:
        raise ReceiverUnknown(f"{message_type.element} does not route on {kind}")
    role = roles[message_type.receiver_role]
    groups = ([party.id for party in group if plays(party, role)]
              for group in register.by_route(kind, value, module, on=on))
    found = tuple(one for one in next(filter(None, groups), ()) if one != sender.id)
    if not found:
        raise ReceiverUnknown(f"no party of role {role.name} gets what is sent for this {kind} on {on}")
    return found


def _receiver(
    party_id: str, sender: Party, role: RoleRule, key: SetKey, register: Register, bridges: Mapping[str, RoleRule],
) -> Party:
    party = register.by_id(party_id)
    if party is None or not party.active:
        raise ReceiverUnknown("the addressee is not in the address book, or not active")
    if party.id == sender.id:
        raise ReceiverUnknown("the addressee is the sender itself")
    if not taken_as(party, key, bridges):
        _may_play(party, role, key)  # 2
    return party
