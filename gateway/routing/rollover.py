"""Which certificates of a party count, and when: pins, and the rollover from one certificate to the next.

The one place that decides it, for callers, signers and encryption alike. What a certificate must be is
`security/pki.py`'s to say; this asks only whether the address book takes it at this moment. Without pin and rollover
it does: then trust path and OIN decide (docs/decisions/0013).
"""

from datetime import datetime
from typing import Final

from gateway.values import Party, Purpose, Registered, Rollover, RolloverState

# What each state takes, and which of the two we use where the choice is ours.
_TAKEN: Final = {
    RolloverState.ANNOUNCED: ("old",), RolloverState.BOTH: ("old", "new"), RolloverState.PREFERRED: ("old", "new"),
    RolloverState.RETIRED: ("new",),
}
_USED: Final = {
    RolloverState.ANNOUNCED: "old", RolloverState.BOTH: "old", RolloverState.PREFERRED: "new",
    RolloverState.RETIRED: "new",
}


def certificate_refusal(party: Party, purpose: Purpose, sha256: str, now: datetime) -> str | None:
    """Why the address book does not take this certificate of this party at this moment; None when it does.

    A rollover that names it decides first, then the pins; of a party with neither every certificate is taken.
    """
    named = [one for one in party.rollovers if one.purpose is purpose and sha256 in (one.old.sha256, one.new.sha256)]
    for rollover in named:
        state = rollover.state(now)
        which = "new" if sha256 == rollover.new.sha256 else "old"
        if which not in _TAKEN[state]:
            return _words(rollover, which, party)
    if named or not party.pins or sha256 in party.pins:
        return None
    return f"certificate {sha256} is not registered for {party.slug}"


def certificate_in_use(party: Party, purpose: Purpose, now: datetime) -> Registered | None:
    """The certificate that we use of this party for this purpose at this moment, where its rollovers say so.

    None: it has no rollover for this purpose, and the one certificate the address book names is the one.
    """
    own = [one for one in party.rollovers if one.purpose is purpose]
    if not own:
        return None
    begun = [one for one in own if _USED[one.state(now)] == "new"]
    return max(begun, key=lambda one: one.preferred).new if begun else own[0].old


def encryption_certificate(party: Party, now: datetime) -> Registered | None:
    """The certificate that what is for this party is encrypted to at this moment; None when it registered none."""
    return certificate_in_use(party, Purpose.ENCRYPTION, now) or party.encryption


def certificates_accepted(party: Party, purpose: Purpose, now: datetime) -> tuple[Registered, ...]:
    """The certificates that the party's rollovers name for this purpose and that are taken at this moment."""
    own = [one for one in party.rollovers if one.purpose is purpose]
    named = {one.sha256: one for rollover in own for one in (rollover.old, rollover.new)}
    return tuple(one for one in named.values() if certificate_refusal(party, purpose, one.sha256, now) is None)


def _words(rollover: Rollover, which: str, party: Party) -> str:
    if which == "new":
        return (f"{rollover.purpose} certificate {rollover.new.name} of {party.slug} is announced, "
                f"accepted from {rollover.accepted:%Y-%m-%dT%H:%M:%SZ}")
    return (f"{rollover.purpose} certificate {rollover.old.name} of {party.slug} was retired on "
            f"{rollover.retired:%Y-%m-%dT%H:%M:%SZ}; it uses {rollover.new.name} now")
