"""A party's receiving service as a process: `gateway listen`, to try out push without any other software."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from gateway.app.instance import Instance, new_id, open_instance, utc_now
from gateway.app.trust import LiveTrust
from gateway.party import Inbox, Receiver, pushed_to
from gateway.ports import Observe
from gateway.security import Usage
from gateway.soap import Limits
from gateway.transport import Background, OwnMeter, Quota, RequestLimits, Server, ServerTls, SoapListener, bind, url_of
from gateway.values import Allowance, Party

_PORT: Final = 9443  # where nothing is registered and nothing asked
_PATH: Final = "/ontvangst"
_LOOPBACK: Final = ("localhost", "127.0.0.1")
_OF_HUB: Final = Allowance(requests_per_second=1_000, burst=1_000, connections=500)


def listen(
    folder: Path, who: str, *, port: int | None, into: Path | None, ready: Callable[[str], None], tell: Observe,
) -> None:
    """Take what the hub pushes to a party of this instance, until SIGTERM.

    Takes   `port`: 0 chooses a free one; None: the one of the registered address. `into`: where messages are kept;
            None: `ontvangen/<slug>` in the instance folder. `ready(url)` is called once it listens; `tell` hears of
            every message by its numbers, and of every refusal.
    Raises  ReceiverUnknown, Misconfigured.
    """
    instance = open_instance(folder)
    party = instance.resolve(who)
    registered = urlsplit(party.push or f"https://localhost:{_PORT}{_PATH}")
    soap = bind(f"127.0.0.1:{registered.port or 443 if port is None else port}")
    path = registered.path or "/"
    own = [f"https://{host}:{urlsplit(url_of(soap, 'https')).port}{path}" for host in _LOOPBACK]
    live = LiveTrust(instance.settings.trust, utc_now, tell)
    inbox = Inbox(into or instance.folder / "ontvangen" / party.slug)
    inbox.clear()
    receiver = receiver_of(instance, party, live, inbox, addresses=[*own, *filter(None, [party.push])], tell=tell)
    listener = SoapListener(
        answer=receiver.answer, refuse=receiver.decline, begin=receiver.begin, services=[path], contracts={},
        now=utc_now, quota=(quota := _quota(receiver, tell)),
        limits=RequestLimits(max_octets=receiver.limits.max_octets))
    tls = ServerTls.of(instance.party_tls(party))
    Server(soap=listener, soap_socket=soap, tls=tls, quota=quota, ready=lambda *_: ready(own[0]),
           background=[Background(seconds=20, function=partial(live.renew, tls.reload)),
                       Background(seconds=20, function=tls.renew_sessions)]).run()


def receiver_of(
    instance: Instance, party: Party, live: LiveTrust, inbox: Inbox, *, addresses: list[str], tell: Observe,
) -> Receiver:
    """The receiving service of a party of this instance, with the keys in its pki folder."""
    signing = instance.party_signing(party)
    return Receiver(
        party=party, hub_oin=instance.settings.hub.oin, addresses=addresses, catalog=instance.catalog,
        pushed=pushed_to(party, instance.catalog), check_caller=live.checker(Usage.CLIENT),
        check_signer=live.checker(Usage.SIGNING), policy=instance.policy, signing=signing,
        encryption=instance.party_encryption(party, signing, live.checker(Usage.ENCRYPTION)), inbox=inbox,
        limits=Limits(max_octets=instance.settings.soap.max_octets), new_id=new_id, observe=tell)


def _quota(receiver: Receiver, tell: Observe) -> Quota:
    """The hub may ask as much as it likes, anybody else next to nothing."""
    return Quota(lambda oin: _OF_HUB if oin == receiver.hub_oin else None, OwnMeter(), monotonic, tell)
