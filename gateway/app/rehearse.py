"""What would work and what would break if a party, or the hub, used these certificates at that moment.

Place by place, each with cause and remedy, from the same checks that the line makes: nothing here decides anything of
its own but the words. Revocation is judged by the lists of now, dates by the moment that is rehearsed.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.app.instance import Instance, utc_now
from gateway.app.rehearsal import (
    REMEDY,
    Candidate,
    Rehearsed,
    Stage,
    as_server,
    candidate,
    facts,
    overlap,
    row,
)
from gateway.app.trust import read_snapshot
from gateway.routing import certificate_in_use, certificate_refusal, encryption_certificate
from gateway.security import SigningKey, Usage, load_certificate
from gateway.settings import KeyPair, named_certificates
from gateway.values import Party, Purpose

HUB: Final = "hub"
_USAGE: Final = {Purpose.TLS: Usage.CLIENT, Purpose.SIGNING: Usage.SIGNING, Purpose.ENCRYPTION: Usage.ENCRYPTION}
_PLACE: Final = {Purpose.TLS: "TLS caller", Purpose.SIGNING: "signer", Purpose.ENCRYPTION: "addressee of encryption"}
_MARK: Final = {Purpose.TLS: "tls", Purpose.SIGNING: "sign", Purpose.ENCRYPTION: "enc"}  # in names of files, by custom


def rehearse(
    instance: Instance, who: str, files: Sequence[Path], *, at: datetime | None, purposes: Sequence[Purpose]
) -> list[Rehearsed]:
    """The rehearsal of a party (slug, name or id), or of the hub.

    Takes   `files`: the certificates that would be used instead of the present ones; none: what the address book says
            is used at that moment. `at`: aware UTC; None: now. `purposes`: of which uses; none: all that occur.
    Raises  Misconfigured for a file that holds no certificate; ReceiverUnknown for an unknown party.
    """
    now = utc_now()
    trust = read_snapshot(instance.settings.trust, now)
    given = [candidate(path.name, load_certificate(path)) for path in files]
    if who == HUB:
        stage = Stage(instance=instance, trust=trust, oin=instance.settings.hub.oin, at=at or now,
                       now=now)
        return list(_hub(stage, given, purposes or (Purpose.SIGNING, Purpose.TLS, Purpose.ENCRYPTION)))
    party = instance.resolve(who)
    stage = Stage(instance=instance, trust=trust, oin=party.oin, at=at or now, now=now)
    return list(_party(stage, party, given, purposes or _used(party, given)))


# --- a party -------------------------------------------------------------------------------------------------


def _used(party: Party, given: Sequence[Candidate]) -> tuple[Purpose, ...]:
    """Encryption has a key of its own, so a given certificate is rehearsed for it only when that is asked."""
    encrypts = not given and (party.encryption or any(one.purpose is Purpose.ENCRYPTION for one in party.rollovers))
    return (Purpose.TLS, Purpose.SIGNING, *((Purpose.ENCRYPTION,) if encrypts else ()))


def _party(
    stage: Stage, party: Party, given: Sequence[Candidate], purposes: Sequence[Purpose]
) -> Iterator[Rehearsed]:
    known, chosen = _known(stage.instance, party), dict[str, Candidate]()
    for purpose in purposes:
        usage = _USAGE[purpose]
        found = list(given) or _present(party, purpose, stage.at, known)
        if not found:
            yield Rehearsed(place=str(purpose), certificate="", holds=None,
                            detail=f"this instance knows no {purpose} certificate of {party.slug}",
                            remedy="name one with --certificate")
            continue
        best = _best(stage, found, usage, purpose)
        chosen[best.sha256] = best
        yield from _uses(stage, party, best, purpose, usage)
        yield overlap(best, _before(party, purpose, best, known), f"{purpose}: overlap with the old one")
        if purpose is Purpose.TLS and party.push is not None:
            one = _best(stage, found, Usage.SERVER, purpose)
            chosen[one.sha256] = one
            yield as_server(stage, one, party.push, "push endpoint")
    for one in chosen.values():
        yield from facts(stage, one)


def _uses(
    stage: Stage, party: Party, one: Candidate, purpose: Purpose, usage: Usage
) -> Iterator[Rehearsed]:
    """The place itself, what the address book says of it, and for a signer who answers how."""
    place = _PLACE[purpose]
    yield row(place, one, stage.against(one, usage).get("usage"), f"its usage fits a {place}", REMEDY["usage"])
    if purpose is Purpose.ENCRYPTION:
        yield _encrypted_to(party, one, stage.at)
        return
    refusal = certificate_refusal(party, purpose, one.sha256, stage.at)
    registered = "named there" if one.sha256 in party.pins or any(
        one.sha256 in (each.old.sha256, each.new.sha256) for each in party.rollovers if each.purpose is purpose
    ) else "no pins: trust path and OIN decide"
    yield row(f"{place}: address book", one, refusal, registered,
              "add it to certificates or pins, or plan the change with [[party.rollover]]")
    if purpose is Purpose.SIGNING:
        yield _answers(stage.instance.signing, one, stage.at)


def _encrypted_to(party: Party, one: Candidate, at: datetime) -> Rehearsed:
    """What the hub encrypts to is what the address book names, whatever the party installs."""
    used = encryption_certificate(party, at)
    cause = None
    if used is None:
        cause = "the address book names no encryption certificate of the party"
    elif used.sha256 != one.sha256:
        cause = f"the hub encrypts to {used.name} then, by the address book"
    return row("encryption: address book", one, cause, "named there",
               "name it under encryption, or plan the change with [[party.rollover]]; keep the old key to decrypt with")


def _present(party: Party, purpose: Purpose, at: datetime, known: Sequence[Candidate]) -> list[Candidate]:
    """What the party uses at that moment, as far as the instance knows."""
    planned = (encryption_certificate(party, at) if purpose is Purpose.ENCRYPTION
               else certificate_in_use(party, purpose, at))
    if planned is not None and planned.der is not None:
        return [candidate(planned.name, planned.der)]
    return [one for one in known if planned is None or one.sha256 == planned.sha256]


def _known(instance: Instance, party: Party) -> list[Candidate]:
    """The party's certificates that are files of this instance: its pins, and those of a throw-away PKI."""
    files = list(named_certificates(instance.folder / "parties.toml").get(party.id, ()))
    pki = instance.folder / "pki"
    files += [path for kind in ("tls", "sign") if (path := pki / f"{party.slug}-{kind}.pem").is_file()]
    found = [candidate(path.name, load_certificate(path)) for path in files]
    return list({one.sha256: one for one in found}.values())


def _before(party: Party, purpose: Purpose, one: Candidate, known: Sequence[Candidate]) -> Candidate | None:
    """The certificate that this one takes the place of: as a rollover says, else a known one of the same kind."""
    for rollover in party.rollovers:
        if rollover.purpose is purpose and rollover.new.sha256 == one.sha256 and rollover.old.der is not None:
            return candidate(rollover.old.name, rollover.old.der)
    return next((each for each in known if each.sha256 != one.sha256 and _MARK[purpose] in each.name), None)


def _best(stage: Stage, found: Sequence[Candidate], usage: Usage, purpose: Purpose) -> Candidate:
    """The one that fits best: an organisation that changes two certificates at once names both."""
    return min(found, key=lambda one: ("usage" in (against := stage.against(one, usage)), len(against),
                                       _MARK[purpose] not in one.name))


def _answers(keys: Sequence[SigningKey], one: Candidate, at: datetime) -> Rehearsed:
    """The hub answers in the family of the request (docs/contract.md §3)."""
    valid = [key for key in keys if key.in_force(at)]
    if not valid:
        return row("answers of the hub", one, "no signing certificate of the hub is in force then", "",
                    "rehearse the hub: gateway certs rehearse hub")
    same = any(key.family == one.family for key in valid)
    words = "in the same family" if same else f"in {valid[0].family}, as the hub has no key of its family"
    return row("answers of the hub", one, None, f"to a request signed with {one.family} it answers {words}", "")


# --- the hub -------------------------------------------------------------------------------------------------


def _hub(stage: Stage, given: Sequence[Candidate], purposes: Sequence[Purpose]) -> Iterator[Rehearsed]:
    """Given certificates are for the first of these purposes only: a hub has its own for each."""
    settings = stage.instance.settings
    for at, purpose in enumerate(purposes if not given else purposes[:1]):
        mine = given if at == 0 else ()
        if purpose is Purpose.SIGNING:
            yield from _hub_signing(stage, mine, _loaded(settings.signing))
        elif purpose is Purpose.ENCRYPTION:
            yield from _hub_encryption(stage, mine, _loaded(settings.encryption))
        else:
            present = _loaded((settings.soap.tls,))[0]
            one = mine[0] if mine else present
            yield as_server(stage, one, settings.hub.public_url, "TLS, as parties see it")
            yield overlap(one, present if mine else None, "tls: overlap with the old one")
            yield from facts(stage, one)


def _loaded(pairs: Sequence[KeyPair]) -> list[Candidate]:
    return [candidate(pair.certificate.name, load_certificate(pair.certificate)) for pair in pairs]


def _hub_encryption(stage: Stage, given: Sequence[Candidate], present: Sequence[Candidate]) -> Iterator[Rehearsed]:
    """The certificate that parties encrypt to; every key of the list goes on decrypting."""
    for one in given or present:
        cause = stage.against(one, Usage.ENCRYPTION).get("usage")
        yield row("encryption, as parties see it", one, cause, "one can encrypt to it", REMEDY["usage"])
        if given and present:
            yield overlap(one, present[0], "encryption: overlap with the old one")
        yield from facts(stage, one)


def _hub_signing(
    stage: Stage, given: Sequence[Candidate], present: Sequence[Candidate]
) -> Iterator[Rehearsed]:
    """The list as it would be, newest first: what parties see of it, and who signs what."""
    listed = [*given, *(one for one in present if one.sha256 not in {each.sha256 for each in given})]
    for family in ("rsa", "ecdsa"):
        yield _signs(family, listed, present, stage)
    for one in given or listed:
        cause = stage.against(one, Usage.SIGNING).get("usage")
        yield row("signature, as parties see it", one, cause, "its usage fits a signer", REMEDY["usage"])
        if given:
            yield overlap(one, present[0], "signing: overlap with the old one")
        yield from facts(stage, one)


def _signs(family: str, listed: Sequence[Candidate], present: Sequence[Candidate], stage: Stage) -> Rehearsed:
    """Which certificate answers parties that sign in this family; another family than now breaks those that pin it."""
    place = f"answers to parties that sign with {family}"
    now, then = _signer(family, present, stage.now), _signer(family, listed, stage.at)
    if then is None:
        return Rehearsed(place=place, certificate="", holds=False, detail="no certificate of the list is in force then",
                         remedy="put one under [[signing]] that is in force")
    changed = now is not None and now.family == family and then.family != family
    return row(place, then, f"the family changes from {family} to {then.family}: parties may not be able to verify it"
                if changed else None, f"signed with {then.family}", f"keep an {family} key under [[signing]]")


def _signer(family: str, listed: Sequence[Candidate], at: datetime) -> Candidate | None:
    valid = [one for one in listed if one.parsed.not_valid_before_utc <= at <= one.parsed.not_valid_after_utc]
    return next((one for one in valid if one.family == family), valid[0] if valid else None)
