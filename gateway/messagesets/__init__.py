"""Message sets as data: read a folder of sets, validate messages, write contracts. Reads files at start; no network."""

from typing import TYPE_CHECKING

from gateway.messagesets.bridges import Crossed, cross
from gateway.messagesets.catalog import Catalog, load_catalog
from gateway.messagesets.checks import BEGINNING, NO_FILES, Files
from gateway.messagesets.inspection import check_set
from gateway.messagesets.message import Message
from gateway.messagesets.proof import check_bridges
from gateway.messagesets.sealed import is_sealed
from gateway.messagesets.sets import MessageSet, read_schema
from gateway.messagesets.validation import read_message, refuse_attachment, validate, validate_text
from gateway.messagesets.wsdl import write_wsdl

if TYPE_CHECKING:
    from gateway.messagesets.diff import Change, compare_sets
    from gateway.messagesets.docs import SiteFile, build_docs
    from gateway.messagesets.sample import sample_message

__all__ = [
    "BEGINNING",
    "NO_FILES",
    "Catalog",
    "Change",
    "Crossed",
    "Files",
    "Message",
    "MessageSet",
    "SiteFile",
    "build_docs",
    "check_bridges",
    "check_set",
    "compare_sets",
    "cross",
    "is_sealed",
    "load_catalog",
    "read_message",
    "read_schema",
    "refuse_attachment",
    "sample_message",
    "validate",
    "validate_text",
    "write_wsdl",
]

_LATE = {  # name → module
    "Change": "diff", "compare_sets": "diff", "sample_message": "sample", "SiteFile": "docs", "build_docs": "docs",
}


def __getattr__(name: str) -> object:
    """What the line itself never asks for is imported when asked: most of it needs xmlschema, which starts slowly."""
    if name in _LATE:
        from importlib import import_module

        return getattr(import_module(f"gateway.messagesets.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
