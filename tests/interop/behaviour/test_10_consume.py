# SPDX-License-Identifier: MIT
"""basic.consume, cancel, deliver, get: tags, exclusive consumers, priorities, cancel notification."""

import re

import pika

from lib import wire


def missing(t, queue):
    return "NOT_FOUND - no queue '%s' in vhost '%s'" % (queue, t.broker.vhost)


# ---- get

def test_get_tells_the_rest(t):
    client = t.wire()
    queue = t.wire_queue(client)
    for body in (b"1", b"2", b"3"):
        client.publish(1, "", queue, body)
    t.wait(lambda: client.expect_quiet(1, queue).message_count == 3, "3 messages")
    assert [client.get(1, queue).method.message_count for _ in range(3)] == [2, 1, 0]


def test_get_ok_fields(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "queue.bind", queue=queue, exchange="amq.direct", routing_key=t.prefix)
    client.publish(1, "amq.direct", t.prefix, b"m")
    method = client.get(1, queue).method
    assert (method.delivery_tag, method.redelivered, method.exchange, method.routing_key, method.message_count) == (
        1, False, "amq.direct", t.prefix, 0)


def test_get_of_an_empty_queue(t):
    client = t.wire()
    client.send(1, "basic.get", queue=t.wire_queue(client))
    assert client.read_method("basic.get-empty").cluster_id == ""


def test_get_of_a_missing_queue_is_404(t):
    client = t.wire()
    name = t.name("q")
    client.send(1, "basic.get", queue=name)
    client.expect_channel_close(1, 404, missing(t, name), "basic.get")


def test_get_with_ack_holds_the_message(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    client.get(1, queue, no_ack=False)
    assert client.get(1, queue) is None
    client.call(1, "channel.close", reply_code=200)
    client.open_channel(1)
    message = client.get(1, queue)
    assert message.body == b"m" and message.method.redelivered


def test_get_without_ack_is_final(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    client.get(1, queue, no_ack=True)
    client.call(1, "channel.close", reply_code=200)
    client.open_channel(1)
    assert client.get(1, queue) is None


def test_delivery_tags_are_of_the_channel(t):
    """get and deliver, with and without ack, count in one sequence per channel."""
    client = t.wire()
    client.open_channel(2)
    queue = t.wire_queue(client)
    for _ in range(4):
        client.publish(1, "", queue, b"m")
    assert client.get(1, queue, no_ack=True).method.delivery_tag == 1
    assert client.get(1, queue, no_ack=False).method.delivery_tag == 2
    assert client.get(2, queue, no_ack=True).method.delivery_tag == 1
    client.call(1, "basic.consume", queue=queue)
    assert client.read_message().method.delivery_tag == 3


# ---- consume

def test_consume_ok_echoes_the_tag(t):
    client = t.wire()
    assert client.call(1, "basic.consume", queue=t.wire_queue(client), consumer_tag="mine").consumer_tag == "mine"


def test_consumer_tag_made_by_the_server(t):
    """amq.ctag- and 22 characters of base64url."""
    client = t.wire()
    queue = t.wire_queue(client)
    tags = [client.call(1, "basic.consume", queue=queue).consumer_tag for _ in range(20)]
    assert all(re.fullmatch(r"amq\.ctag-[A-Za-z0-9_-]{22}", tag) for tag in tags), tags
    assert len(set(tags)) == 20


def test_deliver_fields(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "queue.bind", queue=queue, exchange="amq.topic", routing_key=t.prefix)
    client.call(1, "basic.consume", queue=queue, consumer_tag="mine")
    client.publish(1, "amq.topic", t.prefix, b"m")
    method = client.read_message().method
    assert (method.consumer_tag, method.delivery_tag, method.redelivered, method.exchange, method.routing_key) == (
        "mine", 1, False, "amq.topic", t.prefix)


def test_consume_of_a_missing_queue_is_404(t):
    client = t.wire()
    name = t.name("q")
    client.send(1, "basic.consume", queue=name)
    client.expect_channel_close(1, 404, missing(t, name), "basic.consume")


def test_consume_delivers_what_is_there_after_consume_ok(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    client.call(1, "basic.consume", queue=queue)
    assert client.read_message().body == b"m"


def test_consume_nowait_has_no_answer(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.send(1, "basic.consume", queue=queue, consumer_tag="mine", nowait=True)
    client.publish(1, "", queue, b"m")
    assert client.read_message().method.consumer_tag == "mine"


def test_tag_in_use_is_530(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, consumer_tag="mine")
    client.send(1, "basic.consume", queue=queue, consumer_tag="mine")
    client.expect_connection_close(530, "NOT_ALLOWED - attempt to reuse consumer tag 'mine'", "basic.consume")


def test_tag_may_be_used_on_another_channel_and_again_after_cancel(t):
    client = t.wire()
    client.open_channel(2)
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, consumer_tag="mine")
    client.call(2, "basic.consume", queue=queue, consumer_tag="mine")
    client.call(1, "basic.cancel", consumer_tag="mine")
    client.call(1, "basic.consume", queue=queue, consumer_tag="mine")


def test_no_ack_consumer_needs_no_ack(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, no_ack=True)
    client.publish(1, "", queue, b"m")
    client.read_message()
    client.call(1, "channel.close", reply_code=200)
    client.open_channel(1)
    assert client.get(1, queue) is None


def test_ack_of_a_no_ack_delivery_is_406(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, no_ack=True)
    client.publish(1, "", queue, b"m")
    client.send(1, "basic.ack", delivery_tag=client.read_message().method.delivery_tag)
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - unknown delivery tag 1", "basic.ack")


def test_no_local_is_ignored(t):
    """As RabbitMQ does: the consumer gets its own connection's messages."""
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, no_local=True)
    client.publish(1, "", queue, b"m")
    client.read_message()


def test_two_consumers_share_in_turn(t):
    client = t.wire()
    client.open_channel(2)
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, no_ack=True, consumer_tag="1")
    client.call(2, "basic.consume", queue=queue, no_ack=True, consumer_tag="2")
    for _ in range(100):
        client.publish(1, "", queue, b"m")
    tags = [client.read_message().method.consumer_tag for _ in range(100)]
    assert tags.count("1") > 20 and tags.count("2") > 20, tags


def test_two_consumers_with_prefetch_1_get_one_each(t):
    client = t.wire()
    client.open_channel(2)
    queue = t.wire_queue(client)
    for channel in (1, 2):
        client.call(channel, "basic.qos", prefetch_count=1)
        client.call(channel, "basic.consume", queue=queue)
    for _ in range(2):
        client.publish(1, "", queue, b"m")
    assert {client.read_message().method.channel for _ in range(2)} == {1, 2}


# ---- cancel

def test_cancel_is_answered(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, consumer_tag="mine")
    assert client.call(1, "basic.cancel", consumer_tag="mine").consumer_tag == "mine"
    client.publish(1, "", queue, b"m")
    assert client.get(1, queue).body == b"m"


def test_cancel_of_an_unknown_tag_is_ok(t):
    assert t.wire().call(1, "basic.cancel", consumer_tag="unknown").consumer_tag == "unknown"


def test_cancel_nowait_has_no_answer(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, consumer_tag="mine")
    client.send(1, "basic.cancel", consumer_tag="mine", nowait=True)
    client.expect_quiet(1)
    client.publish(1, "", queue, b"m")
    assert client.get(1, queue).body == b"m"


def test_no_delivery_comes_after_cancel_ok(t):
    publisher, client = t.wire(), t.wire()
    queue = t.wire_queue(publisher, exclusive=False)
    for _ in range(20):
        client.call(1, "basic.consume", queue=queue, consumer_tag="mine", no_ack=True)
        for _ in range(30):
            publisher.publish(1, "", queue, b"m")
        client.send(1, "basic.cancel", consumer_tag="mine")
        while client.read_method("basic.deliver", "basic.cancel-ok").name == "basic.deliver":
            client.read_frame()
            client.read_frame()
        client.expect_quiet(1)


def test_unacked_deliveries_survive_cancel(t):
    """They can still be acknowledged, and return when the channel closes."""
    client = t.wire()
    queue = t.wire_queue(client)
    for body in (b"acked", b"returned"):
        client.publish(1, "", queue, body)
    client.call(1, "basic.consume", queue=queue, consumer_tag="mine")
    first, _ = client.read_message(), client.read_message()
    client.call(1, "basic.cancel", consumer_tag="mine")
    client.send(1, "basic.ack", delivery_tag=first.method.delivery_tag)
    client.call(1, "channel.close", reply_code=200)
    client.open_channel(1)
    assert client.get(1, queue).body == b"returned"
    assert client.get(1, queue) is None


# ---- cancel notification

def test_cancel_notify_when_the_queue_is_deleted(t):
    client, other = t.wire(), t.wire()
    queue = t.wire_queue(client, exclusive=False)
    client.call(1, "basic.consume", queue=queue, consumer_tag="mine")
    other.call(1, "queue.delete", queue=queue)
    cancel = client.read_method("basic.cancel", channel=1)
    assert (cancel.consumer_tag, cancel.nowait) == ("mine", True)
    client.expect_quiet(1)


def test_no_cancel_notify_without_the_capability(t):
    client, other = t.wire(capabilities={}), t.wire()
    queue = t.wire_queue(client, exclusive=False)
    client.call(1, "basic.consume", queue=queue, consumer_tag="mine")
    other.call(1, "queue.delete", queue=queue)
    client.send(1, "queue.declare", queue=queue, passive=True)
    client.expect_channel_close(1, 404)


def test_cancel_notify_frees_the_tag(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, consumer_tag="mine")
    client.send(1, "queue.delete", queue=queue)
    assert {client.read_method("queue.delete-ok", "basic.cancel").name for _ in range(2)} == {
        "queue.delete-ok", "basic.cancel"}
    client.call(1, "basic.consume", queue=t.wire_queue(client), consumer_tag="mine")


def test_cancel_notify_to_each_consumer(t):
    client, other = t.wire(), t.wire()
    queue = t.wire_queue(client, exclusive=False)
    tags = {client.call(1, "basic.consume", queue=queue).consumer_tag for _ in range(5)}
    other.call(1, "queue.delete", queue=queue)
    assert {client.read_method("basic.cancel").consumer_tag for _ in range(5)} == tags


def test_cancel_notify_in_pika(t):
    channel = t.channel()
    queue = t.queue(channel)
    cancelled = []
    channel.add_on_cancel_callback(cancelled.append)
    tag = channel.basic_consume(queue, lambda *_: None)
    t.connect()
    other = t.connect().channel()
    channel.queue_delete(queue)
    t.wait(lambda: channel.connection.process_data_events(0.02) or cancelled, "the cancel")
    assert cancelled[0].method.consumer_tag == tag
    other.close()


def test_unacked_of_a_deleted_queue_may_still_be_acked(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    message = client.get(1, queue, no_ack=False)
    client.call(1, "queue.delete", queue=queue)
    client.send(1, "basic.ack", delivery_tag=message.method.delivery_tag)
    client.expect_quiet(1)


# ---- exclusive consumers

def test_exclusive_consumer_keeps_others_out(t):
    client = t.wire()
    client.open_channel(2)
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, exclusive=True)
    client.send(2, "basic.consume", queue=queue)
    client.expect_channel_close(2, 403, "ACCESS_REFUSED - queue '%s' in vhost '%s' in exclusive use"
                                % (queue, t.broker.vhost), "basic.consume")


def test_exclusive_consumer_is_refused_beside_others(t):
    client = t.wire()
    client.open_channel(2)
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue)
    client.send(2, "basic.consume", queue=queue, exclusive=True)
    client.expect_channel_close(2, 403, "ACCESS_REFUSED - queue '%s' in vhost '%s' in exclusive use"
                                % (queue, t.broker.vhost), "basic.consume")


def test_exclusive_use_ends_with_the_consumer(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue, consumer_tag="mine", exclusive=True)
    client.call(1, "basic.cancel", consumer_tag="mine")
    client.call(1, "basic.consume", queue=queue)


def test_exclusive_consumer_does_not_hinder_get(t):
    client, other = t.wire(), t.wire()
    queue = t.wire_queue(client, exclusive=False)
    client.call(1, "basic.qos", prefetch_count=1)
    client.call(1, "basic.consume", queue=queue, exclusive=True)
    for body in (b"1", b"2"):
        other.publish(1, "", queue, body)
    client.read_message()
    assert other.get(1, queue).body == b"2"


# ---- priorities

def test_higher_priority_is_served_first(t):
    client = t.wire()
    queue = t.wire_queue(client)
    for tag, priority in (("low", -5), ("none", None), ("high", 10)):
        arguments = {} if priority is None else {"x-priority": priority}
        client.call(1, "basic.consume", queue=queue, consumer_tag=tag, no_ack=True, arguments=arguments)
    for _ in range(30):
        client.publish(1, "", queue, b"m")
    tags = [client.read_message().method.consumer_tag for _ in range(30)]
    assert tags == ["high"] * 30, tags


def test_lower_priority_is_served_when_higher_has_no_credit(t):
    client = t.wire()
    for channel, prefetch in ((2, 2), (3, 3), (4, 1)):
        client.open_channel(channel)
        client.call(channel, "basic.qos", prefetch_count=prefetch)
    queue = t.wire_queue(client)
    client.call(2, "basic.consume", queue=queue, consumer_tag="high", arguments={"x-priority": 2})
    client.call(3, "basic.consume", queue=queue, consumer_tag="middle", arguments={"x-priority": 1})
    client.call(4, "basic.consume", queue=queue, consumer_tag="low")
    for _ in range(6):
        client.publish(1, "", queue, b"m")
    tags = [client.read_message().method.consumer_tag for _ in range(6)]
    assert sorted(tags) == ["high"] * 2 + ["low"] + ["middle"] * 3, tags


def test_equal_priorities_share(t):
    client = t.wire()
    queue = t.wire_queue(client)
    for tag in ("a", "b"):
        client.call(1, "basic.consume", queue=queue, consumer_tag=tag, no_ack=True, arguments={"x-priority": 3})
    for _ in range(100):
        client.publish(1, "", queue, b"m")
    tags = [client.read_message().method.consumer_tag for _ in range(100)]
    assert tags.count("a") > 20 and tags.count("b") > 20, tags


def test_priority_of_a_wrong_type_is_406(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.send(1, "basic.consume", queue=queue, arguments={"x-priority": "high"})
    client.expect_channel_close(1, 406, method="basic.consume")


# ---- in pika

def test_consume_in_pika(t):
    channel = t.channel()
    queue = t.queue(channel)
    t.consume(channel, queue)
    for number in range(100):
        channel.basic_publish("", queue, b"%d" % number)
    got = t.deliveries(channel, 100)
    assert [int(body) for _, _, body in got] == list(range(100))
    channel.basic_ack(got[-1][0].delivery_tag, multiple=True)
    channel.close()
    t.wait_counts(t.channel(), queue, 0, 0)


def test_consume_generator_in_pika(t):
    channel = t.channel()
    queue = t.queue(channel)
    for number in range(10):
        channel.basic_publish("", queue, b"%d" % number)
    got = []
    for method, _, body in channel.consume(queue, inactivity_timeout=10):
        assert method is not None, "nothing came"
        got.append(body)
        channel.basic_ack(method.delivery_tag)
        if len(got) == 10:
            break
    assert channel.cancel() == 0
    assert got == [b"%d" % number for number in range(10)]


def test_start_consuming_in_pika(t):
    channel = t.channel()
    queue = t.queue(channel)
    got = []

    def on_message(channel, method, _properties, body):
        got.append(body)
        channel.basic_ack(method.delivery_tag)
        if len(got) == 5:
            channel.stop_consuming()
    channel.basic_consume(queue, on_message)
    for number in range(5):
        channel.basic_publish("", queue, b"%d" % number)
    channel.start_consuming()
    assert len(got) == 5


def test_select_connection_of_pika(t):
    """The asynchronous adapter: declare, publish, consume, close by callbacks."""
    done = []
    queue = t.name("q")

    def on_open(connection):
        connection.channel(on_open_callback=on_channel)

    def on_channel(channel):
        channel.queue_declare(queue, exclusive=True, callback=lambda _: on_queue(channel))

    def on_queue(channel):
        channel.basic_consume(queue, on_message)
        channel.basic_publish("", queue, b"m")

    def on_message(channel, method, _properties, body):
        channel.basic_ack(method.delivery_tag)
        done.append(body)
        channel.connection.close()
    connection = pika.SelectConnection(t.parameters(), on_open_callback=on_open,
                                       on_close_callback=lambda c, _: c.ioloop.stop())
    connection.ioloop.start()
    assert done == [b"m"]


def test_deliveries_of_one_connection_stay_whole(t):
    """Content frames of one channel are never torn apart by another method of the same channel."""
    client = t.wire(frame_max=4096)
    for channel in (2, 3):
        client.open_channel(channel)
    queues = [t.wire_queue(client, channel) for channel in (2, 3)]
    for channel, queue in zip((2, 3), queues):
        client.call(channel, "basic.consume", queue=queue, no_ack=True)
    publisher = t.wire()
    for number in range(40):
        publisher.publish(1, "", queues[number % 2], bytes([number]) * 20000)
    open_content = {}
    done = 0
    while done < 40:
        frame = client.read_frame()
        if frame.type == wire.METHOD:
            assert frame.channel not in open_content
            open_content[frame.channel] = None
        elif frame.type == wire.HEADER:
            assert open_content[frame.channel] is None
            open_content[frame.channel] = 20000
        elif frame.type == wire.BODY:
            open_content[frame.channel] -= len(frame.payload)
            if open_content[frame.channel] == 0:
                del open_content[frame.channel]
                done += 1
