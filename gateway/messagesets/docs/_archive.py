"""A message set as one zip: everything needed to build on it, in the folders the references in the files expect."""

import io
import zipfile
from collections.abc import Mapping
from typing import Final

_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say; the files have dates of their own in version control
_MODE: Final = 0o100644 << 16


def write_zip(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files. Stored, not deflated: so the same files give the same octets with every zlib."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = 3, _MODE
            archive.writestr(entry, files[name])
    return out.getvalue()
