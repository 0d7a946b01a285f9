# SPDX-License-Identifier: MIT
"""PROXY protocol, before AMQP and before TLS: whom a trusted proxy names is the peer."""

import socket
import struct

from lib import certificates
from lib import wire
from lib.shuntctl import ctl

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LINE = b"PROXY TCP4 127.0.0.9 10.1.2.3 51022 5672\r\n"


def binary(command=0x21, family=0x11, addresses=b"", more=b""):
    return SIGNATURE + struct.pack(">BBH", command, family, len(addresses + more)) + addresses + more


IPV4 = socket.inet_aton("127.0.0.9") + socket.inet_aton("10.1.2.3") + struct.pack(">HH", 51022, 5672)
IPV6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "::1") + \
    struct.pack(">HH", 51022, 5672)


def proxied(t, *options):
    """A shuntd whose plain port wants the header; what the test's own start waits for comes by TLS's folder, so: by a
    header of its own."""
    return t.shuntd("proxy_protocol=true", *options, header=b"PROXY UNKNOWN\r\n", authority=None)


def come(t, broker, header, user="guest"):
    """The client, behind its handshake; the header comes first."""
    client = wire.Client(broker.host, broker.port, t.limit, header=header)
    t.cleanup(client.close_socket)
    return client.handshake(user=user, password="guest")


def peers(t, broker):
    out = ctl(t, "-q", "list_connections", "peer_host", "peer_port", "host", "port", "name", broker=broker)
    return [line.split("\t") for line in out.splitlines()[1:]]


def test_versions(t):
    broker = proxied(t)
    for header in (LINE, binary(addresses=IPV4), binary(addresses=IPV4, more=b"\x04\0\x03abc" + b"\x20\x10\0" + bytes(4096))):
        client = come(t, broker, header)
        assert peers(t, broker) == [["127.0.0.9", "51022", "10.1.2.3", "5672", "127.0.0.9:51022 -> 10.1.2.3:5672"]]
        client.close()
        t.wait(lambda: not peers(t, broker), "its end")


def test_the_proxy_itself(t):
    """LOCAL: it looks whether we live, and speaks for nobody."""
    broker = proxied(t)
    come(t, broker, binary(command=0x20, family=0))
    assert peers(t, broker)[0][0] == "127.0.0.1"


def refused(t, broker, header):
    try:
        come(t, broker, header)
    except (AssertionError, wire.Closed, OSError):
        return
    raise AssertionError("came in by %r" % header)


def test_guest_is_judged_by_it(t):
    """loopback_users: a client from elsewhere does not become local by its proxy."""
    broker = proxied(t)
    come(t, broker, LINE)
    for header in (b"PROXY TCP4 192.0.2.7 10.1.2.3 51022 5672\r\n", binary(family=0x21, addresses=IPV6),
                   b"PROXY UNKNOWN\r\n", binary(family=0)):
        client = wire.Client(broker.host, broker.port, t.limit, header=header)
        t.cleanup(client.close_socket)
        client.start()
        close = client.read_method("connection.close", channel=0)
        assert close.reply_code == 403, close


def test_of_whom_nothing_is_said(t):
    """The proxy's end and ours are all that is known."""
    broker = proxied(t)
    client = wire.Client(broker.host, broker.port, t.limit, header=b"PROXY UNKNOWN\r\n")
    t.cleanup(client.close_socket)
    client.start()
    client.read_method("connection.close", channel=0)
    with open(broker.log_path, encoding="utf-8") as f:
        text = f.read()
    name = "%s:%d -> %s:%d" % (client.socket.getsockname() + client.socket.getpeername())
    assert any("login refused: " in line and line.endswith(': name="%s"' % name) for line in text.splitlines()), text


def test_without_a_header(t):
    broker = proxied(t)
    refused(t, broker, b"")
    refused(t, broker, b"PROXY TCP4 127.0.0.9 10.1.2.3 51022 99999\r\n")
    with open(broker.log_path, encoding="utf-8") as f:
        text = f.read()
    assert "no PROXY header: peer=127.0.0.1:" in text
    assert 'reason="its first bytes are not a valid one"' in text


def test_untrusted(t):
    broker = t.shuntd("proxy_protocol=true", "proxy_protocol.trusted.1=127.0.0.2", header=b"PROXY UNKNOWN\r\n",
                      source="127.0.0.2", authority=None)
    refused(t, broker, LINE)
    with open(broker.log_path, encoding="utf-8") as f:
        assert 'connection refused: peer=127.0.0.1:' in f.read()


def test_cut_and_slow(t):
    """It may come in any pieces; one that does not go on ends after handshake_timeout."""
    broker = proxied(t, "handshake_timeout=%d" % int(1000 * (1 + 2 * t.broker.patience)))
    header = binary(addresses=IPV4, more=bytes(300))
    for cut in range(0, len(header), 7):
        client = wire.Client(broker.host, broker.port, t.limit)
        client.send_raw(header[:cut])
        client.socket.shutdown(socket.SHUT_WR)
        client.expect_end_of_stream()
        client.close_socket()
    client = wire.Client(broker.host, broker.port, t.limit)
    t.cleanup(client.close_socket)
    for i in range(len(header)):
        client.send_raw(header[i:i + 1])
    client.handshake()
    late = wire.Client(broker.host, broker.port, t.limit)
    t.cleanup(late.close_socket)
    late.send_raw(header[:20])
    late.expect_end_of_stream()


def test_before_tls(t):
    reason = certificates.available()
    if reason:
        from lib.case import Skip
        raise Skip(reason)
    tls = certificates.Tls(t, "proxy_protocol=true", header=b"PROXY UNKNOWN\r\n")
    s = tls.raw()
    s.sendall(LINE)
    s = tls.context().wrap_socket(s, server_hostname=certificates.HOST)
    t.cleanup(s.close)
    s.sendall(b"AMQP\0\0\x09\x01")
    assert s.recv(1) == b"\x01"
    assert peers(t, tls.broker)[0][:2] == ["127.0.0.9", "51022"]
