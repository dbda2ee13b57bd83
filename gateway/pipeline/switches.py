"""What an operator switched off is refused with a fault that says to come back later. A snapshot decides, no query."""

from typing import Final

from gateway.errors import Draining
from gateway.routing import Addressed, sift
from gateway.switches import Switches
from gateway.values import Finding, Party, SetKey

RETRY_SECONDS: Final = 300  # a pause is a matter of minutes at best; whoever waits need not knock every five seconds


def refuse_paused(key: SetKey, switches: Switches) -> None:
    """Are this set's services open? Raises Draining."""
    if switches.paused(key.module, key.version) is not None:
        raise _later(f"{key} is paused", "module-gepauzeerd",
                     nl=f"{key.module} {key.version} is tijdelijk niet beschikbaar.",
                     en=f"{key.module} {key.version} is temporarily not available.")


def awake(sender: Party, asked: Addressed, switches: Switches) -> Addressed:
    """The addressees that take part in new messages now; the others are refused legs, for now (SKP901).

    Raises Draining, naming the party by id: the sender does not, or no addressee; or what another leg was refused for.
    """
    if not switches.parties:
        return asked

    def takes_part(party: Party) -> Party:
        if switches.drained(party.id) is not None:
            raise _later(f"{party.slug} is drained", "deelnemer-gepauzeerd",
                         nl=f"Van en voor deelnemer {party.id} worden tijdelijk geen nieuwe berichten aangenomen.",
                         en=f"No new messages from or for party {party.id} are accepted for the time being.")
        return party

    takes_part(sender)
    receivers, refused = sift(asked.receivers, takes_part, lambda party: party.id, asked.refused)
    return Addressed(receivers=receivers, refused=refused)


def _later(detail: str, rule: str, *, nl: str, en: str) -> Draining:
    error = Draining(detail)
    error.retry_after = RETRY_SECONDS
    error.findings = (Finding(xpath="/", rule=rule, nl=nl, en=en),)
    return error
