"""Is the hub well? For /health/ready and /metrics while it runs, and for `gateway doctor` beside it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from gateway.app import front
from gateway.app.instance import Instance, open_instance, utc_now
from gateway.app.log import Log
from gateway.app.pushed import push_words
from gateway.app.restore import behind
from gateway.app.trust import LiveTrust, read_snapshot
from gateway.app.watched import late_duties, switched_off
from gateway.errors import CertificateRejected, GatewayError, Misconfigured
from gateway.routing import encryption_certificate
from gateway.security import Lapse, TrustSnapshot, Usage, check_certificate, lapses, load_certificate
from gateway.settings import Token
from gateway.storage import Checkpoints, Duties, Pushes, Reports, SqlSwitches, open_store, sealed_to
from gateway.transport import Check, build_contracts

_STAMP_WAITS = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing `gateway doctor` looked at; one that holds and has a remedy will not hold for long."""

    name: str
    holds: bool
    detail: str
    remedy: str = ""


def ready_checks(instance: Instance, trust: LiveTrust, reports: Reports) -> Mapping[str, Check]:
    """What must hold to serve: store, sealing keys, revocation lists, signing key."""
    now, alarm = utc_now(), instance.settings.trust.crl_alarm
    return {"store": _store_check(reports, now), "trust": _trust_check(trust.snapshot, now, alarm),
            "signing": _signing_check(instance, now), "keys": _keys_check(instance)}


def _store_check(reports: Reports, now: datetime) -> Check:
    try:
        counts = reports.counts(now=now, refused_since=now)
    except GatewayError as error:
        return Check(ok=False, text=error.detail)
    return Check(ok=True, text=f"{counts.waiting} waiting, {counts.overdue} overdue")


def _trust_check(snapshot: TrustSnapshot, now: datetime, alarm: timedelta) -> Check:
    found = sorted(lapses(snapshot, alarm), key=lambda one: one.at or now)
    for one in found:
        if one.at is None or one.at < now:
            return Check(ok=False, text=f"no current revocation list of {one.authority}: {_lapse_words(one, now)}")
    for one in found:
        if one.alarms(now):
            return Check(ok=True, warning=True, text=f"the revocation list of {one.authority} lapses soon: "
                                                     f"{_lapse_words(one, now)}")
    return Check(ok=True, text=f"{len(snapshot.anchors)} CA(s), lists current")


def _lapse_words(lapse: Lapse, now: datetime) -> str:
    if lapse.at is None:
        return f"{lapse.cause}; fetch it"
    verb = "lapses" if now <= lapse.at else "lapsed"
    return (f"{Path(lapse.source).name} {verb} at {lapse.at:%Y-%m-%dT%H:%M:%SZ}, as {lapse.cause}; "
            "fetch it again")


def _signing_check(instance: Instance, now: datetime) -> Check:
    valid = [key for key in instance.signing if key.in_force(now)]
    if not valid:
        return Check(ok=False, text="no signing certificate is in force; renew it, or see the clock")
    return Check(ok=True, text=f"signing certificate valid until {valid[0].not_after:%Y-%m-%d}")


def _keys_check(instance: Instance) -> Check:
    folder = instance.settings.store.keys
    if isinstance(folder, Token):
        try:
            return Check(ok=True, text=f"{len(instance.vault.epochs())} key(s) in token {folder.label}")
        except GatewayError as error:
            return Check(ok=False, text=error.detail)
    writable = folder.parent.is_dir() if not folder.exists() else folder.is_dir()
    return Check(ok=writable, text=f"key directory {folder.name}" if writable else f"{folder} is no directory")


def store_metrics(log: Log, trust: LiveTrust, reports: Reports, checkpoints: Checkpoints) -> Iterable[Metric]:
    """Figures for Prometheus: counters of this process, gauges of the store and of the revocation lists."""
    now = utc_now()
    left = GaugeMetricFamily("gateway_crl_seconds_to_lapse", "Until the revocation list of this CA stops counting",
                             labels=["ca"])
    for one in lapses(trust.snapshot, timedelta()):
        left.add_metric([one.authority], (one.at - now).total_seconds() if one.at is not None else 0.0)
    yield left
    events = CounterMetricFamily("gateway_events", "What happened in this process", labels=["event", "what"])
    for (event, what), count in sorted(log.counts.items()):
        events.add_metric([event, what], count)
    yield events
    counts = reports.counts(now=now, refused_since=now - timedelta(hours=1))
    oldest = (now - counts.oldest_uncollected).total_seconds() if counts.oldest_uncollected else 0.0
    for name, text, value in (
        ("gateway_waiting_messages", "Messages available or collected, not confirmed", counts.waiting),
        ("gateway_overdue_messages", "Messages past their term, not yet erased", counts.overdue),
        ("gateway_oldest_uncollected_seconds", "Age of the uncollected message whose term ends first", oldest),
        ("gateway_refused_last_hour", "Requests refused in the last hour", counts.refused),
        ("gateway_journal_entries", "Entries of all journal chains", sum(one.position for one in counts.heads)),
        ("gateway_trust_age_seconds", "Since the revocation lists were read",
         (now - trust.snapshot.loaded_at).total_seconds()),
    ):
        yield GaugeMetricFamily(name, text, value=value)
    yield from _journal_metrics(checkpoints, now)


def _journal_metrics(checkpoints: Checkpoints, now: datetime) -> Iterable[Metric]:
    """How far the journal is signed. Of several nodes the youngest age counts."""
    ends = checkpoints.ends()
    unsigned = sum(head.position - (newest.size if newest else 0) for head, newest in ends)
    yield GaugeMetricFamily("gateway_journal_unsigned_entries", "Entries that no checkpoint covers yet", value=unsigned)
    signed = [newest for _, newest in ends if newest is not None]
    stamps = [at for one in signed if (at := checkpoints.newest_stamp(one.node)) is not None]
    for name, text, times in (
        ("gateway_checkpoint_age_seconds", "Since the last checkpoint of the journal", [one.at for one in signed]),
        ("gateway_time_stamp_age_seconds", "Since the last time-stamp of a checkpoint", stamps),
    ):
        age = GaugeMetricFamily(name, text)
        if times:
            age.add_metric([], (now - max(times)).total_seconds())
        yield age


def examine(folder: Path) -> list[Diagnosis]:
    """`gateway doctor`: everything an instance needs, each with cause and remedy. Never raises."""
    try:
        instance = open_instance(folder)
    except GatewayError as error:
        return [Diagnosis(name="gateway.toml", holds=False, detail=error.detail, remedy="correct the file")]
    found = [Diagnosis(name="gateway.toml", holds=True, detail="read")]
    found.append(_attempt("parties.toml", lambda: f"{len(instance.register.everyone)} parties",
                          "correct the file; try `gateway parties plan`"))
    found.append(_attempt("message sets", lambda: _sets(instance),
                          "run `gateway sets wsdl`, then `gateway sets check`"))
    found.append(_attempt("signing keys", lambda: f"{len(instance.signing)} key(s)", "see [signing] in gateway.toml"))
    found.append(_attempt("encryption keys", lambda: f"{len(instance.encryption)} key(s)",
                          "see [encryption] in gateway.toml"))
    found.append(_store(instance, f"gateway db upgrade {folder}; a damaged file: restore it "
                                  "(docs/operations/backup.md)"))
    found.append(_attempt("sealing keys", lambda: f"{len(instance.vault.epochs())} day(s)",
                          "see 'keys' of [store] in gateway.toml"))
    found.append(_attempt("journal", lambda: _journal(instance),
                          "run the hub, which signs it; see docs/operations/backup.md"))
    found.append(_attempt("TLS", lambda: _tls(instance), "see [soap] in gateway.toml"))
    found.append(_trust(instance))
    found += [_attempt(f"certificate {path.name}", partial(_certificate, instance, path, usage),
                       "renew it with your CA; see `gateway certs expiring`")
              for path, usage in _own_certificates(instance)]
    found.append(_attempt("certificates of parties", lambda: _registered(instance),
                          "ask the party for its present one, and name it in parties.toml"))
    found.append(_addressed(instance))
    found += [_pushes(instance), _switches(instance), _duties(instance)]
    return found


def _attempt(name: str, ask: Callable[[], str], remedy: str) -> Diagnosis:
    try:
        return Diagnosis(name=name, holds=True, detail=ask())
    except GatewayError as error:
        return Diagnosis(name=name, holds=False, detail=error.detail or type(error).__name__, remedy=remedy)


def _sets(instance: Instance) -> str:
    sets, services = instance.settings.sets, instance.catalog.services
    build_contracts(services, wsdl_root=sets.wsdl, xsd_root=sets.xsd, public_url=instance.settings.hub.public_url)
    return f"{len(instance.catalog.sets)} sets, {len(services)} services with their WSDL"


def _tls(instance: Instance) -> str:
    front.server_tls(instance.settings)
    return "certificate, key, anchors and lists load"


def _store(instance: Instance, remedy: str) -> Diagnosis:
    try:
        with open_store(instance.settings.store.database) as store:
            now = utc_now()
            waiting, remarks = Reports(store).counts(now=now, refused_since=now).waiting, store.remarks()
    except GatewayError as error:
        return Diagnosis(name="store", holds=False, detail=error.detail or type(error).__name__, remedy=remedy)
    return Diagnosis(name="store", holds=True, detail=f"its tables are those of this gateway, {waiting} waiting",
                     remedy="; ".join(remarks))


def _journal(instance: Instance) -> str:
    """Is the journal signed and published? Raises Misconfigured."""
    settings, now = instance.settings, utc_now()
    with open_store(settings.store.database) as store:
        ends = Checkpoints(store).ends()
        reason = behind(settings, store)
    if reason:
        raise Misconfigured(reason)
    for _, newest in ends:
        if settings.journal.tsa and newest and newest.stamped_at is None and now - newest.at > _STAMP_WAITS:
            raise Misconfigured("the last checkpoint waits long for its time-stamp; see time-stamp-not-made in the log")
    entries, signed = sum(head.position for head, _ in ends), sum(newest.size for _, newest in ends if newest)
    return f"{entries} entries, {signed} of them signed"


def _trust(instance: Instance) -> Diagnosis:
    settings, now = instance.settings.trust, utc_now()
    remedy = "fetch the CA's list again (gateway certs fetch); of a throw-away PKI: gateway certs crl"
    try:
        check = _trust_check(read_snapshot(settings, now), now, settings.crl_alarm)
    except GatewayError as error:
        return Diagnosis(name="trust", holds=False, detail=error.detail, remedy=remedy)
    return Diagnosis(name="trust", holds=check.ok, detail=check.text,
                     remedy=remedy if check.warning or not check.ok else "")


def _own_certificates(instance: Instance) -> list[tuple[Path, Usage]]:
    settings = instance.settings
    return [(settings.soap.tls.certificate, Usage.SERVER),
            *((pair.certificate, Usage.SIGNING) for pair in settings.signing),
            *((pair.certificate, Usage.ENCRYPTION) for pair in settings.encryption)]


def _registered(instance: Instance) -> str:
    """The certificates that the hub encrypts to by the address book (docs/profile.md §14)."""
    now, count = utc_now(), 0
    trust = read_snapshot(instance.settings.trust, now)
    for party in instance.register.parties():
        registered = encryption_certificate(party, now)
        if registered is None or registered.der is None:
            continue
        try:
            checked = check_certificate(registered.der, trust, now, usage=Usage.ENCRYPTION)
        except CertificateRejected as error:
            raise Misconfigured(f"{registered.name} of {party.slug}: {error.detail}") from error
        if checked.certificate.oin != party.oin:
            raise Misconfigured(f"{registered.name} of {party.slug} is of OIN {checked.certificate.oin}")
        count += 1
    return f"{count} to encrypt to, all of which hold"


def _addressed(instance: Instance) -> Diagnosis:
    """What waits that only its addressee can read, and of that what needs a key it may have put away."""
    name = "content for addressees alone"
    try:
        with open_store(instance.settings.store.database, node=instance.settings.hub.node) as store:
            waiting = sealed_to(store)
        old = [one for one in waiting if instance.encrypts_to(one.receiver) != one.certificate]
        parties = {one.receiver: instance.register.by_id(one.receiver) for one in old}
    except GatewayError as error:
        return Diagnosis(name=name, holds=False, detail=error.detail or type(error).__name__,
                         remedy="see the lines above")
    needing = ", ".join(sorted(party.slug if party else one for one, party in parties.items()))
    return Diagnosis(
        name=name, holds=True, detail=f"{sum(one.deliveries for one in waiting)} waiting" + (
            f", {sum(one.deliveries for one in old)} of them for an earlier certificate of {needing}" if old else ""),
        remedy="let the party keep its old key until it has confirmed them (gateway privacy report)" if old else "")


def _switches(instance: Instance) -> Diagnosis:
    """What is switched off, for somebody who wonders why a message is refused."""
    def ask() -> str:
        with open_store(instance.settings.store.database) as store:
            return switched_off(SqlSwitches(store).read(), instance.party_name)

    found = _attempt("switches", ask, "see the lines above")
    if not found.detail:
        return replace(found, detail="everything is on")
    return replace(found, remedy="gateway parties resume, gateway modules resume") if found.holds else found


def _pushes(instance: Instance) -> Diagnosis:
    """Parties whose own service does not take what is for them."""
    def ask() -> str:
        with open_store(instance.settings.store.database) as store:
            return push_words(Pushes(store), utc_now(), instance.party_name)

    found = _attempt("push", ask, "see the lines above")
    if not found.detail:
        return replace(found, detail="every service is called")
    return replace(found, remedy="gateway deliveries list says why; then ask the party") if found.holds else found


def _duties(instance: Instance) -> Diagnosis:
    """A hub that stands still does no duties; one of several that is late while others are done is a fault."""
    name, now = "duties", utc_now()
    try:
        with open_store(instance.settings.store.database) as store:
            states = Duties(store, holder="").all()
    except GatewayError as error:
        return Diagnosis(name=name, holds=False, detail=error.detail, remedy="see the lines above")
    late = late_duties(states, now)
    if late and any(not one.late(now) for one in states):
        return Diagnosis(name=name, holds=False, detail=late, remedy="see duty-failed and mistake in the log of the "
                         "node that `gateway duties list` names")
    if late or not states:
        return Diagnosis(name=name, holds=True, detail=late or "none was ever done", remedy="start the hub")
    return Diagnosis(name=name, holds=True, detail=f"{len(states)}, all done in time")


def _certificate(instance: Instance, path: Path, usage: Usage) -> str:
    der, now = load_certificate(path), utc_now()
    starts = x509.load_der_x509_certificate(der).not_valid_before_utc
    if usage is Usage.SIGNING and now < starts and any(key.in_force(now) for key in instance.signing):
        return f"waits: signs from {starts:%Y-%m-%d}"
    checked = check_certificate(der, read_snapshot(instance.settings.trust, now), now, usage=usage)
    if usage is not Usage.SERVER and checked.certificate.oin != instance.settings.hub.oin:
        raise Misconfigured(f"{path.name} is of OIN {checked.certificate.oin}, but [hub] oin is "
                            f"{instance.settings.hub.oin}: parties will refuse every answer")
    return f"OIN {checked.certificate.oin}, valid until {checked.certificate.not_after:%Y-%m-%d}"
