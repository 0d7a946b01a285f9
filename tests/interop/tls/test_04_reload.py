# SPDX-License-Identifier: MIT
"""SIGHUP: certificates are loaded anew, for the connections that come; those that are there notice nothing."""

import signal

from lib import certificates

available = certificates.available


def serial(tls):
    """Of the certificate that is shown."""
    s = tls.socket()
    return s.getpeercert()["serialNumber"]


def reload(tls, text):
    before = tls.log().count(text)
    tls.broker.process.send_signal(signal.SIGHUP)
    tls.t.wait(lambda: tls.log().count(text) > before, "%r in the log once more" % text)


def test_new_certificate(t):
    tls = certificates.Tls(t, config="")
    before = serial(tls)
    connection = tls.connect()
    channel = connection.channel()
    tls.authority.sign("server", "/CN=localhost")
    assert serial(tls) == before
    reload(tls, "configuration reloaded: in force now: another certificate\n")
    assert serial(tls) != before
    reload(tls, "configuration reloaded: in force now: nothing new\n")
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.basic_publish("", queue, b"still here")
    assert channel.basic_get(queue, auto_ack=True)[2] == b"still here"


def test_what_is_wrong_changes_nothing(t):
    tls = certificates.Tls(t, config="")
    before = serial(tls)
    with open(tls.authority.path("server.pem"), "w", encoding="ascii") as f:
        f.write("half a certi")
    reload(tls, "configuration not reloaded: ")
    assert "shunt.conf:1: ssl_options.certfile: '%s': no start line" % tls.authority.path("server.pem") in tls.log()
    assert serial(tls) == before
    tls.authority.sign("other", "/CN=localhost")
    tls.configure(shown="other", keyfile=tls.authority.path("client.key"))
    reload(tls, "configuration not reloaded: ")
    assert serial(tls) == before
    tls.configure(shown="other")
    reload(tls, "configuration reloaded")
    assert serial(tls) != before


def test_sessions_survive(t):
    tls = certificates.Tls(t, config="", loops=2)
    context = tls.context(client="client")

    def come(session=None):
        s = tls.socket(context, session)
        s.sendall(b"AMQP\0\0\x09\x01")
        assert s.recv(1) == b"\x01"
        return s.session, s.session_reused
    session, _ = come()
    tls.authority.sign("server", "/CN=localhost")
    reload(tls, "configuration reloaded")
    session, is_resumed = come(session)
    assert is_resumed
    # but not where more is demanded than was when it began
    tls.configure(verify="verify_peer", fail_if_no_peer_cert="true")
    reload(tls, "configuration reloaded")
    session, is_resumed = come(session)
    assert not is_resumed
    assert come(session)[1]
