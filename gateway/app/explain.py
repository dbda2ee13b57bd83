"""Explaining an envelope in a file: what the engine is told about an instance, and its findings as plain rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gateway.app.hub import addresses_of
from gateway.app.instance import Instance, open_instance, utc_now
from gateway.app.trust import LiveTrust
from gateway.app.words import in_words
from gateway.errors import Misconfigured
from gateway.pipeline import knowledge
from gateway.security import (
    Known,
    SecurityPolicy,
    Sent,
    Usage,
    diagnose,
    load_certificate,
    local_budget,
    stated_created,
)
from gateway.soap import Limits

_POLICY = SecurityPolicy(token_signed=True, skew=timedelta(seconds=60), max_age=timedelta(seconds=300))


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """An explanation for a person."""

    at: datetime
    holds: bool
    checks: tuple[dict[str, object], ...]  # check, nl, en, holds, diagnoses
    differences: tuple[str, ...]


def explain_file(
    file: Path, *, folder: Path | None = None, at: datetime | None = None, signed: Path | None = None,
    soap_action: str | None = None, content_type: str | None = None, tls: Path | None = None,
) -> Story:
    """Explain the envelope in a file. Without `folder` only what the message itself proves; without `at` as of the
    moment the message states, so that its clock is not judged. Raises Misconfigured for a file that can't be read.
    """
    octets = _read(file)
    moment = at or stated_created(octets) or utc_now()
    sent = Sent(octets=octets, content_type=content_type, soap_action=soap_action,
                peer=load_certificate(tls) if tls else None, signed=_read(signed) if signed else None)
    known = (_instance_knows(open_instance(folder), moment, clock=at is not None) if folder else
             Known(now=moment, clock=at is not None, policy=_POLICY, limits=Limits()))
    found = diagnose(sent, known, local_budget())
    return Story(at=moment, holds=found.holds, checks=tuple(in_words(found.checks)), differences=found.differences)


def _instance_knows(instance: Instance, now: datetime, *, clock: bool) -> Known:
    """The instance's own view, with its revocation lists as if they were read at that moment."""
    settings = instance.settings
    trust = LiveTrust(settings.trust, lambda: now, lambda event, facts: None)
    return knowledge(
        now=now, clock=clock, policy=instance.policy, limits=Limits(max_octets=settings.soap.max_octets),
        check_signer=trust.checker(Usage.SIGNING), trust=trust.snapshot, register=instance.register,
        services=instance.catalog.services, hub_oin=settings.hub.oin,
        addresses=addresses_of(instance.catalog.services, {settings.hub.public_url, instance.hub_url()}),
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{file}: {error.strerror}") from error
