"""Parties, who may send what, the tables of states, and terms. Pure: no XML, no store, no clock."""

from gateway.routing.admit import (
    address,
    admit,
    agreed_encrypted,
    agreed_encrypted_push,
    check_element,
    not_taken,
    taken_as,
    takes,
)
from gateway.routing.breaker import BreakerRules, admitted, after
from gateway.routing.calendar import expiry
from gateway.routing.choreography import check_reference, next_state
from gateway.routing.delivery import Backoff, next_step, pushed_message_id
from gateway.routing.identities import represented
from gateway.routing.legs import Addressed, Refused, sift
from gateway.routing.register import AddressBook, routing_keys
from gateway.routing.rollover import (
    certificate_in_use,
    certificate_refusal,
    certificates_accepted,
    encryption_certificate,
)
from gateway.routing.succession import missing
from gateway.routing.terms import answer_due, working_days_since

__all__ = [
    "AddressBook", "Addressed", "Backoff", "BreakerRules", "Refused", "address", "admit", "admitted", "after",
    "agreed_encrypted", "agreed_encrypted_push", "answer_due", "certificate_in_use", "certificate_refusal",
    "certificates_accepted", "check_element", "check_reference", "encryption_certificate", "expiry", "missing",
    "next_state", "next_step", "not_taken", "pushed_message_id", "represented", "routing_keys", "sift",
    "taken_as", "takes", "working_days_since",
]
