"""Which of the profiles that are agreed this hub can keep: checked when the address book is read, and at start."""

from collections.abc import Iterable

from gateway.errors import Misconfigured
from gateway.names import ENCRYPTED_PROFILE
from gateway.values import Party, Service

_REMEDY = "add [encryption] with a certificate and key to gateway.toml"


def check_profiles(parties: Iterable[Party], services: Iterable[Service], *, able: bool) -> None:
    """Every agreed profile is of a service there is, and 2W-be-SE only where the hub has a key to decrypt with.

    A misspelt name would leave a party's messages in clear while it believes otherwise, so it is refused.
    Takes   `able`: gateway.toml has an [encryption].
    Raises  Misconfigured.
    """
    known = {service.agreed_as for service in services}
    for party in parties:
        for name, profile in party.profiles.items():
            if name not in known:
                raise Misconfigured(f"parties.toml: 'profiles' of {party.slug}: there is no module or service {name}; "
                                    f"known here: {', '.join(sorted(known))}")
            if profile == ENCRYPTED_PROFILE and not able:
                raise Misconfigured(f"parties.toml: 'profiles' of {party.slug} asks {profile} for {name}; {_REMEDY}")


def check_sets(services: Iterable[Service], *, able: bool) -> None:
    """No message set asks 2W-be-SE of everybody where the hub has no key for it. Raises Misconfigured."""
    asking = sorted({str(service.key) for service in services if service.profile == ENCRYPTED_PROFILE})
    if asking and not able:
        raise Misconfigured(f"gateway.toml: {', '.join(asking)} asks {ENCRYPTED_PROFILE}; {_REMEDY}")
