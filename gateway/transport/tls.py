"""TLS contexts: who may connect to the hub, and how the hub connects to parties.

Profile: Digikoppeling security standards 2.0.1 (TLS001-TLS006, TLSCIPH001, PKI002, PKI003) under the NCSC TLS
guidelines 2025-05: TLS 1.3, and 1.2 with ECDHE and an AEAD cipher only; certificates on both sides; revocation lists.

Two things Python's ssl can't say, up to 3.14. A list of groups: OpenSSL's own holds the finite fields of RFC 7919,
which NCSC phases out, so the one group is P-256, which every stack has (RFC 8446 §9.1). And Extended Master Secret as a
must with TLS 1.2: OpenSSL uses it with whoever offers it.
"""

import ssl
import tempfile
from base64 import encodebytes
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from gateway.errors import Misconfigured

# NCSC 2025-05: with TLS 1.2 "sufficient" needs ECDHE and AEAD; CBC and DHE are in phase-out, which TLSCIPH001 forbids.
# SECLEVEL=2: no key below RSA-2048 or P-224, no SHA-1 in a chain.
_TLS12 = ":".join([
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
    "@SECLEVEL=2",
])
_GROUP = "prime256v1"


_SESSIONS = 2_048  # in one context's cache, of some 12 kB each; OpenSSL's own bound is 20,480
_MARGIN_SECONDS = 25  # `renew_sessions` comes by every 20 seconds or so


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Where the TLS identity and the trust of one side are kept. Files are PEM; a list may also be DER."""

    certificate: Path  # with the intermediate certificates after it
    key: Path  # unencrypted, readable by the gateway only
    anchors: tuple[Path, ...]  # exactly these issuers are trusted, never the system's store
    crls: tuple[Path, ...]  # a current list of every issuer that issues to parties


class ServerTls(ssl.SSLContext):
    """The hub's side of every incoming connection; `reload()` renews certificate, anchors and lists while it runs.

    A connection is made with the files as they were last read. Each reload makes a fresh OpenSSL context with an empty
    cache of sessions: no session is resumed past a newer revocation list, and old lists do not pile up in memory.

    Sessions are resumed, as a full handshake costs several times the request it is made for. They live in the context's
    cache and nowhere else; what a client gets is a number. So there is no ticket key whose loss would undo forward
    secrecy, and a session ends with its context (docs/decisions/0015). Python can't set the term of a session, nor
    switch the cache off; replacing the context bounds both.
    """

    _files: TlsFiles
    _session_seconds: float
    _clock: Callable[[], float]
    _current: ssl.SSLContext
    _made_at: float

    @classmethod
    def of(
        cls, files: TlsFiles, *, session_seconds: float = 900, clock: Callable[[], float] = monotonic
    ) -> "ServerTls":
        """Read the files. `session_seconds`: the longest a session may be resumed (WT008). Raises Misconfigured."""
        made = cls(ssl.PROTOCOL_TLS_SERVER)
        made._files, made._session_seconds, made._clock = files, session_seconds, clock
        made.reload()
        return made

    def reload(self) -> None:
        """Read the files again; connections from now on use them. Raises Misconfigured, and then keeps what it has."""
        self._current = _server_context(self._files)
        self._made_at = self._clock()

    def renew_sessions(self) -> None:
        """Begin a new cache of sessions when the present one nears its term or is large; call it every 20 seconds.

        Raises Misconfigured, and then keeps what it has: what a caller may ask is judged at every request all the same.
        """
        old = self._clock() - self._made_at > self._session_seconds - _MARGIN_SECONDS
        if old or self._current.session_stats()["number"] > _SESSIONS:
            self.reload()

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        return self._current.wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        return self._current.wrap_socket(*args, **kwargs)


class _TellingObject(ssl.SSLObject):
    """A server side that says why it ends a handshake.

    asyncio drops the connection at a failed handshake before the alert has left its buffer, and the caller would see
    a bare end of file. So a failure first asks for more to read, which makes asyncio send what it has; it is raised
    at the next step, and the handshake time-out of the listener bounds the wait for it.
    """

    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self._failure = error
            raise ssl.SSLWantReadError from error


def client_tls(files: TlsFiles) -> ssl.SSLContext:
    """The calling side: own certificate, only the given anchors, revocation, host name.

    Build it once per party: a context costs milliseconds. Raises Misconfigured. Source: TLS002, PKI003, RFC 9525.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # sets CERT_REQUIRED and check_hostname
    _fill(context, files)
    return context


def _server_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_TICKET  # sessions in the cache, by number
    context.num_tickets = 1  # of TLS 1.3: a number too, because of OP_NO_TICKET. psk_dhe_ke and no 0-RTT by default
    context.sslobject_class = _TellingObject
    _fill(context, files)
    return context


def certified_oin(certificate: Mapping[str, Any]) -> str:
    """The OIN in a client's certificate, as far as TLS has checked it; "" when there is not exactly one.

    For limits only. Who calls is decided by the line, at every request. Takes what SSLObject.getpeercert() gives.
    """
    subject = certificate.get("subject", ())
    found = [value for relative in subject for name, value in relative if name == "serialNumber"]
    return found[0] if len(found) == 1 else ""


def keep_session(tls: ssl.SSLObject) -> None:
    """Say goodbye for a connection that has ended, or OpenSSL takes its session out of the cache when it is freed.

    Most HTTP clients close without a close_notify. No session need be thrown away for that (RFC 5246 §7.2.1), and no
    request depends on it: HTTP says itself where one ends. After a fatal alert the session is gone already.
    """
    with suppress(ssl.SSLError):
        tls.unwrap()


def _fill(context: ssl.SSLContext, files: TlsFiles) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS12)
    context.set_ecdh_curve(_GROUP)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # An anchor may be an intermediate (a TSP CA): trust that issuer, not everything below its root.
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"TLS certificate {files.certificate} with key {files.key}: {_reason(error)}; "
            "both must be PEM, belong together, and the key must have no passphrase"
        ) from error
    for path in files.anchors:
        _load(context, path, "trust anchor")
    if not files.crls:
        raise Misconfigured("no revocation list is configured, and without one every certificate is refused (PKI003); "
                            "name the lists of all issuers under [trust] crls")
    for path in files.crls:
        _load(context, path, "revocation list")


def _no_password() -> str:
    raise ValueError("the key has a passphrase")  # OpenSSL would ask for it on the terminal


def _load(context: ssl.SSLContext, path: Path, kind: str) -> None:
    try:
        octets = path.read_bytes()
        if b"-----BEGIN " in octets:  # tools write words before it
            context.load_verify_locations(cafile=path)
            return
        # TSPs publish lists in DER; OpenSSL's file loader, the only way to a list in Python, reads PEM.
        with tempfile.NamedTemporaryFile(suffix=".pem") as pem:
            label = b"X509 CRL" if kind == "revocation list" else b"CERTIFICATE"
            pem.write(b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, encodebytes(octets), label))
            pem.flush()
            context.load_verify_locations(cafile=pem.name)
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{kind} {path}: {_reason(error)}; it must be a PEM or DER file") from error


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
