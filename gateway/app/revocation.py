"""What keeps revocation known beside the requests: fetching lists, and saying in time that one is about to lapse."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.app.trust import LiveTrust
from gateway.errors import GatewayError
from gateway.ports import Clock, Observe
from gateway.security import accept_list, lapses, load_certificates
from gateway.settings import Trust
from gateway.transport import Fetched, FetchLimits, RemoteList, fetch_list, refresh_after

_ALARM_AGAIN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one list in one round; `error` where it failed, and then the file is as it was."""

    wanted: RemoteList
    fetched: Fetched | None
    error: GatewayError | None = None


def fetch_round(
    settings: Trust, *, clock: Clock, after: timedelta | None, limits: FetchLimits | None = None
) -> Iterator[Outcome]:
    """Fetch every list that has an address and is due (`after`: its age; None: all of them), one after another."""
    def accept(fetched: bytes, kept: bytes | None, url: str) -> bytes:
        anchors = [(str(path), der) for path in settings.anchors for der in load_certificates(path)]
        return accept_list(fetched, kept, anchors, source=url, now=clock())

    for one in settings.lists:
        if one.url is None:
            continue
        wanted = RemoteList(file=one.file, url=one.url)
        try:
            fetched = fetch_list(wanted, accept, now=clock(), after=after, limits=limits)
            yield Outcome(wanted=wanted, fetched=fetched)
        except GatewayError as error:
            yield Outcome(wanted=wanted, fetched=None, error=error)


class Watch:
    """The background work of a running hub: lists that are due are fetched, lists that are about to lapse are told."""

    def __init__(self, settings: Trust, trust: LiveTrust, clock: Clock, observe: Observe) -> None:
        self._settings, self._trust, self._clock, self._observe = settings, trust, clock, observe
        self._alarmed: dict[str, datetime] = {}

    def fetch(self, taken: Callable[[], None] = lambda: None) -> None:
        """One round; `taken` is called after it, also when another process had the turn."""
        for outcome in fetch_round(self._settings, clock=self._clock, after=refresh_after(self._settings.crl_max_age)):
            file = outcome.wanted.file.name
            if outcome.error is not None:
                self._observe("crl-not-fetched", {"list": file, "error": outcome.error})
            elif outcome.fetched in (Fetched.NEW, Fetched.CURRENT):
                self._observe("crl-fetched", {"list": file, "outcome": str(outcome.fetched)})
        taken()
        self.alarm()

    def alarm(self) -> None:
        """Say which lists lapse soon, once an hour for as long as they do."""
        now = self._clock()
        for one in lapses(self._trust.snapshot, self._settings.crl_alarm):
            if not one.alarms(now):
                self._alarmed.pop(one.authority, None)
            elif now - self._alarmed.get(one.authority, datetime.min.replace(tzinfo=now.tzinfo)) >= _ALARM_AGAIN:
                self._alarmed[one.authority] = now
                self._observe("crl-lapsing", {"ca": one.authority, "list": Path(one.source).name, "lapses": _at(one.at),
                                              "cause": one.cause})


def _at(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment is not None else "now"
