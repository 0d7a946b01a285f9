# SPDX-License-Identifier: MIT
"""What comes to the TLS port and is no good handshake: it is told once, and nobody else notices."""

import socket
import ssl
import subprocess
import threading
import time

from lib import certificates
from lib.runner import limit

available = certificates.available


def ends(s):
    """The broker closes it; what it says before does not matter."""
    try:
        while s.recv(4096):
            pass
    except ConnectionResetError:
        pass


def test_plain_bytes(t):
    tls = certificates.Tls(t)
    for bytes_, reason in ((b"AMQP\0\0\x09\x01", "wrong version number"), (b"GET / HTTP/1.1\r\n\r\n", "http request")):
        s = tls.raw()
        s.sendall(bytes_)
        s.shutdown(socket.SHUT_WR)
        ends(s)
        tls.wait_log('TLS handshake failed: peer=127.0.0.1:%d reason="%s"' % (s.getsockname()[1], reason))
    tls.connect()


def test_unknown_authority_gets_its_alert(t):
    tls = certificates.Tls(t, verify="verify_peer")
    other = certificates.Authority(tls.authority.folder, "other")
    other.sign("foreign", "/CN=foreign")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        try:
            s = tls.socket(tls.context(client="foreign", version=version))
            s.sendall(b"AMQP\0\0\x09\x01")
            s.recv(1)
        except ssl.SSLError as error:
            assert "UNKNOWN_CA" in str(error), error
        else:
            raise AssertionError("a certificate of somebody else's came in")
    tls.wait_log("unable to get local issuer certificate")


def test_expired_certificate_gets_its_alert(t):
    tls = certificates.Tls(t, verify="verify_peer")
    tls.authority.sign("old", "/CN=old", days=-1)
    try:
        s = tls.socket(tls.context(client="old"))
        s.sendall(b"AMQP\0\0\x09\x01")
        s.recv(1)
    except ssl.SSLError as error:
        assert "CERTIFICATE_EXPIRED" in str(error), error
    else:
        raise AssertionError("an expired certificate came in")
    tls.wait_log("certificate has expired")


def test_depth(t):
    """The number of authorities between the client's certificate and the one that is trusted."""
    for depth, is_welcome in ((0, False), (1, True)):
        tls = certificates.Tls(t, verify="verify_peer", fail_if_no_peer_cert="true", depth=depth)
        between = certificates.Authority(tls.authority.folder, "between", signed_by=tls.authority)
        between.sign("below", "/CN=below")
        with open(tls.authority.path("below.pem"), "a", encoding="ascii") as f, \
                open(between.file, encoding="ascii") as chain:
            f.write(chain.read())
        try:
            s = tls.socket(tls.context(client="below"))
            s.sendall(b"AMQP\0\0\x09\x01")
            came_in = bool(s.recv(1))
        except (ssl.SSLError, ConnectionError):
            came_in = False
        assert came_in == is_welcome, depth


def test_silence_ends_and_costs_nobody_else(t):
    """Hundreds that say nothing, or half of something, while others come and go."""
    tls = certificates.Tls(t, "handshake_timeout=%d" % int(1000 * (1 + 2 * t.broker.patience)))
    silent = [tls.raw() for _ in range(300)]
    for s in silent[::2]:
        s.sendall(b"\x16\x03\x01\x02")
    begin = time.monotonic()
    for _ in range(5):
        tls.connect().close()
    assert time.monotonic() - begin < 5 * t.broker.patience
    for s in silent:
        ends(s)
    tls.wait_log('reason="timed out"')


@limit(60)
def test_cut_at_every_byte(t):
    """A client's first flight, cut anywhere, then the end of the socket."""
    tls = certificates.Tls(t)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls.context().wrap_bio(incoming, outgoing, server_hostname=certificates.HOST)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    for cut in range(0, len(hello), 3):
        s = tls.raw()
        s.sendall(hello[:cut])
        s.shutdown(socket.SHUT_WR)
        ends(s)
        s.close()
    tls.connect()
    tls.wait_log("closed by the peer during the handshake")


def test_renegotiation_is_refused(t):
    """By the openssl command, as Python has none."""
    tls = certificates.Tls(t)
    done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % tls.port, "-tls1_2", "-CAfile",
                           tls.authority.file], input="R\n", capture_output=True, text=True, timeout=t.limit, check=False)
    assert "no renegotiation" in done.stdout + done.stderr, done.stdout + done.stderr
    tls.connect()


def test_many_at_once(t):
    tls = certificates.Tls(t)
    context = tls.context()
    failures = []

    def come():
        for _ in range(10):
            try:
                s = tls.socket(context)
                s.sendall(b"AMQP\0\0\x09\x01")
                assert s.recv(1) == b"\x01"
                s.close()
            except (OSError, AssertionError) as error:
                failures.append(error)
    threads = [threading.Thread(target=come) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def test_it_ends_while_handshakes_are_under_way(t):
    """They do not keep it from ending, and are not lost on it (a sanitizer would say so)."""
    tls = certificates.Tls(t)
    sockets = [tls.raw() for _ in range(50)]
    for s in sockets[::2]:
        s.sendall(b"\x16\x03\x01\x02\x00\x01")
    tls.connect().close()
    begin = time.monotonic()
    tls.broker.tell_to_end()
    tls.broker.process.wait(20 * t.broker.patience)
    assert time.monotonic() - begin < 4 * t.broker.patience
