"""Message sets as data: read a folder of sets, validate messages, write contracts. Reads files at start; no network."""

from gateway.messagesets.catalog import Catalog, load_catalog
from gateway.messagesets.inspection import check_set
from gateway.messagesets.message import Message
from gateway.messagesets.sets import MessageSet, read_schema
from gateway.messagesets.validation import read_message, validate, validate_text
from gateway.messagesets.wsdl import write_wsdl

__all__ = [
    "Catalog",
    "Message",
    "MessageSet",
    "check_set",
    "load_catalog",
    "read_message",
    "read_schema",
    "validate",
    "validate_text",
    "write_wsdl",
]
