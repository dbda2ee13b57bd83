"""The ids of a document: no two may be alike, whatever attribute they stand in and however they are written.

A stack that looks for an id by another name, or compares it otherwise than we do, must not find another part than we
verified (docs/profile.md §7).
"""

import unicodedata
from typing import Final

from lxml import etree

from gateway.soap import Element

# One function call per attribute; that an attribute named I, d or D counts too does no harm.
_ALL_IDS: Final = etree.XPath("/descendant::*/@*[contains('Id ID id iD', local-name())]", smart_strings=False)
# To compose marks takes time with the square of their number: an id of 64,000 took a second, one of 10 MB hours.
_MAX_LENGTH: Final = 64  # characters of an id that is not ASCII


def all_ids_unique(root: Element) -> bool:
    """Does no id-like attribute occur twice, also when case, white space and Unicode form are ignored?

    No too where one in other letters is longer than any message has it. How many there may be, `parse` has seen to.
    """
    found = _ALL_IDS(root)
    assert isinstance(found, list)
    values = [str(value) for value in found]
    if any(len(value) > _MAX_LENGTH and not value.isascii() for value in values):
        return False
    folded = {
        (value if value.isascii() else unicodedata.normalize("NFC", value)).strip().casefold() for value in values
    }
    return len(folded) == len(values)
