# SPDX-License-Identifier: MIT
"""Publisher confirms and returns."""

import pika
import pika.exceptions

from lib import wire


def confirming(t):
    client = t.wire()
    client.call(1, "confirm.select")
    return client


def read_confirms(client, count, channel=1):
    """Reads confirms until `count` tags are settled; returns {tag: name}. Checks that none comes twice."""
    settled = {}
    last = 0
    while len(settled) < count:
        method = client.read_method("basic.ack", "basic.nack", channel=channel)
        first = last + 1 if method.multiple else method.delivery_tag
        if method.multiple:
            tags = [tag for tag in range(1, method.delivery_tag + 1) if tag not in settled]
            assert tags, "a multiple confirm of nothing: %r" % method
        else:
            tags = [first]
        for tag in tags:
            assert tag not in settled, "confirmed twice: %r" % method
            settled[tag] = method.name
    return settled


def test_select_is_answered(t):
    confirming(t)


def test_select_nowait_has_no_answer(t):
    client = t.wire()
    client.send(1, "confirm.select", nowait=True)
    client.publish(1, "amq.direct", "k", b"m")
    read_confirms(client, 1)


def test_select_twice_is_ok(t):
    client = confirming(t)
    client.call(1, "confirm.select")


def test_select_twice_goes_on_counting(t):
    client = confirming(t)
    client.publish(1, "amq.direct", "k", b"m")
    read_confirms(client, 1)
    client.call(1, "confirm.select")
    client.publish(1, "amq.direct", "k", b"m")
    assert client.read_method("basic.ack").delivery_tag == 2


def test_confirm_tags_count_from_1(t):
    client = confirming(t)
    queue = t.wire_queue(client)
    for tag in range(1, 4):
        client.publish(1, "", queue, b"m")
        assert client.read_method("basic.ack").delivery_tag == tag


def test_confirm_tags_count_from_select_on(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"before")
    client.call(1, "confirm.select")
    client.publish(1, "", queue, b"after")
    assert client.read_method("basic.ack").delivery_tag == 1


def test_confirm_tags_are_of_the_channel(t):
    client = confirming(t)
    client.open_channel(2)
    client.call(2, "confirm.select")
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    assert client.read_method("basic.ack", channel=1).delivery_tag == 1
    client.publish(2, "", queue, b"m")
    assert client.read_method("basic.ack", channel=2).delivery_tag == 1


def test_every_message_is_confirmed_once(t):
    """Single or coalesced, in any order."""
    client = confirming(t)
    queue = t.wire_queue(client)
    for _ in range(1000):
        client.publish(1, "", queue, b"m")
    assert read_confirms(client, 1000) == dict.fromkeys(range(1, 1001), "basic.ack")
    client.expect_quiet(1)


def test_persistent_to_durable_queue_is_confirmed(t):
    client = confirming(t)
    queue = t.wire_queue(client, durable=True, exclusive=False)
    for _ in range(100):
        client.publish(1, "", queue, b"m", {"delivery_mode": 2})
    read_confirms(client, 100)


def test_confirmed_message_is_in_the_queue(t):
    client = confirming(t)
    queue = t.wire_queue(client, exclusive=False)
    other = t.wire()
    for _ in range(50):
        client.publish(1, "", queue, b"m")
        read = client.read_method("basic.ack")
        assert other.get(1, queue) is not None, read


def test_message_to_many_queues_is_confirmed_once(t):
    client = confirming(t)
    exchange = t.exchange(t.channel(), "fanout")
    for _ in range(10):
        client.call(1, "queue.bind", queue=t.wire_queue(client), exchange=exchange)
    client.publish(1, exchange, "", b"m")
    assert client.read_method("basic.ack").delivery_tag == 1
    client.expect_quiet(1)


def test_unroutable_is_confirmed(t):
    client = confirming(t)
    client.publish(1, "amq.direct", "none." + t.prefix, b"m")
    assert client.read_method("basic.ack").delivery_tag == 1


def test_message_to_a_deleted_queue_is_confirmed(t):
    client, other = confirming(t), t.wire()
    queue = t.wire_queue(client, exclusive=False)
    for _ in range(200):
        client.publish(1, "", queue, b"m")
    other.send(1, "queue.delete", queue=queue)
    assert set(read_confirms(client, 200).values()) == {"basic.ack"}


def test_no_confirms_without_select(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    assert client.get(1, queue).body == b"m"
    client.expect_quiet(1)


def test_confirm_after_publishing_to_a_missing_exchange_never_comes(t):
    client = confirming(t)
    client.publish(1, "none." + t.prefix, "k", b"m")
    client.expect_channel_close(1, 404, method="basic.publish")


def test_confirm_and_delivery_on_the_same_channel(t):
    client = confirming(t)
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, no_ack=True)
    client.publish(1, "", queue, b"m")
    names = set()
    while len(names) < 2:
        method = client.read_method("basic.ack", "basic.deliver")
        names.add(method.name)
        if method.name == "basic.deliver":
            client.read_content(method)


def test_tx_select_after_confirm_select_is_406(t):
    client = confirming(t)
    client.send(1, "tx.select")
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode", "tx.select")


# ---- mandatory

def test_mandatory_unroutable_returns(t):
    client = t.wire()
    raw = wire.encode_properties({"headers": {"a": 1}, "message_id": "id"})
    client.publish(1, "amq.direct", "none." + t.prefix, b"body", raw=raw, mandatory=True)
    message = client.read_message("basic.return", channel=1)
    method = message.method
    assert (method.reply_code, method.reply_text, method.exchange, method.routing_key) == (
        312, "NO_ROUTE", "amq.direct", "none." + t.prefix)
    assert (message.body, message.raw_properties) == (b"body", raw)


def test_mandatory_routable_does_not_return(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m", mandatory=True)
    client.expect_quiet(1)
    assert client.get(1, queue).body == b"m"


def test_mandatory_to_the_default_exchange_without_a_queue_returns(t):
    client = t.wire()
    client.publish(1, "", "none." + t.prefix, b"", mandatory=True)
    message = client.read_message("basic.return")
    assert (message.method.exchange, message.body) == ("", b"")


def test_return_comes_before_the_confirm(t):
    client = confirming(t)
    for tag in range(1, 20):
        client.publish(1, "amq.direct", "none." + t.prefix, b"m", mandatory=True)
        client.read_message("basic.return")
        assert client.read_method("basic.ack").delivery_tag == tag


def test_returns_of_many_come_before_their_confirms(t):
    client = confirming(t)
    for _ in range(100):
        client.publish(1, "amq.direct", "none." + t.prefix, b"m", mandatory=True)
    returned = confirmed = 0
    while confirmed < 100:
        method = client.read_method("basic.return", "basic.ack")
        if method.name == "basic.return":
            client.read_content(method)
            returned += 1
        else:
            confirmed = method.delivery_tag
            assert returned >= confirmed, "confirm of %d after %d returns" % (confirmed, returned)


def test_returned_body_of_several_frames(t):
    client = t.wire(frame_max=4096)
    body = bytes(range(256)) * 100
    client.publish(1, "amq.direct", "none." + t.prefix, body, mandatory=True)
    assert client.read_message("basic.return").body == body


# ---- in pika

def test_confirm_delivery_in_pika(t):
    channel = t.channel()
    queue = t.queue(channel)
    channel.confirm_delivery()
    for _ in range(20):
        channel.basic_publish("", queue, b"m", mandatory=True)
    assert len(t.bodies(channel, queue)) == 20


def test_unroutable_in_pika_raises(t):
    channel = t.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish("amq.direct", "none." + t.prefix, b"m", mandatory=True)
    except pika.exceptions.UnroutableError as error:
        assert error.messages[0].method.reply_code == 312
    else:
        raise AssertionError("no return seen")
    assert channel.is_open


def test_return_callback_in_pika(t):
    channel = t.channel()
    returned = []
    channel.add_on_return_callback(lambda _, method, properties, body: returned.append((method, properties, body)))
    channel.basic_publish("amq.direct", "none." + t.prefix, b"m", pika.BasicProperties(type="t"), mandatory=True)
    t.wait(lambda: channel.connection.process_data_events(0.02) or returned, "the return")
    method, properties, body = returned[0]
    assert (method.reply_code, properties.type, body) == (312, "t", b"m")
