# SPDX-License-Identifier: MIT
"""From the protocol header to connection.open-ok."""

import re

import pika
import pika.exceptions

from lib import wire
from lib.runner import slow

CAPABILITIES = {"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify",
                "connection.blocked", "consumer_priorities", "authentication_failure_close", "per_consumer_qos",
                "direct_reply_to"}
REFUSED = ("ACCESS_REFUSED - Login was refused using authentication mechanism %s. "
           "For details see the broker logfile.")


def start(t):
    client = t.socket()
    client.send_protocol_header()
    return client.read_method("connection.start", channel=0)


def server_properties(t):
    return wire.decode_table(start(t).server_properties)


def refused_header(t, header):
    """The broker answers with the header it speaks and closes."""
    client = t.socket()
    client.send_raw(header)
    assert client.read_raw(8) == wire.PROTOCOL_HEADER
    try:
        client.read_raw(1)
    except wire.Closed:
        return
    raise AssertionError("the broker sent more than its header")


def refused_before_tune(t, client, code, text=None, method=None):
    """RabbitMQ 3.10 closes the socket after 3 s without a frame; RabbitMQ 4 and Shunt say why."""
    if t.rabbit3:
        client.expect_end_of_stream()
    else:
        client.expect_connection_close(code, text, method)


def amqplain(user, password):
    return wire.encode_table({"LOGIN": user, "PASSWORD": password})[4:]


def test_start_announces_version_0_9(t):
    method = start(t)
    assert (method.version_major, method.version_minor) == (0, 9)


def test_start_offers_plain_and_amqplain(t):
    assert {b"PLAIN", b"AMQPLAIN"} <= set(start(t).mechanisms.split(b" "))


def test_start_offers_locale_en_us(t):
    assert start(t).locales == b"en_US"


def test_server_properties_have_rabbitmqs_keys(t):
    expected = {"capabilities", "cluster_name", "copyright", "information", "platform", "product", "version"}
    assert expected <= set(server_properties(t))


def test_server_properties_are_strings(t):
    properties = server_properties(t)
    del properties["capabilities"]
    assert all(isinstance(value, str) and value for value in properties.values()), properties


def test_capabilities_are_rabbitmqs_set_and_all_true(t):
    assert server_properties(t)["capabilities"] == dict.fromkeys(CAPABILITIES, True)


def test_product_is_shunt_by_default(t):
    assert server_properties(t)["product"] == ("Shunt" if t.shunt else "RabbitMQ")


def test_header_of_amqp_1_0_is_answered_with_0_9_1(t):
    refused_header(t, b"AMQP\x00\x01\x00\x00")


def test_header_of_amqp_1_0_with_sasl_is_answered_with_0_9_1(t):
    refused_header(t, b"AMQP\x03\x01\x00\x00")


def test_header_of_unknown_revision_is_answered_with_0_9_1(t):
    refused_header(t, b"AMQP\x00\x00\x09\x07")


def test_header_of_http_is_answered_with_0_9_1(t):
    refused_header(t, b"GET / HTTP/1.1\r\n\r\n")


def test_header_of_tls_is_answered_with_0_9_1(t):
    refused_header(t, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")


def test_header_of_zeros_is_answered_with_0_9_1(t):
    refused_header(t, bytes(8))


def test_header_byte_by_byte(t):
    client = t.socket()
    for octet in wire.PROTOCOL_HEADER:
        client.send_raw(bytes([octet]))
    client.read_method("connection.start")


def test_whole_handshake_byte_by_byte(t):
    """Frames may be cut anywhere by TCP."""
    client = t.socket()

    def trickle(data):
        for octet in data:
            client.socket.sendall(bytes([octet]))
    client.send_raw = trickle
    client.handshake(user=t.broker.user, password=t.broker.password, vhost=t.broker.vhost)
    client.call(1, "channel.open")


def test_whole_handshake_sent_ahead(t):
    """A client need not wait for answers that it can foresee."""
    client = t.socket()
    response = b"\0" + t.broker.user.encode() + b"\0" + t.broker.password.encode()
    client.send_raw(wire.PROTOCOL_HEADER + b"".join(
        wire.encode_frame(wire.METHOD, channel, wire.encode_method(name, **fields)) for channel, name, fields in (
            (0, "connection.start-ok", {"mechanism": "PLAIN", "response": response, "locale": "en_US"}),
            (0, "connection.tune-ok", {"channel_max": 10, "frame_max": 8192}),
            (0, "connection.open", {"virtual_host": t.broker.vhost}),
            (7, "channel.open", {}))))
    for name in ("connection.start", "connection.tune", "connection.open-ok", "channel.open-ok"):
        client.read_method(name)


def test_login_plain(t):
    t.wire(mechanism="PLAIN")


def test_login_amqplain(t):
    t.wire(mechanism="AMQPLAIN", response=amqplain(t.broker.user, t.broker.password))


def test_login_amqplain_with_keys_in_other_order(t):
    response = wire.encode_table({"PASSWORD": t.broker.password, "LOGIN": t.broker.user})[4:]
    t.wire(mechanism="AMQPLAIN", response=response)


@slow
def test_login_plain_with_wrong_password_is_403(t):
    client = t.socket()
    client.start(user=t.broker.user, password="wrong")
    client.expect_connection_close(403, REFUSED % "PLAIN")


@slow
def test_login_amqplain_with_wrong_password_is_403(t):
    client = t.socket()
    client.start(mechanism="AMQPLAIN", response=amqplain(t.broker.user, "wrong"))
    client.expect_connection_close(403, REFUSED % "AMQPLAIN")


@slow
def test_login_of_unknown_user_is_403(t):
    client = t.socket()
    client.start(user=t.name("nobody"))
    client.expect_connection_close(403, REFUSED % "PLAIN")


@slow
def test_login_with_empty_password_is_403(t):
    client = t.socket()
    client.start(user=t.broker.user, password="")
    client.expect_connection_close(403, REFUSED % "PLAIN")


@slow
def test_login_failure_without_the_capability_is_a_silent_close(t):
    client = t.socket()
    client.start(user=t.broker.user, password="wrong", capabilities={})
    client.expect_end_of_stream()


@slow
def test_login_failure_in_pika_is_an_authentication_error(t):
    try:
        t.connect(credentials=pika.PlainCredentials(t.broker.user, "wrong"))
    except pika.exceptions.ProbableAuthenticationError as error:
        assert "403" in repr(error), error
    else:
        raise AssertionError("logged in with a wrong password")


@slow
def test_login_plain_without_separators_is_refused(t):
    client = t.socket()
    client.start(response=b"guest")
    client.read_method("connection.close") if not t.rabbit3 else client.expect_end_of_stream()


@slow
def test_login_amqplain_with_garbage_is_refused(t):
    client = t.socket()
    client.start(mechanism="AMQPLAIN", response=b"\x05LOG")
    client.read_method("connection.close") if not t.rabbit3 else client.expect_end_of_stream()


@slow
def test_unknown_mechanism_is_503(t):
    client = t.socket()
    client.start(mechanism="KERBEROS_V4", response=b"x")
    refused_before_tune(t, client, 503, "COMMAND_INVALID - unknown authentication mechanism 'KERBEROS_V4'",
                        "connection.start-ok")


@slow
def test_method_before_start_ok_is_refused(t):
    client = t.socket()
    client.send_protocol_header()
    client.read_method("connection.start")
    client.send(0, "connection.open", virtual_host="/")
    refused_before_tune(t, client, 504, re.compile("^CHANNEL_ERROR - unexpected method in connection state"),
                        "connection.open")


@slow
def test_open_before_tune_ok_is_refused(t):
    client = t.socket()
    client.start(user=t.broker.user, password=t.broker.password)
    client.read_method("connection.tune")
    client.send(0, "connection.open", virtual_host="/")
    refused_before_tune(t, client, 504, re.compile("^CHANNEL_ERROR - unexpected method in connection state"),
                        "connection.open")


@slow
def test_start_ok_above_4096_bytes_ends_the_connection(t):
    """Before connection.tune a frame is at most 4096 bytes."""
    client = t.socket()
    client.send_protocol_header()
    client.read_method("connection.start")
    client.send(0, "connection.start-ok", client_properties={"filler": "x" * 8000}, mechanism="PLAIN",
                response=b"\0guest\0guest", locale="en_US")
    if t.rabbit3:
        client.expect_end_of_stream()
    else:
        client.expect_connection_close(501, re.compile("^FRAME_ERROR - "))


def test_start_ok_with_large_client_properties_below_4096_bytes(t):
    client = t.socket()
    client.send_protocol_header()
    client.read_method("connection.start")
    client.send(0, "connection.start-ok", client_properties={"filler": "x" * 3900}, mechanism="PLAIN",
                response=b"\0" + t.broker.user.encode() + b"\0" + t.broker.password.encode(), locale="en_US")
    client.read_method("connection.tune")


def test_client_properties_of_all_types_are_accepted(t):
    client = t.socket()
    client.send_protocol_header()
    client.read_method("connection.start")
    properties = {"I": 1, "S": "s", "t": True, "F": {"deep": {"deeper": [1, "two", {"three": 3}]}}, "d": 1.5,
                  "V": None, "T": wire.Typed("T", 1), "D": wire.Typed("D", wire.Decimal(2, 314))}
    client.send(0, "connection.start-ok", client_properties=properties, mechanism="PLAIN",
                response=b"\0" + t.broker.user.encode() + b"\0" + t.broker.password.encode(), locale="en_US")
    client.read_method("connection.tune")


def test_open_ok_has_an_empty_reserved_field(t):
    client = t.socket()
    client.start(user=t.broker.user, password=t.broker.password)
    client.tune()
    assert client.call(0, "connection.open", virtual_host=t.broker.vhost).reserved_1 == ""


def test_unknown_vhost_is_530(t):
    client = t.socket()
    client.start(user=t.broker.user, password=t.broker.password)
    client.tune()
    client.send(0, "connection.open", virtual_host="no-such-vhost")
    client.expect_connection_close(530, "NOT_ALLOWED - vhost no-such-vhost not found", "connection.open")


def test_unknown_vhost_in_pika(t):
    try:
        t.connect(vhost="no-such-vhost")
    except pika.exceptions.ConnectionClosedByBroker as error:
        assert error.reply_code == 530, error
    except pika.exceptions.ProbableAccessDeniedError as error:
        assert "530" in repr(error), error
    else:
        raise AssertionError("opened a vhost that is not there")


def test_handshake_in_pika(t):
    assert t.connect().is_open


def test_pika_sees_the_capabilities(t):
    connection = t.connect()
    assert connection.basic_nack_supported
    assert connection.consumer_cancel_notify_supported
    assert connection.exchange_exchange_bindings_supported
    assert connection.publisher_confirms_supported


def test_many_connections_at_once(t):
    clients = [t.wire() for _ in range(30)]
    for client in clients:
        client.expect_quiet(1)
