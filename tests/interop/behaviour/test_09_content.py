# SPDX-License-Identifier: MIT
"""What is published is what is delivered: bodies of all sizes, properties, header tables, byte for byte."""

import pika

from lib import wire
from lib.wire import Decimal, Typed

ALL_PROPERTIES = {
    "content_type": "application/json", "content_encoding": "utf-8", "headers": {"k": "v", "n": 5},
    "delivery_mode": 2, "priority": 7, "correlation_id": "c-1", "reply_to": "answers", "expiration": "60000",
    "message_id": "m-1", "timestamp": 1700000000, "type": "order", "user_id": "guest", "app_id": "app",
    "cluster_id": "cluster"}

FIELD_VALUES = {
    "boolean true": Typed("t", 1), "boolean false": Typed("t", 0), "signed 8": Typed("b", -128),
    "unsigned 8": Typed("B", 255), "signed 16": Typed("s", -32768), "unsigned 16": Typed("u", 65535),
    "signed 32": Typed("I", -2**31), "unsigned 32": Typed("i", 2**32 - 1), "signed 64 l": Typed("l", -2**63),
    "signed 64 L": Typed("L", 2**63 - 1), "float": Typed("f", 1.5), "double": Typed("d", -1e300),
    "decimal": Typed("D", Decimal(2, 31415)), "string": "text \0 and more", "empty string": "",
    "long string": "x" * 70000, "bytes": Typed("x", b"\x00\xff\xfe"), "timestamp": Typed("T", 2**40),
    "void": None, "table": {"inner": {"deep": {"deeper": 1}}}, "empty table": {}, "array": [1, "two", [3, {"four": 4}]],
    "empty array": [], "utf-8": "Wölfe 狼 🐺"}


def round_trip(t, body=b"m", properties=None, raw=None):
    client = t.wire()
    queue = t.wire_queue(client)
    client.publish(1, "", queue, body, properties, raw)
    return client.get(1, queue)


def both_ways(t, size):
    """A body of this size by basic.get and by basic.deliver."""
    client = t.wire()
    queue = t.wire_queue(client)
    body = bytes(i * 7 % 251 for i in range(min(size, 4096))) * (size // 4096 + 1)
    body = body[:size]
    client.publish(1, "", queue, body)
    assert client.get(1, queue).body == body
    client.call(1, "basic.consume", queue=queue, no_ack=True)
    client.publish(1, "", queue, body)
    assert client.read_message().body == body


def test_body_of_0_bytes(t):
    both_ways(t, 0)


def test_body_of_1_byte(t):
    both_ways(t, 1)


def test_bodies_around_one_frame(t):
    for size in (131063, 131064, 131065):
        both_ways(t, size)


def test_bodies_around_two_frames(t):
    for size in (262127, 262128, 262129):
        both_ways(t, size)


def test_body_of_1_mib(t):
    both_ways(t, 1 << 20)


def test_body_of_10_mib(t):
    both_ways(t, 10 << 20)


def test_body_of_3_mib_in_frames_of_4096(t):
    client = t.wire(frame_max=4096)
    queue = t.wire_queue(client)
    body = bytes(range(256)) * 12288
    client.publish(1, "", queue, body)
    assert client.get(1, queue).body == body


def test_publisher_and_consumer_with_different_frame_max(t):
    small, large = t.wire(frame_max=4096), t.wire()
    queue = t.wire_queue(small, exclusive=False)
    body = b"0123456789abcdef" * 4000
    large.publish(1, "", queue, body)
    large.expect_quiet(1)
    t.wait(lambda: small.call(1, "queue.declare", queue=queue, passive=True).message_count == 1, "the message")
    message = small.get(1, queue)
    assert message.body == body and max(message.body_frames) == 4088


def test_body_in_frames_of_one_byte(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.send(1, "basic.publish", routing_key=queue)
    body = bytes(range(256))
    client.send_raw(wire.encode_frame(wire.HEADER, 1, wire.encode_content_header(256)) +
                    b"".join(wire.encode_frame(wire.BODY, 1, body[i:i + 1]) for i in range(256)))
    assert client.get(1, queue).body == body


def test_binary_body(t):
    body = bytes(range(256)) + b"\xce\xce\xceAMQP\x00\x00\x09\x01"
    assert round_trip(t, body).body == body


def test_all_fourteen_properties(t):
    assert round_trip(t, properties=ALL_PROPERTIES).properties == ALL_PROPERTIES


def test_all_fourteen_properties_byte_for_byte(t):
    raw = wire.encode_properties(ALL_PROPERTIES)
    assert round_trip(t, raw=raw).raw_properties == raw


def test_each_property_alone(t):
    client = t.wire()
    queue = t.wire_queue(client)
    for name, value in ALL_PROPERTIES.items():
        client.publish(1, "", queue, b"m", {name: value})
        assert client.get(1, queue).properties == {name: value}, name


def test_no_properties(t):
    assert round_trip(t).raw_properties == b"\0\0"


def test_empty_properties_stay_present(t):
    properties = {"content_type": "", "correlation_id": "", "message_id": "", "headers": {}}
    assert round_trip(t, properties=properties).properties == properties


def test_properties_that_are_not_utf_8(t):
    raw = wire.encode_properties({"correlation_id": b"\xff\xfe\x00\x01", "message_id": b"\x80"})
    assert round_trip(t, raw=raw).raw_properties == raw


def test_properties_of_255_bytes(t):
    properties = {"correlation_id": "c" * 255, "reply_to": "r" * 255, "message_id": "m" * 255, "type": "t" * 255}
    assert round_trip(t, properties=properties).properties == properties


def test_unusual_priority_and_delivery_mode(t):
    for properties in ({"priority": 255}, {"priority": 0}, {"delivery_mode": 1}, {"timestamp": 2**63}):
        assert round_trip(t, properties=properties).properties == properties


def test_header_table_of_all_field_types(t):
    message = round_trip(t, properties={"headers": FIELD_VALUES})
    assert list(message.headers) == list(FIELD_VALUES)
    for key, value in FIELD_VALUES.items():
        expected = value.value if isinstance(value, Typed) else value
        assert message.headers[key] == expected, key


def test_header_table_byte_for_byte(t):
    raw = wire.encode_properties({"headers": FIELD_VALUES})
    assert round_trip(t, raw=raw).raw_properties == raw


def test_each_field_type_byte_for_byte(t):
    client = t.wire()
    queue = t.wire_queue(client)
    for name, value in FIELD_VALUES.items():
        raw = wire.encode_properties({"headers": {name: value}})
        client.publish(1, "", queue, b"m", raw=raw)
        assert client.get(1, queue).raw_properties == raw, name


def test_headers_with_repeated_and_empty_keys(t):
    table = (wire.shortstr("k") + wire.encode_value(1) + wire.shortstr("k") + wire.encode_value(2) +
             wire.shortstr("") + wire.encode_value("empty"))
    raw = wire.encode_properties({"headers": table})
    assert round_trip(t, raw=raw).raw_properties == raw


def test_header_table_of_100_kib(t):
    """The header frame may be as large as a frame."""
    properties = {"headers": {"k%d" % i: "v" * 100 for i in range(1000)}}
    assert round_trip(t, properties=properties).properties == properties


def test_properties_reach_every_queue(t):
    client = t.wire()
    queues = [t.wire_queue(client) for _ in range(3)]
    for queue in queues:
        client.call(1, "queue.bind", queue=queue, exchange="amq.direct", routing_key=t.prefix)
    raw = wire.encode_properties(ALL_PROPERTIES)
    client.publish(1, "amq.direct", t.prefix, b"m", raw=raw)
    for queue in queues:
        assert client.get(1, queue).raw_properties == raw


def test_properties_in_pika(t):
    channel = t.channel()
    queue = t.queue(channel)
    properties = pika.BasicProperties(content_type="text/plain", headers={"a": [1, {"b": None}], "c": True},
                                      delivery_mode=2, priority=3, correlation_id="c", reply_to="r", expiration="99999",
                                      message_id="m", timestamp=1, type="t", user_id="guest", app_id="a")
    channel.basic_publish("", queue, b"m", properties)
    assert t.get(channel, queue)[1] == properties


def test_user_id_of_another_user_is_406(t):
    client = t.wire()
    client.publish(1, "amq.direct", "k", b"m", {"user_id": "somebody"})
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated "
                                "user was '%s'" % t.broker.user, "basic.publish")


def test_routing_key_of_255_bytes(t):
    client = t.wire()
    queue = t.wire_queue(client)
    key = "k" * 255
    client.call(1, "queue.bind", queue=queue, exchange="amq.direct", routing_key=key)
    client.publish(1, "amq.direct", key, b"m")
    assert client.get(1, queue).method.routing_key == key


def test_message_order_is_kept(t):
    client = t.wire()
    queue = t.wire_queue(client)
    for number in range(2000):
        client.publish(1, "", queue, b"%d" % number)
    client.call(1, "basic.consume", queue=queue, no_ack=True)
    assert [int(client.read_message().body) for _ in range(2000)] == list(range(2000))


def test_message_order_is_kept_while_consuming(t):
    consumer, publisher = t.wire(), t.wire()
    queue = t.wire_queue(consumer)
    consumer.call(1, "basic.consume", queue=queue, no_ack=True)
    for number in range(2000):
        publisher.publish(1, "", queue, b"%d" % number)
    assert [int(consumer.read_message().body) for _ in range(2000)] == list(range(2000))


def test_large_and_small_bodies_keep_their_order(t):
    client = t.wire()
    queue = t.wire_queue(client)
    sizes = [0, 500000, 1, 131064, 0, 200000, 2, 131065, 3]
    for size in sizes:
        client.publish(1, "", queue, b"x" * size)
    client.call(1, "basic.consume", queue=queue, no_ack=True)
    assert [len(client.read_message().body) for _ in sizes] == sizes


def test_publish_without_a_queue_is_dropped(t):
    client = t.wire()
    for _ in range(100):
        client.publish(1, "amq.direct", "none." + t.prefix, b"m")
    client.expect_quiet(1)


def test_immediate_is_540(t):
    client = t.wire()
    client.publish(1, "", "k", b"m", immediate=True)
    client.expect_connection_close(540, "NOT_IMPLEMENTED - immediate=true", "basic.publish")
