# SPDX-License-Identifier: MIT
"""Who gets in: passwords, mechanisms, certificates, addresses; what a refusal says, to the client and in the log."""

import re
import time

from lib import certificates
from lib import wire
from lib.case import Skip
from lib.runner import limit, slow
from lib.shuntctl import ctl

REFUSED = ("ACCESS_REFUSED - Login was refused using authentication mechanism %s. "
           "For details see the broker logfile.")
SECRET = "s3cret"


def user(t, password=SECRET, broker=None):
    name = t.name("u")
    ctl(t, "add_user", name, password, broker=broker)
    ctl(t, "set_permissions", "-p", "/", name, ".*", ".*", ".*", broker=broker)
    if broker is None:
        t.cleanup(lambda: name in ctl(t, "-q", "list_users") and ctl(t, "delete_user", name))
    return name


def enters(t, name, password, broker=None, source=None):
    client = t.socket_to(broker or t.broker, source=source)
    client.handshake(user=name, password=password)
    client.close()


def refused(t, name, password, broker=None, source=None, mechanism="PLAIN", response=None):
    client = t.socket_to(broker or t.broker, source=source)
    client.start(mechanism=mechanism, response=response, user=name, password=password)
    client.expect_connection_close(403, REFUSED % mechanism)
    client.close_socket()


def in_log(broker, pattern):
    with open(broker.log_path, encoding="utf-8", errors="replace") as f:
        return any(re.search(pattern, line) for line in f)


def wait_for_log(t, broker, pattern):
    deadline = time.monotonic() + t.limit
    while not in_log(broker, pattern):
        assert time.monotonic() < deadline, "not in the log: " + pattern
        time.sleep(0.02)


def lines_about(t, broker, address, count):
    """The lines of the log about a connection from there; they may be on their way."""
    def lines():
        with open(broker.log_path, encoding="utf-8", errors="replace") as f:
            return [line for line in f.read().splitlines() if address in line]

    t.wait(lambda: len(lines()) >= count, "%d lines about %s" % (count, address))
    return lines()


# ---- Passwords

def test_wrong_password_and_unknown_user_are_refused_alike(t):
    refused(t, t.broker.user, "wrong")
    refused(t, t.name("nobody"), "wrong")
    refused(t, "", "wrong")


def test_blank_password_is_refused(t):
    refused(t, t.broker.user, "")


def test_amqplain_logs_in_and_is_refused(t):
    def response(password):
        return wire.encode_table({"LOGIN": t.broker.user, "PASSWORD": password})[4:]

    refused(t, None, None, mechanism="AMQPLAIN", response=response("wrong"))
    client = t.socket()
    client.handshake(mechanism="AMQPLAIN", response=response(t.broker.password))


@limit(120)
def test_a_users_password_counts_byte_for_byte(t):
    name = user(t, "päss wörd")
    enters(t, name, "päss wörd")
    for wrong in ("päss wör", "päss wörd ", "Päss wörd", "pass word"):
        refused(t, name, wrong)


@limit(120)
def test_a_changed_password_counts_at_once(t):
    name = user(t)
    for _ in range(3):
        enters(t, name, SECRET)
    ctl(t, "change_password", name, "new")
    refused(t, name, SECRET)
    for _ in range(3):
        enters(t, name, "new")


@limit(120)
def test_a_deleted_user_is_refused_at_once(t):
    name = user(t)
    enters(t, name, SECRET)
    ctl(t, "delete_user", name)
    refused(t, name, SECRET)


@limit(120)
def test_a_user_made_again_has_the_new_password_only(t):
    name = user(t)
    enters(t, name, SECRET)
    ctl(t, "delete_user", name)
    ctl(t, "add_user", name, "other")
    ctl(t, "set_permissions", "-p", "/", name, ".*", ".*", ".*")
    refused(t, name, SECRET)
    enters(t, name, "other")


@limit(120)
def test_a_hundred_clients_with_the_same_password_come_at_once(t):
    name = user(t)
    clients = [t.socket() for _ in range(100)]
    for client in clients:
        client.start(user=name, password=SECRET)
    for client in clients:
        client.tune()
        client.call(0, "connection.open", virtual_host="/")


# ---- What is refused is held, and logged

@slow
def test_a_refused_connection_is_held_for_three_seconds(t):
    client = t.socket()
    client.start(user=t.broker.user, password="wrong")
    begin = time.monotonic()
    client.read_method("connection.close")   # and is not answered
    client.expect_end_of_stream()
    assert time.monotonic() - begin > 2.5, time.monotonic() - begin


def test_logins_are_in_the_audit_trail(t):
    own = t.shuntd()
    refused(t, 'a"b', "wrong", own)
    enters(t, "guest", "guest", own)
    wait_for_log(t, own, r' I audit\[\d\]: event=user.authentication.failure by="a\\"b" from="127.0.0.1:\d+ -> 127.0.0.1:%d"'
                         r' mechanism="PLAIN" reason="user .* - invalid credentials"$' % own.port)
    wait_for_log(t, own, r' I audit\[\d\]: event=user.authentication.success by="guest" from="127.0.0.1:\d+ -> 127.0.0.1:%d"'
                         r' mechanism="PLAIN"$' % own.port)
    with open(own.log_path, encoding="utf-8") as f:
        assert "wrong" not in f.read()


def test_a_failed_login_is_one_line_beside_the_audit_trail(t):
    """It begins with RabbitMQ's words, which operators look for."""
    own = t.shuntd()
    for user in ("a'b", "guest"):
        client = t.socket_to(own)
        client.start(user=user, password="wrong")
        client.read_method("connection.close")   # all is written by then
        address = '"%s:%d -> ' % client.socket.getsockname()
        client.close_socket()
        lines = lines_about(t, own, address, 2)
        assert len(lines) == 2, lines
        assert " I audit[" in lines[0] and " W conn[" in lines[1], lines
        assert lines[1].partition("]: ")[2].startswith("PLAIN login refused: user '%s' - invalid credentials: name=" % user), lines


# ---- Addresses

def fail_at_once(t, own, count, source):
    """Many wrong logins, of which one alone is hashed, as they all have the same password."""
    clients = [t.socket_to(own, source=source) for _ in range(count)]
    for client in clients:
        client.start(user="guest", password="wrong")
    for client in clients:
        client.read_method("connection.close")
        client.close_socket()


@limit(120)
def test_an_address_that_fails_often_is_refused_without_hashing(t):
    own = t.shuntd()
    enters(t, "guest", "guest", own, source="127.0.0.2")
    # 60 may fail, and three more each second; of the lines that say so there are twenty a second
    while not in_log(own, r"from=\"127.0.0.2:.* too many failed logins from this address"):
        fail_at_once(t, own, 100, "127.0.0.2")
    # who has been let in a short time ago is, and other addresses are not touched
    enters(t, "guest", "guest", own, source="127.0.0.2")
    name = user(t, broker=own)
    enters(t, name, SECRET, own, source="127.0.0.3")


def test_all_of_127_is_loopback(t):
    own = t.shuntd()
    enters(t, "guest", "guest", own, source="127.1.2.3")


def test_guest_from_elsewhere_is_refused(t):
    """A proxy tells where it comes from."""
    own = t.shuntd("proxy_protocol=true", header=b"PROXY UNKNOWN\r\n")
    client = t.socket_to(own, header=b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 5672\r\n")
    client.start(user="guest", password="guest")
    client.expect_connection_close(403, REFUSED % "PLAIN")
    wait_for_log(t, own, r"user 'guest' can only connect via localhost")


# ---- Mechanisms

def offered(client):
    client.send_protocol_header()
    return client.read_method("connection.start").mechanisms.decode().split()


def test_mechanisms_are_chosen_by_the_configuration(t):
    own = t.shuntd("auth_mechanisms.1=PLAIN")
    assert offered(t.socket_to(own)) == ["PLAIN"]
    enters(t, "guest", "guest", own)
    client = t.socket_to(own)
    client.start(mechanism="AMQPLAIN", response=wire.encode_table({"LOGIN": "guest", "PASSWORD": "guest"})[4:])
    client.expect_connection_close(503, "COMMAND_INVALID - unknown authentication mechanism 'AMQPLAIN'")


def test_neither_external_nor_anonymous_is_there_by_default(t):
    own = t.shuntd()
    assert offered(t.socket_to(own)) == ["PLAIN", "AMQPLAIN"]
    for mechanism in "EXTERNAL", "ANONYMOUS":
        client = t.socket_to(own)
        client.start(mechanism=mechanism, response=b"guest")
        client.expect_connection_close(503, "COMMAND_INVALID - unknown authentication mechanism '%s'" % mechanism)


def test_anonymous_is_the_user_of_the_configuration(t):
    own = t.shuntd("anonymous_login_user=guest")
    client = t.socket_to(own)
    client.handshake(mechanism="ANONYMOUS", response=b"whoever")
    assert "guest\tANONYMOUS" in ctl(t, "-q", "list_connections", "user", "auth_mechanism", broker=own)


def test_anonymous_with_a_wrong_password_is_refused(t):
    own = t.shuntd("anonymous_login_user=guest", "anonymous_login_pass=wrong")
    client = t.socket_to(own)
    client.start(mechanism="ANONYMOUS", response=b"")
    client.expect_connection_close(403, REFUSED % "ANONYMOUS")


# ---- Certificates

def over_tls(t, *options):
    """A shuntd that asks for certificates."""
    reason = certificates.available()
    if reason:
        raise Skip(reason)
    return certificates.Tls(t, *options, verify="verify_peer")


def client_of(t, tls, subject=None):
    """With a certificate of that subject, or with none."""
    if subject:
        tls.authority.sign("somebody", subject)
    client = wire.Client("127.0.0.1", tls.port, t.limit, tls.context(client="somebody" if subject else None))
    t.cleanup(client.close_socket)
    return client


@limit(60)
def test_external_is_who_the_certificate_says(t):
    tls = over_tls(t, "auth_mechanisms.1=EXTERNAL", "auth_mechanisms.2=PLAIN", "ssl_cert_login_from=common_name")
    assert offered(client_of(t, tls, "/O=Shunt/CN=guest")) == ["PLAIN", "EXTERNAL"]
    client = client_of(t, tls, "/O=Shunt/CN=guest").handshake(mechanism="EXTERNAL", response=b"admin")
    assert "guest\tEXTERNAL" in ctl(t, "-q", "list_connections", "user", "auth_mechanism", broker=tls.broker)
    client.close()
    client = client_of(t, tls, "/CN=nobody")
    client.start(mechanism="EXTERNAL", response=b"guest")
    client.expect_connection_close(403, REFUSED % "EXTERNAL")
    wait_for_log(t, tls.broker, "user 'nobody' - invalid credentials")


@limit(60)
def test_external_by_the_whole_subject(t):
    tls = over_tls(t, "auth_mechanisms.1=EXTERNAL")
    name = "CN=client,O=Shunt\\, Ltd"
    ctl(t, "add_user", name, SECRET, broker=tls.broker)
    ctl(t, "set_permissions", name, ".*", ".*", ".*", broker=tls.broker)
    client_of(t, tls, "/O=Shunt, Ltd/CN=client").handshake(mechanism="EXTERNAL", response=b"")


@limit(60)
def test_external_by_an_alternative_name(t):
    tls = over_tls(t, "auth_mechanisms.1=EXTERNAL", "ssl_cert_login_from=subject_alternative_name",
                   "ssl_cert_login_san_type=ip", "ssl_cert_login_san_index=0")
    ctl(t, "add_user", "127.0.0.1", SECRET, broker=tls.broker)
    ctl(t, "set_permissions", "127.0.0.1", ".*", ".*", ".*", broker=tls.broker)
    client_of(t, tls, "/CN=whoever").handshake(mechanism="EXTERNAL", response=b"")


@limit(60)
def test_external_needs_a_certificate(t):
    tls = over_tls(t, "auth_mechanisms.1=EXTERNAL", "auth_mechanisms.2=PLAIN", "ssl_cert_login_from=common_name")
    assert offered(client_of(t, tls)) == ["PLAIN"]
    client = client_of(t, tls)
    client.start(mechanism="EXTERNAL", response=b"guest")
    client.expect_connection_close(503, "COMMAND_INVALID - unknown authentication mechanism 'EXTERNAL'")
