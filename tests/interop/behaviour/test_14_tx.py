# SPDX-License-Identifier: MIT
"""Transactions on a channel."""

from lib.broker import RabbitBroker
from lib.case import Skip


def transactional(t):
    client = t.wire()
    client.call(1, "tx.select")
    return client


def test_select_is_answered(t):
    transactional(t)


def test_select_twice_is_ok(t):
    transactional(t).call(1, "tx.select")


def test_publishes_wait_for_commit(t):
    client = transactional(t)
    queue = t.wire_queue(client)
    other = t.wire()
    client.publish(1, "", queue, b"m")
    assert client.get(1, queue) is None
    client.call(1, "tx.commit")
    assert client.get(1, queue).body == b"m"
    other.expect_quiet(1)


def test_committed_is_in_the_queue_when_commit_ok_arrives(t):
    client, other = transactional(t), t.wire()
    queue = t.wire_queue(client, exclusive=False)
    for number in range(10):
        for _ in range(5):
            client.publish(1, "", queue, b"m")
        client.call(1, "tx.commit")
        got = [other.get(1, queue) for _ in range(5)]
        assert None not in got, number


def test_publishes_keep_their_order(t):
    client = transactional(t)
    queue = t.wire_queue(client)
    for number in range(100):
        client.publish(1, "", queue, b"%d" % number)
    client.call(1, "tx.commit")
    assert [int(client.get(1, queue).body) for _ in range(100)] == list(range(100))


def test_rollback_drops_publishes(t):
    client = transactional(t)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    client.call(1, "tx.rollback")
    client.call(1, "tx.commit")
    assert client.get(1, queue) is None


def test_acks_wait_for_commit(t):
    client = transactional(t)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    client.call(1, "tx.commit")
    client.send(1, "basic.ack", delivery_tag=client.get(1, queue, no_ack=False).method.delivery_tag)
    client.call(1, "channel.close", reply_code=200)
    client.open_channel(1)
    message = client.get(1, queue)
    assert message is not None and message.method.redelivered


def test_committed_ack_is_final(t):
    client = transactional(t)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    client.call(1, "tx.commit")
    client.send(1, "basic.ack", delivery_tag=client.get(1, queue, no_ack=False).method.delivery_tag)
    client.call(1, "tx.commit")
    client.call(1, "channel.close", reply_code=200)
    client.open_channel(1)
    assert client.get(1, queue) is None


def test_rollback_undoes_acks_and_leaves_the_delivery(t):
    """The message stays unacknowledged on the channel and may be acknowledged again."""
    client = transactional(t)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    client.call(1, "tx.commit")
    tag = client.get(1, queue, no_ack=False).method.delivery_tag
    client.send(1, "basic.ack", delivery_tag=tag)
    client.call(1, "tx.rollback")
    assert client.get(1, queue) is None
    client.send(1, "basic.ack", delivery_tag=tag)
    client.call(1, "tx.commit")
    client.call(1, "channel.close", reply_code=200)
    client.open_channel(1)
    assert client.get(1, queue) is None


def test_reject_waits_for_commit(t):
    client = transactional(t)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    client.call(1, "tx.commit")
    tag = client.get(1, queue, no_ack=False).method.delivery_tag
    client.send(1, "basic.reject", delivery_tag=tag, requeue=True)
    assert client.get(1, queue) is None
    client.call(1, "tx.commit")
    assert client.get(1, queue).method.redelivered


def test_unroutable_mandatory_returns_at_commit(t):
    client = transactional(t)
    client.publish(1, "amq.direct", "none." + t.prefix, b"m", mandatory=True)
    client.send(1, "tx.commit")
    names = []
    while "tx.commit-ok" not in names:
        method = client.read_method("basic.return", "tx.commit-ok")
        names.append(method.name)
        if method.name == "basic.return":
            client.read_content(method)
    assert names == ["basic.return", "tx.commit-ok"], names


def test_uncommitted_publishes_go_with_the_channel(t):
    client = transactional(t)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    client.call(1, "channel.close", reply_code=200)
    client.open_channel(1)
    assert client.get(1, queue) is None


def test_commit_without_select_is_406(t):
    for method in ("tx.commit", "tx.rollback"):
        client = t.wire()
        client.send(1, method)
        client.expect_channel_close(1, 406, "PRECONDITION_FAILED - channel is not transactional", method)


def test_confirm_select_after_tx_select_is_406(t):
    client = transactional(t)
    client.send(1, "confirm.select")
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode",
                                "confirm.select")


def test_missing_exchange_in_a_transaction_is_404(t):
    client = transactional(t)
    client.publish(1, "none." + t.prefix, "k", b"m")
    client.send(1, "tx.commit")
    client.expect_channel_close(1, 404)


def test_exchange_that_goes_before_the_commit_fails_all_of_it(t):
    """RabbitMQ has routed by then, and publishes. Here the commit routes, and it is all or nothing."""
    if isinstance(t.broker, RabbitBroker):
        raise Skip("RabbitMQ does otherwise")
    client, other = transactional(t), t.wire()
    exchange = t.name("x")
    queue = t.wire_queue(other)
    other.call(1, "exchange.declare", exchange=exchange, type="direct")
    other.call(1, "queue.bind", queue=queue, exchange=exchange, routing_key="k")
    client.publish(1, "amq.direct", "none." + t.prefix, b"m", {"delivery_mode": 2})
    for _ in range(200):
        client.publish(1, "", queue, b"m")
    client.publish(1, exchange, "k", b"m")
    client.publish(1, "", queue, b"m")
    client.expect_quiet(1)
    other.call(1, "exchange.delete", exchange=exchange)
    client.send(1, "tx.commit")
    client.expect_channel_close(1, 404)
    assert other.get(1, queue) is None


def test_large_transaction_with_acks(t):
    """A thousand persistent publishes to durable queues of several connections, and as many acknowledgements."""
    client = transactional(t)
    owners = [t.wire() for _ in range(5)]
    queues = [t.wire_queue(owner, exclusive=False, durable=True) for owner in owners]
    for round_number in range(2):
        for number in range(1000):
            client.publish(1, "", queues[number % 5], b"%d %d" % (round_number, number), {"delivery_mode": 2})
        client.call(1, "tx.commit")
        tag = 0
        for number in range(1000):
            message = client.get(1, queues[number % 5], no_ack=False)
            assert message.body == b"%d %d" % (round_number, number)
            tag = message.method.delivery_tag
        client.publish(1, "", queues[0], b"last", {"delivery_mode": 2})
        client.send(1, "basic.ack", delivery_tag=tag, multiple=True)
        client.call(1, "tx.commit")
        assert client.get(1, queues[0]).body == b"last"
    client.call(1, "channel.close", reply_code=200)
    for owner, queue in zip(owners, queues):
        assert owner.get(1, queue) is None
        owner.call(1, "queue.delete", queue=queue)


def test_transaction_with_cc_and_bcc(t):
    client = transactional(t)
    queues = [t.wire_queue(client) for _ in range(4)]
    for number in range(100):
        headers = {"CC": [queues[1]], "BCC": [queues[2], queues[3]]} if number % 10 == 5 else {}
        client.publish(1, "", queues[0], b"%d" % number, {"headers": headers})
    client.call(1, "tx.commit")
    counts = [client.call(1, "queue.declare", queue=queue, passive=True).message_count for queue in queues]
    assert counts == [100, 10, 10, 10], counts


def test_connection_lost_in_a_commit(t):
    """It is there as a whole, or not at all; and the broker goes on."""
    other = t.wire()
    queue = t.wire_queue(other, exclusive=False, durable=True)
    for _ in range(20):
        client = transactional(t)
        for _ in range(100):
            client.publish(1, "", queue, b"m", {"delivery_mode": 2})
        client.send(1, "tx.commit")
        client.close_socket()
    other.call(1, "queue.delete", queue=queue)


def test_deliveries_flow_in_a_transaction(t):
    client = transactional(t)
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue)
    other = t.wire()
    other.publish(1, "", queue, b"m")
    client.send(1, "basic.ack", delivery_tag=client.read_message().method.delivery_tag)
    client.call(1, "tx.commit")


def test_transaction_in_pika(t):
    channel = t.channel()
    queue = t.queue(channel)
    channel.tx_select()
    channel.basic_publish("", queue, b"1")
    channel.tx_rollback()
    channel.basic_publish("", queue, b"2")
    channel.tx_commit()
    assert t.bodies(channel, queue) == [b"2"]
    channel.tx_commit()
