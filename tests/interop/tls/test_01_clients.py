# SPDX-License-Identifier: MIT
"""Clients over TLS 1.2 and 1.3, with and without certificates of their own."""

import asyncio
import importlib.util
import os
import re
import ssl

import pika.exceptions

from lib import certificates
from lib import node
from lib.case import Skip
from lib.process import Program
from lib.shuntctl import ctl

available = certificates.available

VERSIONS = {"tlsv1.2": ssl.TLSVersion.TLSv1_2, "tlsv1.3": ssl.TLSVersion.TLSv1_3}
COLUMNS = ("ssl", "ssl_protocol", "ssl_key_exchange", "ssl_cipher", "ssl_hash", "peer_cert_subject",
           "peer_cert_issuer", "peer_cert_validity")


def round_trips(connection):
    """Small, large and many messages, and their confirms."""
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.confirm_delivery()
    for size in (0, 1, 4096, 16384, 16385, 131072, 3000000):
        body = os.urandom(size)
        channel.basic_publish("", queue, body)
        assert channel.basic_get(queue, auto_ack=True)[2] == body, size


def columns_of(tls):
    rows = ctl(tls.t, "-q", "list_connections", *COLUMNS, broker=tls.broker).splitlines()[1:]
    return [row.split("\t") for row in rows]


def test_pika(t):
    tls = certificates.Tls(t, verify="verify_peer")
    for protocol, version in VERSIONS.items():
        connection = tls.connect(tls.context(version=version))
        round_trips(connection)
        assert [row[:2] for row in columns_of(tls)] == [["true", protocol]]
        connection.close()


def test_pika_with_a_certificate(t):
    tls = certificates.Tls(t, verify="verify_peer", fail_if_no_peer_cert="true")
    for protocol, version in VERSIONS.items():
        connection = tls.connect(tls.context(client="client", version=version))
        round_trips(connection)
        row, = columns_of(tls)
        assert row[:2] == ["true", protocol]
        assert row[5] == "CN=client one,OU=testing,O=Shunt\\, Inc,C=DE", row
        assert row[6] == "O=Shunt,CN=Test Authority ca", row
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ - \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[7]), row
        connection.close()


def test_columns_of_ciphers(t):
    """As RabbitMQ names them."""
    expected = {
        "ECDHE-ECDSA-AES256-GCM-SHA384": ["tlsv1.2", "ecdhe_ecdsa", "aes_256_gcm", "aead"],
        "ECDHE-ECDSA-AES256-SHA384": ["tlsv1.2", "ecdhe_ecdsa", "aes_256_cbc", "sha384"],
        "ECDHE-ECDSA-CHACHA20-POLY1305": ["tlsv1.2", "ecdhe_ecdsa", "chacha20_poly1305", "aead"],
    }
    tls = certificates.Tls(t)
    for cipher, columns in expected.items():
        connection = tls.connect(tls.context(version=ssl.TLSVersion.TLSv1_2, ciphers=cipher))
        assert columns_of(tls) == [["true"] + columns + ["", "", ""]]
        connection.close()
    connection = tls.connect()
    assert columns_of(tls)[0][1:5] == ["tlsv1.3", "any", "aes_256_gcm", "aead"]


def test_a_plain_connection_has_none_of_it(t):
    tls = certificates.Tls(t)
    t.wire_to(tls.broker)
    assert columns_of(tls) == [["false"] + [""] * 7]


def test_status_shows_the_listener(t):
    tls = certificates.Tls(t)
    assert "port: %d, protocol: amqp/ssl, purpose: AMQP 0-9-1 over TLS" % tls.port in ctl(t, "status", broker=tls.broker)


def test_without_a_certificate_that_is_demanded(t):
    tls = certificates.Tls(t, verify="verify_peer", fail_if_no_peer_cert="true")
    for version in VERSIONS.values():
        try:
            tls.connect(tls.context(version=version))
        except (pika.exceptions.AMQPConnectionError, OSError):
            continue
        raise AssertionError("a client without a certificate came in")
    tls.wait_log("peer did not return a certificate")


def test_aio_pika(t):
    if not importlib.util.find_spec("aio_pika"):
        raise Skip("aio-pika is not installed")
    import aio_pika
    tls = certificates.Tls(t, verify="verify_peer", fail_if_no_peer_cert="true")

    async def scenario(version):
        connection = await aio_pika.connect(
            host="localhost", port=tls.port, ssl=True,
            ssl_context=tls.context(client="client", version=version))
        async with connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(exclusive=True)
            for size in (1, 20000, 1000000):
                body = os.urandom(size)
                await channel.default_exchange.publish(aio_pika.Message(body), queue.name)
                assert (await queue.get(timeout=10)).body == body
    for version in VERSIONS.values():
        asyncio.run(asyncio.wait_for(scenario(version), t.limit))


def test_kombu(t):
    if not importlib.util.find_spec("kombu"):
        raise Skip("kombu is not installed")
    import kombu
    tls = certificates.Tls(t, verify="verify_peer", fail_if_no_peer_cert="true")
    options = {"ca_certs": tls.authority.file, "certfile": tls.authority.path("client.pem"),
               "keyfile": tls.authority.path("client.key"), "cert_reqs": ssl.CERT_REQUIRED,
               "server_hostname": certificates.HOST}
    with kombu.Connection("amqp://guest:guest@127.0.0.1:%d//" % tls.port, ssl=options, connect_timeout=10) as connection:
        queue = connection.SimpleQueue(t.name("q"), queue_opts={"durable": False, "auto_delete": True})
        for text in ("small", "large" * 100000):
            queue.put({"text": text})
            assert queue.get(timeout=10).payload == {"text": text}
        queue.close()


def test_amqplib(t):
    reason = node.available()
    if reason:
        raise Skip(reason)
    tls = certificates.Tls(t, verify="verify_peer", fail_if_no_peer_cert="true")
    for version in ("TLSv1.2", "TLSv1.3"):
        program = Program(t, ["node", "tls.js", str(tls.port), version, tls.authority.folder],
                          cwd=node.FOLDER)
        program.wait_line("all came back over %s" % version)


def test_openssl_resumes(t):
    """A ticket is good on every loop, with the client's certificate."""
    tls = certificates.Tls(t, verify="verify_peer", fail_if_no_peer_cert="true", loops=3)
    for version in VERSIONS.values():
        context = tls.context(client="client", version=version)
        session = None
        for i in range(7):
            s = tls.socket(context, session)
            assert s.session_reused == (i > 0), (version, i)
            s.sendall(b"AMQP\0\0\x09\x01")
            assert s.recv(1) == b"\x01"   # a method's frame; the ticket of TLS 1.3 has come before it
            session = s.session
            s.close()
