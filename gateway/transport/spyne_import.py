"""The only place that imports spyne: makes release 2.14.0 importable on Python 3.11 to 3.13, and keeps it quiet.

spyne 2.14.0 carries an extended copy of six 1.14 whose import hook has no find_spec(): on 3.12+ every import of
`spyne.util.six.moves.…` fails, and on 3.11 the hook stays on sys.meta_path and warns at each later import that finds
nothing. So the real six.moves is put where spyne looks for its own, and the hook is taken off again. On 3.13 spyne
also needs the removed module cgi (package legacy-cgi).

What the host uses of spyne is re-exported here, so that no other file depends on the order of imports.
"""

import logging
import sys
import warnings

import six.moves

_COPY = "spyne.util.six"
# spyne imports only these; naming them (not all of six.moves) keeps lazy modules such as tkinter unimported.
_MOVES = (
    "collections_abc", "http_cookies", "urllib", "urllib.error", "urllib.parse", "urllib.request",
)


def _prepare() -> None:
    sys.modules.setdefault(f"{_COPY}.moves", six.moves)
    for name in _MOVES:
        module = six.moves
        for part in name.split("."):
            module = getattr(module, part)
        sys.modules.setdefault(f"{_COPY}.moves.{name}", module)
    # spyne logs what it processes and whole tracebacks; nothing of a message may reach a log (docs/privacy).
    logger = logging.getLogger("spyne")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)


def _tidy() -> None:
    sys.meta_path[:] = [hook for hook in sys.meta_path if type(hook).__module__ != _COPY]


_prepare()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # invalid escapes, cgi, pkg_resources: spyne's, and none can be acted upon
    from spyne import Application, MethodContext, ServiceBase, rpc
    from spyne.model.binary import ByteArray
    from spyne.protocol.soap import Soap11
    from spyne.server import ServerBase
    from spyne.util import appreg
_tidy()

__all__ = ["Application", "ByteArray", "MethodContext", "ServerBase", "ServiceBase", "Soap11", "appreg", "rpc"]
