"""TLS sessions: resumed to save a handshake, and never past what the hub knows by now."""

import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.transport import Caller, ServerTls, client_tls
from tests.unit.transport.conftest import PATH, Pki, Running, Start
from tests.unit.transport.test_transport_tls import REQUEST

OPENSSL = shutil.which("openssl")
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])


def client_of(pki: Pki, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = client_tls(pki.files("party"))
    context.maximum_version = version
    return context


class Pair:
    """Both ends of a TLS connection in memory, after the handshake and the first octet each way."""

    def __init__(self, tls: ServerTls, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> None:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = context.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
        self.server = tls.wrap_bio(to_server, to_client, server_side=True)
        pending = [self.client.do_handshake, self.server.do_handshake]
        while pending:
            pending = [step for step in pending if not done(step)]
        self.server.write(b"x")
        assert self.client.read(1) == b"x"

    @property
    def session(self) -> ssl.SSLSession:
        assert self.client.session is not None
        return self.client.session

    @property
    def resumed(self) -> bool:
        return bool(self.server.session_reused)


def done(step: Callable[[], None]) -> bool:
    try:
        step()
    except ssl.SSLWantReadError:
        return False
    return True


def ask(hub: Running, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> tuple[bool, ssl.SSLSession]:
    """One request on a connection of its own: was the session resumed, and which one may be next."""
    with hub.raw(context, session=session) as raw:
        raw.sendall(REQUEST)
        answer = b""
        while part := raw.recv(4096):
            answer += part
            fresh = raw.session
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert fresh is not None
        return bool(raw.session_reused), fresh


@pytest.mark.clause("WT007", "§5.5")
@VERSIONS
def test_a_session_is_resumed_and_the_line_still_gets_the_certificate(start: Start, version: ssl.TLSVersion) -> None:
    with start() as hub:
        context = client_of(hub.pki, version)
        resumed, session = ask(hub, context)
        assert not resumed
        for _ in range(3):
            assert ask(hub, context, session)[0]
        peers = {received.peer for received in hub.received}
        assert peers == {ssl.PEM_cert_to_DER_cert((hub.pki.folder / "party.pem").read_text())}
        assert len(hub.received) == 4


@VERSIONS
def test_no_session_outlives_a_reload(own_pki: Pki, version: ssl.TLSVersion) -> None:
    tls, context = ServerTls.of(own_pki.files("hub")), client_of(own_pki, version)
    first = Pair(tls, context)
    assert Pair(tls, context, first.session).resumed
    tls.reload()
    assert not Pair(tls, context, first.session).resumed


@pytest.mark.clause("WT008")
@VERSIONS
def test_no_session_outlives_its_term(own_pki: Pki, version: ssl.TLSVersion) -> None:
    now = [1_000.0]
    tls = ServerTls.of(own_pki.files("hub"), session_seconds=600, clock=lambda: now[0])
    context = client_of(own_pki, version)
    first = Pair(tls, context)
    now[0] += 500
    tls.renew_sessions()
    again = Pair(tls, context, first.session)
    assert again.resumed
    now[0] += 80  # 20 seconds before the term: the next look may come after it
    tls.renew_sessions()
    assert not Pair(tls, context, first.session).resumed
    assert not Pair(tls, context, again.session).resumed, "resuming does not lengthen the term"


def test_the_number_of_sessions_is_bounded(own_pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.transport.tls._SESSIONS", 2)
    tls, context = ServerTls.of(own_pki.files("hub")), client_of(own_pki)
    pairs = [Pair(tls, context) for _ in range(2)]
    tls.renew_sessions()
    assert Pair(tls, context, pairs[0].session).resumed
    pairs += [Pair(tls, context)]
    tls.renew_sessions()
    assert not Pair(tls, context, pairs[0].session).resumed


def test_sessions_lie_in_the_hubs_memory_and_tickets_are_numbers(own_pki: Pki) -> None:
    """No ticket key: a server with other memory knows nothing of the session, though it has the same files."""
    tls, context = ServerTls.of(own_pki.files("hub")), client_of(own_pki)
    kept = [Pair(tls, context) for _ in range(3)]
    assert tls._current.session_stats()["number"] == len(kept)
    assert not Pair(ServerTls.of(own_pki.files("hub")), context, kept[0].session).resumed


def test_our_own_calls_resume_and_stop_at_a_reload(start: Start) -> None:
    with start() as hub:
        caller = Caller(client_of(hub.pki))
        url = f"https://localhost:{hub.port}{PATH}"

        def call() -> int:
            assert caller.post(url, b"<a/>", "")[0] == 200
            caller.close()
            return hub.tls._current.session_stats()["hits"]

        assert [call(), call(), call()] == [0, 1, 2]
        hub.tls.reload()
        assert [call(), call()] == [0, 1]


def s_client(hub: Running, *options: str, say: bytes = b"") -> str:
    """What OpenSSL's own client tells of a connection, with its errors after it."""
    pki = hub.pki.folder
    ran = subprocess.run(  # a program of the test machine, and no foreign input
        [OPENSSL or "", "s_client", "-connect", f"127.0.0.1:{hub.port}", "-cert", pki / "party.pem", "-key",
         pki / "party.key", "-CAfile", pki / "ca.pem", *options,
         *([] if say else ["-ign_eof"])],
        input=say or REQUEST, capture_output=True, timeout=20, check=False)
    return (ran.stdout + ran.stderr).decode(errors="replace")


@pytest.mark.skipif(OPENSSL is None, reason="no openssl on this machine")
class TestWithOpenssl:
    """What Python's client can't offer."""

    @pytest.mark.clause("TLSCIPH001", "TLS006")
    @pytest.mark.parametrize("groups", ["ffdhe2048", "ffdhe3072", "X25519", "ffdhe3072:P-256", "X25519:P-384:P-256"])
    def test_keys_are_agreed_on_p_256_and_never_in_a_finite_field(self, start: Start, groups: str) -> None:
        with start() as hub:
            said = s_client(hub, "-groups", groups)
            assert ("Server Temp Key: ECDH, prime256v1" in said) == ("P-256" in groups)
            assert ("HTTP/1.1 200" in said) == ("P-256" in groups)
            assert "Server Temp Key: DH" not in said

    @pytest.mark.clause("TLSCIPH001")
    @pytest.mark.parametrize("suite", [
        "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256", "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256"])
    def test_suites_of_tls_1_3(self, start: Start, suite: str) -> None:
        with start() as hub:
            assert ("HTTP/1.1 200" in s_client(hub, "-tls1_3", "-ciphersuites", suite)) == ("CCM" not in suite)

    @pytest.mark.clause("TLS006")
    def test_early_data_is_not_taken(self, start: Start, tmp_path: Path) -> None:
        with start() as hub:
            kept, early = tmp_path / "session", tmp_path / "early"
            s_client(hub, "-tls1_3", "-sess_out", str(kept))
            early.write_bytes(REQUEST)
            before = len(hub.received)
            said = s_client(hub, "-tls1_3", "-sess_in", str(kept), "-early_data", str(early), say=b"Q\n")
            assert "Reused, TLSv1.3" in said
            assert "Early data was accepted" not in said
            assert len(hub.received) == before

    @pytest.mark.clause("TLS006")
    def test_a_key_exchange_is_made_on_resumption_too(self, start: Start, tmp_path: Path) -> None:
        """psk_dhe_ke only: yesterday's traffic can't be read with what the session holds."""
        with start() as hub:
            kept = tmp_path / "session"
            s_client(hub, "-tls1_3", "-sess_out", str(kept))
            said = s_client(hub, "-tls1_3", "-sess_in", str(kept), "-allow_no_dhe_kex")
            assert "Reused, TLSv1.3" in said
            assert "Server Temp Key: ECDH, prime256v1" in said

    @pytest.mark.clause("TLS006", "§5.5")
    def test_renegotiation_is_refused_and_nothing_is_compressed(self, start: Start) -> None:
        with start() as hub:
            said = s_client(hub, "-tls1_2", "-comp", say=b"R\n" + REQUEST)
            assert "Compression: NONE" in said
            assert "no renegotiation" in said
            assert "HTTP/1.1 200" not in said

    @pytest.mark.clause("TLS006")
    def test_extended_master_secret_is_used_with_tls_1_2(self, start: Start) -> None:
        with start() as hub:
            assert "Extended master secret: yes" in s_client(hub, "-tls1_2")
