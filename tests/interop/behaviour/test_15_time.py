# SPDX-License-Identifier: MIT
"""What ends by time: x-message-ttl, expiration, x-expires."""

import re
import time

import pika

from lib.runner import slow
from lib.wire import Typed


def confirming(t):
    """A pika channel on which a publish returns when the message is in its queues."""
    channel = t.channel()
    channel.confirm_delivery()
    return channel


def gone(t, channel, queue, limit=5):
    """Waits until the queue has no ready message."""
    t.wait(lambda: t.counts(channel, queue)[0] == 0, "the end of the message", limit)


def expiring(value):
    return pika.BasicProperties(expiration=value)


def bad_expiration(t, value, pattern):
    client = t.wire()
    client.publish(1, "amq.direct", "k", b"m", {"expiration": value})
    client.expect_channel_close(1, 406, re.compile(pattern), "basic.publish")


def test_message_ttl_of_the_queue(t):
    channel = confirming(t)
    queue = t.queue(channel, arguments={"x-message-ttl": 150})
    begin = time.monotonic()
    channel.basic_publish("", queue, b"m")
    gone(t, channel, queue)
    assert time.monotonic() - begin > 0.14
    assert t.bodies(channel, queue) == []


def test_message_ttl_of_all_integer_types(t):
    for kind in "bBsuIilL":
        client = t.wire()
        t.wire_queue(client, arguments={"x-message-ttl": Typed(kind, 100)})


def test_message_within_its_ttl_is_delivered(t):
    channel = confirming(t)
    queue = t.queue(channel, arguments={"x-message-ttl": 60000})
    channel.basic_publish("", queue, b"m")
    assert t.get(channel, queue)[2] == b"m"


def test_message_ttl_0_without_a_consumer_is_the_end(t):
    channel = confirming(t)
    queue = t.queue(channel, arguments={"x-message-ttl": 0})
    channel.basic_publish("", queue, b"m")
    assert t.bodies(channel, queue) == []


def test_message_ttl_0_with_a_ready_consumer_is_delivered(t):
    client = t.wire()
    queue = t.wire_queue(client, arguments={"x-message-ttl": 0})
    client.call(1, "basic.consume", queue=queue, no_ack=True)
    client.publish(1, "", queue, b"m")
    assert client.read_message().body == b"m"


def test_expiration_of_the_message(t):
    channel = confirming(t)
    queue = t.queue(channel)
    begin = time.monotonic()
    channel.basic_publish("", queue, b"m", expiring("150"))
    gone(t, channel, queue)
    assert time.monotonic() - begin > 0.14


def test_expiration_0_without_a_consumer_is_the_end(t):
    channel = confirming(t)
    queue = t.queue(channel)
    channel.basic_publish("", queue, b"m", expiring("0"))
    assert t.bodies(channel, queue) == []


def test_expiration_0_with_a_ready_consumer_is_delivered(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, no_ack=True)
    client.publish(1, "", queue, b"m", {"expiration": "0"})
    assert client.read_message().properties == {"expiration": "0"}


def test_shorter_of_ttl_and_expiration_counts(t):
    channel = confirming(t)
    queue = t.queue(channel, arguments={"x-message-ttl": 60000})
    channel.basic_publish("", queue, b"m", expiring("100"))
    gone(t, channel, queue)
    other = t.queue(channel, arguments={"x-message-ttl": 100})
    channel.basic_publish("", other, b"m", expiring("60000"))
    gone(t, channel, other)


def test_expiration_is_delivered_unchanged(t):
    channel = confirming(t)
    queue = t.queue(channel)
    channel.basic_publish("", queue, b"m", expiring("123456"))
    assert t.get(channel, queue)[1].expiration == "123456"


def test_expired_message_is_not_delivered_to_a_late_consumer(t):
    channel = confirming(t)
    queue = t.queue(channel)
    channel.basic_publish("", queue, b"old", expiring("50"))
    gone(t, channel, queue)
    channel.basic_publish("", queue, b"new")
    t.consume(channel, queue, auto_ack=True)
    assert t.deliveries(channel, 1)[0][2] == b"new"


def test_requeued_message_expires(t):
    channel = confirming(t)
    queue = t.queue(channel, arguments={"x-message-ttl": 200})
    channel.basic_publish("", queue, b"m")
    method = t.get(channel, queue, auto_ack=False)[0]
    channel.basic_reject(method.delivery_tag, requeue=True)
    gone(t, channel, queue)


def test_unacked_message_does_not_expire(t):
    """Acknowledging after the TTL is fine."""
    channel = confirming(t)
    queue = t.queue(channel, arguments={"x-message-ttl": 80})
    channel.basic_publish("", queue, b"held")
    method = t.get(channel, queue, auto_ack=False)[0]
    channel.basic_publish("", queue, b"marks the time")
    gone(t, channel, queue)
    channel.basic_ack(method.delivery_tag)
    t.counts(channel, queue)


def test_each_queue_expires_its_own_copy(t):
    channel = confirming(t)
    exchange = t.exchange(channel, "fanout")
    short = t.queue(channel, arguments={"x-message-ttl": 50})
    long = t.queue(channel)
    for queue in (short, long):
        channel.queue_bind(queue, exchange)
    channel.basic_publish(exchange, "", b"m")
    gone(t, channel, short)
    assert t.bodies(channel, long) == [b"m"]


def test_expiration_that_is_no_number_is_406(t):
    bad_expiration(t, "abc", "^PRECONDITION_FAILED - invalid expiration 'abc': ")


def test_expiration_with_a_rest_is_406(t):
    bad_expiration(t, "10ms", "^PRECONDITION_FAILED - invalid expiration '10ms': ")


def test_negative_expiration_is_406(t):
    bad_expiration(t, "-1", "^PRECONDITION_FAILED - invalid expiration '-1': ")


def test_empty_expiration_is_406(t):
    bad_expiration(t, "", "^PRECONDITION_FAILED - invalid expiration '': ")


def test_unused_queue_expires(t):
    channel = confirming(t)
    queue = t.queue(channel, exclusive=False, arguments={"x-expires": 200})
    expect_end_of_queue(t, queue)


def test_queue_with_a_consumer_does_not_expire_until_it_goes(t):
    channel = confirming(t)
    queue = t.queue(channel, exclusive=False, arguments={"x-expires": 150})
    marker = t.queue(channel, exclusive=False, arguments={"x-expires": 400})
    tag = t.consume(channel, queue)
    expect_end_of_queue(t, marker)
    t.counts(channel, queue)
    channel.basic_cancel(tag)
    expect_end_of_queue(t, queue)


@slow
def test_get_keeps_a_queue_from_expiring(t):
    """basic.get counts as use; declaring it again does too."""
    channel = confirming(t)
    queue = t.queue(channel, exclusive=False, arguments={"x-expires": 2000})
    begin = time.monotonic()

    def used():
        channel.basic_get(queue, auto_ack=True)
        return time.monotonic() - begin > 3
    t.wait(used, "3 s of use", pause=0.1)


def test_publishing_does_not_keep_a_queue_from_expiring(t):
    channel = confirming(t)
    queue = t.queue(channel, exclusive=False, arguments={"x-expires": 300})
    publisher = t.wire()

    def ended():
        publisher.publish(1, "", queue, b"m", mandatory=True)
        publisher.send(1, "channel.flow", active=True)
        method = publisher.read_method("basic.return", "channel.flow-ok")
        if method.name == "channel.flow-ok":
            return False
        publisher.read_content(method)
        publisher.read_method("channel.flow-ok")
        return True
    t.wait(ended, "the end of the queue", 5, pause=0.05)


def expect_end_of_queue(t, queue, limit=6):
    """Asks without using it: publishing mandatory messages to it until they return."""
    client = t.wire()

    def ended():
        client.publish(1, "", queue, b"probe", mandatory=True)
        client.send(1, "channel.flow", active=True)
        method = client.read_method("basic.return", "channel.flow-ok")
        if method.name == "channel.flow-ok":
            return False
        client.read_content(method)
        client.read_method("channel.flow-ok")
        return True
    t.wait(ended, "the end of the queue", limit, pause=0.02)
