# SPDX-License-Identifier: MIT
"""Frames and methods that no client library sends."""

import random
import re

from lib import wire

PUBLISH = wire.encode_frame(wire.METHOD, 1, wire.encode_method("basic.publish", routing_key="nowhere"))
NO_METHOD = "UNEXPECTED_FRAME - expected method frame, got non method frame instead"
NO_HEADER = "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead"
NO_BODY = "UNEXPECTED_FRAME - expected content body, got non content body frame instead"
FRAME_ERROR = re.compile("^FRAME_ERROR - ")


def method(name, channel=1, **fields):
    return wire.encode_frame(wire.METHOD, channel, wire.encode_method(name, **fields))


def header(size, channel=1, **options):
    return wire.encode_frame(wire.HEADER, channel, wire.encode_content_header(size, **options))


def body(data, channel=1):
    return wire.encode_frame(wire.BODY, channel, data)


def sent(t, *frames):
    client = t.wire()
    client.send_raw(b"".join(frames))
    return client


def closed_connection(t, codes, *frames):
    """connection.close with one of the codes; where RabbitMQ 3.x crashes (a reset, or 541) Shunt must answer."""
    client = sent(t, *frames)
    try:
        close = client.read_method("connection.close", channel=0)
    except wire.Closed:
        assert t.rabbit3, "the socket closed without connection.close"
        return
    assert close.reply_code in codes or (t.rabbit3 and close.reply_code == 541), close
    assert not close.reply_text or close.reply_text.isprintable(), close


def malformed(t, *frames):
    closed_connection(t, (501, 502), *frames)


def declare(arguments):
    """queue.declare with these bytes as its table."""
    return method("queue.declare", queue="never-declared", exclusive=True, arguments=arguments)


def nested_tables(depth):
    raw = b""
    for _ in range(depth):
        raw = b"\x01kF" + wire.longstr(raw)
    return raw


def nested_arrays(depth):
    raw = b""
    for _ in range(depth):
        raw = b"A" + wire.longstr(raw)
    return b"\x01k" + raw


# ---- content out of place

def test_header_without_publish_is_505(t):
    sent(t, header(1)).expect_connection_close(505, NO_METHOD, 0)


def test_body_without_publish_is_505(t):
    sent(t, body(b"x")).expect_connection_close(505, NO_METHOD, 0)


def test_content_on_an_unopened_channel_is_refused(t):
    closed_connection(t, (504, 505), header(1, 7))
    closed_connection(t, (504, 505), body(b"x", 7))


def test_content_on_channel_0_is_505(t):
    for frame in (header(1, 0), body(b"x", 0)):
        sent(t, frame).expect_connection_close(505, re.compile("^UNEXPECTED_FRAME - "), 0)


def test_body_instead_of_header_is_505(t):
    sent(t, PUBLISH, body(b"x")).expect_connection_close(505, NO_HEADER, "basic.publish")


def test_method_instead_of_header_is_505(t):
    sent(t, PUBLISH, method("basic.qos")).expect_connection_close(505, NO_HEADER, "basic.publish")


def test_publish_instead_of_header_is_505(t):
    sent(t, PUBLISH, PUBLISH).expect_connection_close(505, NO_HEADER, "basic.publish")


def test_header_instead_of_body_is_505(t):
    sent(t, PUBLISH, header(5), header(5)).expect_connection_close(505, NO_BODY, "basic.publish")


def test_method_instead_of_body_is_505(t):
    sent(t, PUBLISH, header(5), method("basic.qos")).expect_connection_close(505, NO_BODY, "basic.publish")


def test_method_in_the_midst_of_a_body_is_505(t):
    client = sent(t, PUBLISH, header(5), body(b"xx"), method("basic.qos"))
    client.expect_connection_close(505, NO_BODY, "basic.publish")


def test_header_of_another_class_is_505(t):
    sent(t, PUBLISH, header(5, class_id=50)).expect_connection_close(
        505, "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead", "basic.publish")


def test_body_after_an_empty_message_is_505(t):
    sent(t, PUBLISH, header(0), body(b"x")).expect_connection_close(505, NO_METHOD, 0)


def test_body_longer_than_declared_is_refused(t):
    """RabbitMQ waits for ever."""
    client = sent(t, PUBLISH, header(5), body(b"123456"))
    if not t.rabbit3:
        close = client.read_method("connection.close", channel=0)
        assert close.reply_code in (501, 505), close


def test_content_on_another_channel_is_505(t):
    client = t.wire()
    client.open_channel(2)
    client.send_raw(PUBLISH + header(1, 2))
    client.expect_connection_close(505, NO_METHOD, 0)


# ---- frames that are none

def test_bad_end_octet_is_501(t):
    frame = wire.encode_frame(wire.METHOD, 1, wire.encode_method("basic.qos"), end=0)
    sent(t, frame).expect_connection_close(501, FRAME_ERROR, 0)


def test_bad_end_octet_on_a_body_is_501(t):
    frame = wire.encode_frame(wire.BODY, 1, b"x", end=0xCD)
    sent(t, PUBLISH, header(1), frame).expect_connection_close(501, FRAME_ERROR)


def test_unknown_frame_types_are_501(t):
    for kind in (0, 4, 9, 255):
        sent(t, wire.encode_frame(kind, 1, b"x")).expect_connection_close(501, FRAME_ERROR, 0)


def test_heartbeat_with_a_payload_is_501(t):
    sent(t, wire.encode_frame(wire.HEARTBEAT, 0, b"x")).expect_connection_close(501, FRAME_ERROR, 0)


def test_method_frame_shorter_than_its_ids_is_501(t):
    for payload in (b"", b"\0", b"\0\x3c\0"):
        sent(t, wire.encode_frame(wire.METHOD, 1, payload)).expect_connection_close(501, FRAME_ERROR, 0)


def test_header_frame_shorter_than_its_fields_is_501(t):
    for payload in (b"", b"\0\x3c\0\0"):
        sent(t, PUBLISH, wire.encode_frame(wire.HEADER, 1, payload)).expect_connection_close(501, FRAME_ERROR)


def test_protocol_header_on_an_open_connection_is_501(t):
    sent(t, wire.PROTOCOL_HEADER + bytes(70000)).expect_connection_close(501, FRAME_ERROR)


# ---- methods

def test_unknown_class_is_refused(t):
    closed_connection(t, (501, 503, 540), wire.encode_frame(wire.METHOD, 1, b"\0\xc8\0\x0a"))


def test_unknown_method_is_refused(t):
    closed_connection(t, (501, 503, 540), wire.encode_frame(wire.METHOD, 1, b"\0\x3c\0\xc8"))


def test_unknown_class_on_channel_0_is_refused(t):
    closed_connection(t, (501, 503, 540), wire.encode_frame(wire.METHOD, 0, b"\0\xc8\0\x0a"))


def test_servers_methods_from_the_client_are_503(t):
    for name in ("basic.get-empty", "basic.consume-ok", "basic.cancel-ok", "basic.qos-ok", "queue.declare-ok",
                 "exchange.declare-ok", "confirm.select-ok", "tx.commit-ok", "access.request-ok"):
        sent(t, method(name)).expect_connection_close(503, "COMMAND_INVALID - unimplemented method", name)


def test_servers_content_methods_from_the_client_are_503(t):
    for name in ("basic.deliver", "basic.return"):
        sent(t, method(name), header(1), body(b"x")).expect_connection_close(
            503, "COMMAND_INVALID - unimplemented method", name)


def test_method_without_arguments_is_malformed(t):
    malformed(t, wire.encode_frame(wire.METHOD, 1, b"\0\x32\0\x0a"))


def test_every_truncation_of_a_method_is_malformed(t):
    payload = wire.encode_method("exchange.declare", exchange="ex", type="topic", arguments={"a": 1})
    for size in range(4, len(payload)):
        client = sent(t, wire.encode_frame(wire.METHOD, 1, payload[:size]))
        close = client.read_method("connection.close")
        assert close.reply_code in (501, 502), (size, close)
        client.close_socket()


def test_bytes_after_the_last_argument_are_malformed(t):
    malformed(t, wire.encode_frame(wire.METHOD, 1, wire.encode_method("basic.qos") + b"x"))


def test_string_over_the_end_of_its_frame_is_malformed(t):
    malformed(t, wire.encode_frame(wire.METHOD, 1, b"\0\x32\0\x0a\0\0\xffab"))


def test_name_that_is_not_utf_8_is_malformed(t):
    frame = wire.encode_frame(wire.METHOD, 1, b"\0\x32\0\x0a\0\0\x03\xff\xfe\xfd\x02\0\0\0\0")
    malformed(t, frame)


# ---- tables and properties

def test_table_over_the_end_of_its_frame_is_malformed(t):
    malformed(t, wire.encode_frame(wire.METHOD, 1, wire.encode_method("queue.declare", queue="a")[:-4] +
                                   b"\xff\xff\xff\xff"))


def test_table_value_of_unknown_type_is_malformed(t):
    malformed(t, declare(b"\x01kZxxxx"))


def test_table_value_cut_off_is_malformed(t):
    for value in (b"I\0\0", b"S\0\0\0\x05abc", b"l1234567", b"t", b"D\x01", b"A\0\0\0\x01", b"x\xff\xff\xff\xff"):
        malformed(t, declare(b"\x01k" + value))


def test_table_key_over_the_end_is_malformed(t):
    malformed(t, declare(b"\xffk"))


def test_nested_table_over_the_end_is_malformed(t):
    malformed(t, declare(b"\x01kF\0\0\0\xff"))


def test_tables_30_deep_are_accepted(t):
    client = t.wire()
    t.wire_queue(client, arguments=nested_tables(30))
    t.wire_queue(client, arguments=nested_arrays(30))


def test_tables_5000_deep_do_no_harm(t):
    """Shunt refuses them; RabbitMQ takes them."""
    for raw in (nested_tables(5000), nested_arrays(5000)):
        if t.rabbit3:
            t.wire_queue(t.wire(), arguments=raw)
        else:
            malformed(t, declare(raw))


def test_headers_that_are_no_table_are_malformed(t):
    malformed(t, PUBLISH, header(0, raw=b"\x20\0" + wire.longstr(b"\x01kZ")))


def test_headers_over_the_end_are_malformed(t):
    malformed(t, PUBLISH, header(0, raw=b"\x20\0\0\0\xff\xff"))


def test_property_over_the_end_is_malformed(t):
    malformed(t, PUBLISH, header(0, raw=b"\x80\0\xffab"))


def test_bytes_after_the_last_property_are_malformed(t):
    malformed(t, PUBLISH, header(0, raw=b"\0\0xyz"))


def test_header_frame_without_property_flags_is_malformed(t):
    malformed(t, PUBLISH, header(0, raw=b""))


# ---- sizes

def test_message_above_the_limit_is_406(t):
    """128 MiB is the limit; the channel is closed, the connection stays."""
    size = 128 * 1024 * 1024 + 1
    client = t.wire()
    client.send_raw(PUBLISH + header(size))
    chunk = body(bytes(131064))
    whole, rest = divmod(size, 131064)
    for _ in range(whole):
        client.send_raw(chunk)
    client.send_raw(body(bytes(rest)))
    client.expect_channel_close(
        1, 406, "PRECONDITION_FAILED - message size %d is larger than configured max size %d" % (size, size - 1),
        "basic.publish")
    client.open_channel(1)


def test_absurd_body_size_costs_nothing(t):
    """Nothing is allocated by a claimed size; Shunt refuses it at once or at its end, the connection's choice."""
    client = sent(t, PUBLISH, header(2 ** 63))
    other = t.wire()
    other.expect_quiet(1)
    client.close_socket()


# ---- streams that end anywhere

def test_connections_cut_off_anywhere_leave_the_broker_well(t):
    queue = t.name("q")
    stream = (method("queue.declare", queue=queue, exclusive=True) + method("confirm.select") +
              method("basic.publish", routing_key=queue) + header(5, properties={"headers": {"a": [1, {"b": "c"}]}}) +
              body(b"12345") + method("basic.consume", queue=queue))
    for size in range(1, len(stream), 7):
        client = t.wire()
        client.send_raw(stream[:size])
        client.close_socket()
    t.wire().expect_quiet(1)


def test_garbage_leaves_the_broker_well(t):
    generator = random.Random(1)
    for _ in range(30):
        client = t.socket()
        client.send_raw(generator.randbytes(generator.randrange(1, 3000)))
        client.close_socket()
        client = t.wire()
        client.send_raw(generator.randbytes(generator.randrange(1, 3000)))
        client.close_socket()
    t.wire().expect_quiet(1)
