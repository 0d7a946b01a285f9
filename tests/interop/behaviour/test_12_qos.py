# SPDX-License-Identifier: MIT
"""basic.qos: prefetch per consumer and per channel."""


def filled(t, count):
    client = t.wire()
    queue = t.wire_queue(client)
    for number in range(1, count + 1):
        client.publish(1, "", queue, b"%d" % number)
    return client, queue


def deliveries(client, count):
    """The next `count` deliveries, and that no more are under way."""
    tags = [client.read_message().method.delivery_tag for _ in range(count)]
    client.expect_quiet(1)
    return tags


def test_qos_is_answered(t):
    t.wire().call(1, "basic.qos", prefetch_count=10)


def test_prefetch_size_is_540(t):
    client = t.wire()
    client.send(1, "basic.qos", prefetch_size=5)
    client.expect_connection_close(540, "NOT_IMPLEMENTED - prefetch_size!=0 (5)", "basic.qos")


def test_prefetch_limits_unacked_deliveries(t):
    client, queue = filled(t, 10)
    client.call(1, "basic.qos", prefetch_count=3)
    client.call(1, "basic.consume", queue=queue)
    tags = deliveries(client, 3)
    client.expect_quiet(1, queue)
    client.send(1, "basic.ack", delivery_tag=tags[0])
    assert deliveries(client, 1) == [4]


def test_ack_multiple_frees_all_its_credit(t):
    client, queue = filled(t, 10)
    client.call(1, "basic.qos", prefetch_count=4)
    client.call(1, "basic.consume", queue=queue)
    tags = deliveries(client, 4)
    client.send(1, "basic.ack", delivery_tag=tags[-1], multiple=True)
    assert deliveries(client, 4) == [5, 6, 7, 8]


def test_reject_and_nack_free_credit(t):
    client, queue = filled(t, 5)
    client.call(1, "basic.qos", prefetch_count=1)
    client.call(1, "basic.consume", queue=queue)
    deliveries(client, 1)
    client.send(1, "basic.reject", delivery_tag=1, requeue=False)
    deliveries(client, 1)
    client.send(1, "basic.nack", delivery_tag=2, requeue=False)
    deliveries(client, 1)


def test_prefetch_0_is_no_limit(t):
    client, queue = filled(t, 300)
    client.call(1, "basic.qos", prefetch_count=0)
    client.call(1, "basic.consume", queue=queue)
    deliveries(client, 300)


def test_prefetch_is_per_consumer(t):
    client, queue = filled(t, 10)
    client.call(1, "basic.qos", prefetch_count=2)
    client.call(1, "basic.consume", queue=queue, consumer_tag="a")
    deliveries(client, 2)
    client.call(1, "basic.consume", queue=queue, consumer_tag="b")
    deliveries(client, 2)


def test_prefetch_of_a_running_consumer_stays(t):
    """qos is for consumers to come."""
    client, queue = filled(t, 10)
    client.call(1, "basic.qos", prefetch_count=1)
    client.call(1, "basic.consume", queue=queue)
    deliveries(client, 1)
    client.call(1, "basic.qos", prefetch_count=5)
    client.expect_quiet(1, queue)
    client.send(1, "basic.ack", delivery_tag=1)
    deliveries(client, 1)


def test_prefetch_does_not_bind_get(t):
    client, queue = filled(t, 3)
    client.call(1, "basic.qos", prefetch_count=1)
    client.call(1, "basic.consume", queue=queue)
    deliveries(client, 1)
    assert client.get(1, queue, no_ack=False).body == b"2"
    assert client.get(1, queue, no_ack=False).body == b"3"


def test_prefetch_does_not_bind_no_ack_consumers(t):
    client, queue = filled(t, 50)
    client.call(1, "basic.qos", prefetch_count=1)
    client.call(1, "basic.consume", queue=queue, no_ack=True)
    deliveries(client, 50)


def test_prefetch_of_one_channel_does_not_bind_another(t):
    client, queue = filled(t, 10)
    client.open_channel(2)
    client.call(1, "basic.qos", prefetch_count=1)
    client.call(1, "basic.consume", queue=queue, consumer_tag="one")
    deliveries(client, 1)
    client.call(2, "basic.consume", queue=queue, consumer_tag="all")
    assert [client.read_message().method.consumer_tag for _ in range(9)] == ["all"] * 9


def test_global_prefetch_is_shared_by_consumers(t):
    client, queue = filled(t, 10)
    client.call(1, "basic.qos", prefetch_count=3, **{"global": True})
    client.call(1, "basic.consume", queue=queue, consumer_tag="a")
    deliveries(client, 3)
    client.call(1, "basic.consume", queue=queue, consumer_tag="b")
    client.expect_quiet(1, queue)
    client.send(1, "basic.ack", delivery_tag=3, multiple=True)
    deliveries(client, 3)


def test_global_prefetch_over_two_queues(t):
    client, first = filled(t, 5)
    second = t.wire_queue(client)
    for _ in range(5):
        client.publish(1, "", second, b"s")
    client.call(1, "basic.qos", prefetch_count=4, **{"global": True})
    client.call(1, "basic.consume", queue=first)
    deliveries(client, 4)
    client.send(1, "basic.consume", queue=second)
    client.read_method("basic.consume-ok")
    client.expect_quiet(1, second)
    acked = 0
    while acked < 10:
        acked += 1
        client.send(1, "basic.ack", delivery_tag=acked)
        if acked <= 6:
            client.read_message()
    client.expect_quiet(1)


def test_global_and_consumer_prefetch_both_hold(t):
    client, queue = filled(t, 10)
    client.call(1, "basic.qos", prefetch_count=2)
    client.call(1, "basic.qos", prefetch_count=3, **{"global": True})
    client.call(1, "basic.consume", queue=queue, consumer_tag="a")
    deliveries(client, 2)
    client.call(1, "basic.consume", queue=queue, consumer_tag="b")
    deliveries(client, 1)


def test_global_prefetch_may_be_raised_while_consuming(t):
    client, queue = filled(t, 10)
    client.call(1, "basic.qos", prefetch_count=1, **{"global": True})
    client.call(1, "basic.consume", queue=queue)
    deliveries(client, 1)
    client.send(1, "basic.qos", prefetch_count=3, **{"global": True})
    names = []
    while len(names) < 3:
        method = client.read_method("basic.qos-ok", "basic.deliver")
        names.append(method.name)
        if method.name == "basic.deliver":
            client.read_content(method)
    assert sorted(names) == ["basic.deliver", "basic.deliver", "basic.qos-ok"]
    client.expect_quiet(1, queue)


def test_global_prefetch_0_lifts_the_limit(t):
    client, queue = filled(t, 10)
    client.call(1, "basic.qos", prefetch_count=2, **{"global": True})
    client.call(1, "basic.consume", queue=queue)
    deliveries(client, 2)
    client.send(1, "basic.qos", prefetch_count=0, **{"global": True})
    got = 0
    while got < 8:
        method = client.read_method("basic.qos-ok", "basic.deliver")
        if method.name == "basic.deliver":
            client.read_content(method)
            got += 1


def test_cancelled_consumers_unacked_keep_no_credit_of_others(t):
    client, queue = filled(t, 6)
    client.call(1, "basic.qos", prefetch_count=2)
    client.call(1, "basic.consume", queue=queue, consumer_tag="a")
    deliveries(client, 2)
    client.call(1, "basic.cancel", consumer_tag="a")
    client.call(1, "basic.consume", queue=queue, consumer_tag="b")
    deliveries(client, 2)


def test_credit_returns_with_a_requeue_to_another_consumer(t):
    client, queue = filled(t, 1)
    client.open_channel(2)
    for channel in (1, 2):
        client.call(channel, "basic.qos", prefetch_count=1)
    client.call(1, "basic.consume", queue=queue)
    message = client.read_message(channel=1)
    client.call(2, "basic.consume", queue=queue)
    client.send(1, "basic.reject", delivery_tag=message.method.delivery_tag, requeue=True)
    again = client.read_message()
    assert again.method.redelivered


def test_prefetch_in_pika(t):
    channel = t.channel()
    queue = t.queue(channel)
    channel.basic_qos(prefetch_count=1)
    for number in range(3):
        channel.basic_publish("", queue, b"%d" % number)
    t.consume(channel, queue)
    for number in range(3):
        method, _, body = t.deliveries(channel, 1)[0]
        assert body == b"%d" % number
        t.no_delivery(channel, queue)
        channel.basic_ack(method.delivery_tag)
