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
_MAX_IDS: Final = 10_000


def all_ids_unique(root: Element) -> bool:
    """Does no id-like attribute occur twice, also when case, white space and Unicode form are ignored?

    No too where there are more of them than any message has: they would cost more memory than the message.
    """
    found = _ALL_IDS(root)
    assert isinstance(found, list)
    if len(found) > _MAX_IDS:
        return False
    folded = {
        (value if value.isascii() else unicodedata.normalize("NFC", value)).strip().casefold()
        for value in map(str, found)
    }
    return len(folded) == len(found)
