"""Who gets through the TLS handshake, with what, and how revocation takes effect."""

import ssl
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import Misconfigured
from gateway.security.throwaway import make_crl
from gateway.transport import ServerTls, TlsFiles, client_tls
from tests.conftest import Pki as SharedPki
from tests.unit.transport.conftest import NOW, PATH, Pki, Running, Start

REQUEST = f"POST {PATH} HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\n<a/>".encode()


def ask(hub: Running, context: ssl.SSLContext) -> tuple[str | None, str]:
    """One request; the TLS version and the cipher that carried it. Raises OSError when refused."""
    with hub.raw(context) as raw:
        raw.sendall(REQUEST)
        answer = b""
        while part := raw.recv(4096):
            answer += part
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"<answer/>")
        cipher = raw.cipher()
        assert cipher is not None
        return raw.version(), cipher[0]


def bare_context(hub: Running, name: str | None = "party") -> ssl.SSLContext:
    """A client that checks nothing, to see what the hub refuses by itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if name is not None:
        context.load_cert_chain(hub.pki.folder / f"{name}.pem", hub.pki.folder / f"{name}.key")
    return context


@pytest.mark.clause("TLS002", "TLS004", "TLSCIPH001", "WT001")
def test_tls_1_3_and_1_2_are_taken(start: Start) -> None:
    with start() as hub:
        version, cipher = ask(hub, client_tls(hub.pki.files("party")))
        assert (version, cipher) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")
        context = client_tls(hub.pki.files("party"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        version, cipher = ask(hub, context)
        assert (version, cipher) == ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")


@pytest.mark.clause("TLS003", "TLS004")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_1_1_is_refused(start: Start) -> None:
    with start() as hub:
        context = bare_context(hub)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(OSError, match="ALERT"):
            ask(hub, context)
        assert not hub.received


@pytest.mark.clause("TLSCIPH001", "TLS006", "WT003")
@pytest.mark.parametrize("suite", [
    "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA", "DHE-RSA-AES256-GCM-SHA384", "AES256-GCM-SHA384",
    "ECDHE-ECDSA-ARIA256-GCM-SHA384", "ECDHE-ECDSA-AES256-CCM",
])
def test_suites_outside_the_profile_are_refused(start: Start, suite: str) -> None:
    with start() as hub:
        context = bare_context(hub)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suite + ":@SECLEVEL=0")
        with pytest.raises(OSError, match="ALERT"):
            ask(hub, context)


@pytest.mark.clause("TLSCIPH001")
@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_suites_of_the_profile_are_taken(start: Start, suite: str) -> None:
    with start() as hub:
        context = client_tls(hub.pki.files("party"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suite)
        assert ask(hub, context) == ("TLSv1.2", suite)


@pytest.mark.clause("TLS002", "WT001", "WT004", "PKI002", "§5.5")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_callers_without_a_good_certificate_are_refused(
    start: Start, version: ssl.TLSVersion, tmp_path: Path,
) -> None:
    with start() as hub:
        hub.pki.issue("expired", from_days=-9, until_days=-2)
        hub.pki.issue("early", from_days=1, until_days=2)
        hub.pki.issue("server-only", purposes=("serverAuth",))
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        stranger = Pki(elsewhere)  # same CA name, another key
        stranger.issue("stranger")
        contexts = {name: bare_context(hub, name) for name in ("expired", "early", "server-only")}
        contexts["none"] = bare_context(hub, None)
        contexts["other CA"] = bare_context(hub, None)
        contexts["other CA"].load_cert_chain(elsewhere / "stranger.pem", elsewhere / "stranger.key")
        for name, context in contexts.items():
            context.maximum_version = version
            with pytest.raises(OSError, match=r"."):
                ask(hub, context)
            assert not hub.received, name


@pytest.mark.clause("WT004", "PKI003", "§6.3")
def test_a_revoked_certificate_is_refused_after_reload_and_others_go_on(start: Start) -> None:
    with start() as hub:
        revoked = hub.pki.issue("revoked")
        assert ask(hub, client_tls(hub.pki.files("revoked")))[0] == "TLSv1.3"
        alive = hub.raw()
        hub.pki.revoke(revoked)
        hub.tls.reload()
        with pytest.raises(OSError, match="ALERT"):
            ask(hub, bare_context(hub, "revoked"))
        assert ask(hub, client_tls(hub.pki.files("party")))[0] == "TLSv1.3"
        alive.sendall(REQUEST)
        assert alive.recv(1000).startswith(b"HTTP/1.1 200 ")
        alive.close()


@pytest.mark.clause("WT004", "§6.3")
def test_a_list_that_is_too_old_refuses_everyone(start: Start) -> None:
    with start() as hub:
        make_crl(hub.pki.folder, (), NOW - timedelta(days=2), timedelta(days=1))
        hub.tls.reload()
        with pytest.raises(OSError, match="ALERT"):
            ask(hub, bare_context(hub))


def test_reload_keeps_what_it_has_when_a_file_is_broken(start: Start) -> None:
    with start() as hub:
        good = hub.pki.crl.read_bytes()
        hub.pki.crl.write_bytes(b"-----BEGIN X509 CRL-----\nnonsense")
        with pytest.raises(Misconfigured, match=r"revocation list .*ca\.crl"):
            hub.tls.reload()
        hub.pki.crl.write_bytes(good)
        hub.tls.reload()
        assert ask(hub, client_tls(hub.pki.files("party")))[0] == "TLSv1.3"


def test_a_list_may_be_der(own_pki: Pki) -> None:
    own_pki.crl.write_bytes(x509.load_pem_x509_crl(own_pki.crl.read_bytes()).public_bytes(Encoding.DER))
    context = client_tls(own_pki.files("party"))
    assert context.cert_store_stats()["crl"] == 1
    own_pki.crl.write_bytes(b"\x30\x03nonsense")
    with pytest.raises(Misconfigured, match=r"ca\.crl"):
        client_tls(own_pki.files("party"))


def test_tools_may_write_words_above_a_pem_block(own_pki: Pki) -> None:
    """As `openssl x509 -text` and `openssl crl -text` do."""
    for path in (own_pki.folder / "ca.pem", own_pki.crl):
        path.write_bytes(b"Certificate:\n    Data:\n" + path.read_bytes())
    stats = client_tls(own_pki.files("party")).cert_store_stats()
    assert (stats["x509_ca"], stats["crl"]) == (1, 1)


def test_what_is_wrong_with_the_files_is_said(own_pki: Pki) -> None:
    good = own_pki.files("hub")
    with pytest.raises(Misconfigured, match=r"party\.key"):
        ServerTls.of(TlsFiles(certificate=good.certificate, key=own_pki.folder / "party.key",
                              anchors=good.anchors, crls=good.crls))
    with pytest.raises(Misconfigured, match=r"absent\.pem.*No such file"):
        ServerTls.of(TlsFiles(certificate=good.certificate, key=good.key,
                              anchors=(own_pki.folder / "absent.pem",), crls=good.crls))
    with pytest.raises(Misconfigured, match="revocation list"):
        ServerTls.of(TlsFiles(certificate=good.certificate, key=good.key, anchors=good.anchors, crls=()))


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    """Both sides in memory, until one has read from the other; the certificate the server saw. Raises SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = server.wrap_bio(to_server, to_client, server_side=True)
    other = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(6):
        for step in (other.do_handshake, one.do_handshake):
            with suppress(ssl.SSLWantReadError):
                step()
    one.write(b"x")
    assert other.read(1) == b"x"
    return one.getpeercert(True) or b""


def files_of(pki: SharedPki, name: str, crl: str = "ca-met-ingetrokken") -> TlsFiles:
    return TlsFiles(certificate=pki.pem(name), key=pki.key(name), anchors=(pki.pem("ca"),), crls=(pki.crl(crl),))


@pytest.mark.parametrize("name", ["gemeente-tls", "deurwaarder-tls", "hub-tls"])
def test_certificates_of_the_example_world_work_on_both_sides(pki: SharedPki, name: str) -> None:
    server, client = ServerTls.of(files_of(pki, "hub-tls")), client_tls(files_of(pki, name))
    assert handshake(server, client) == pki.der(name)


@pytest.mark.parametrize(("name", "crl", "reason"), [
    ("verlopen", "ca", "certificate has expired"),
    ("nog-niet-geldig", "ca", "not yet valid"),
    ("ingetrokken", "ca-met-ingetrokken", "certificate revoked"),
    ("alleen-server", "ca", "unsuitable certificate purpose"),
    ("tijdstempel", "ca", "unsuitable certificate purpose"),
    ("rsa-1024", "ca", "key too weak"),
    ("sha1", "ca", "digest algorithm too weak"),
    ("onbekend-kritiek", "ca", "unhandled critical extension"),
    ("zelfondertekend", "ca", "self-signed certificate"),
    ("andere-ca-gemeente", "ca", "unable to get local issuer"),
    ("dubbelganger-gemeente", "ca", "unable to get local issuer"),
    ("onder-een-blad", "ca", "unable to get local issuer"),
    ("gemeente-tls", "ca-verlopen", "CRL has expired"),
    ("gemeente-tls", "ca-toekomst", "CRL is not yet valid"),
    ("gemeente-tls", "andere-ca", "unable to get certificate CRL"),
])
def test_wrong_certificates_and_lists_do_not_get_through(pki: SharedPki, name: str, crl: str, reason: str) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.load_cert_chain(pki.pem(name), pki.key(name))
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        handshake(ServerTls.of(files_of(pki, "hub-tls", crl)), client)
