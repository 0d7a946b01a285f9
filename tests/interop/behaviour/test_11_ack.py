# SPDX-License-Identifier: MIT
"""Acknowledge, reject, nack, recover; the order of what returns to the queue."""


def unknown_tag(tag):
    return "PRECONDITION_FAILED - unknown delivery tag %d" % tag


def filled(t, count, exclusive=True):
    """A wire client and a queue with messages 1..count."""
    client = t.wire()
    queue = t.wire_queue(client, exclusive=exclusive)
    for number in range(1, count + 1):
        client.publish(1, "", queue, b"%d" % number)
    return client, queue


def take(client, queue, count):
    """Gets `count` messages without acknowledging; returns their delivery tags by number."""
    tags = {}
    for _ in range(count):
        message = client.get(1, queue, no_ack=False)
        tags[int(message.body)] = message.method.delivery_tag
    return tags


def rest(client, queue):
    """[(number, redelivered), ...] of all that is ready, in order."""
    out = []
    while True:
        message = client.get(1, queue)
        if message is None:
            return out
        out.append((int(message.body), message.method.redelivered))


def after_close(client, queue):
    """What the channel's end brings back to the queue, and what was there still."""
    client.call(1, "channel.close", reply_code=200)
    client.open_channel(1)
    return rest(client, queue)


def test_ack_removes_the_message(t):
    client, queue = filled(t, 1)
    tags = take(client, queue, 1)
    client.send(1, "basic.ack", delivery_tag=tags[1])
    assert after_close(client, queue) == []


def test_ack_of_one_leaves_the_others(t):
    client, queue = filled(t, 3)
    tags = take(client, queue, 3)
    client.send(1, "basic.ack", delivery_tag=tags[2])
    assert after_close(client, queue) == [(1, True), (3, True)]


def test_ack_multiple_is_up_to_and_including(t):
    client, queue = filled(t, 5)
    tags = take(client, queue, 5)
    client.send(1, "basic.ack", delivery_tag=tags[3], multiple=True)
    assert after_close(client, queue) == [(4, True), (5, True)]


def test_ack_multiple_of_tag_0_is_all(t):
    client, queue = filled(t, 5)
    take(client, queue, 4)
    client.send(1, "basic.ack", delivery_tag=0, multiple=True)
    assert after_close(client, queue) == [(5, False)]


def test_ack_multiple_of_tag_0_with_nothing_outstanding_is_ok(t):
    client, _ = filled(t, 0)
    client.send(1, "basic.ack", delivery_tag=0, multiple=True)
    client.expect_quiet(1)


def test_ack_multiple_spans_queues(t):
    client, first = filled(t, 2)
    second = t.wire_queue(client)
    client.publish(1, "", second, b"7")
    take(client, first, 2)
    tag = take(client, second, 1)[7]
    client.send(1, "basic.ack", delivery_tag=tag, multiple=True)
    assert after_close(client, first) == []
    assert rest(client, second) == []


def test_ack_of_an_unknown_tag_is_406(t):
    client, _ = filled(t, 0)
    client.send(1, "basic.ack", delivery_tag=5)
    client.expect_channel_close(1, 406, unknown_tag(5), "basic.ack")


def test_ack_of_tag_0_alone_is_406(t):
    client, queue = filled(t, 1)
    take(client, queue, 1)
    client.send(1, "basic.ack", delivery_tag=0)
    client.expect_channel_close(1, 406, unknown_tag(0), "basic.ack")


def test_ack_twice_is_406(t):
    client, queue = filled(t, 2)
    tags = take(client, queue, 2)
    client.send(1, "basic.ack", delivery_tag=tags[1])
    client.send(1, "basic.ack", delivery_tag=tags[1])
    client.expect_channel_close(1, 406, unknown_tag(tags[1]), "basic.ack")


def test_ack_multiple_of_an_unknown_tag_with_nothing_outstanding_is_406(t):
    client, _ = filled(t, 0)
    client.send(1, "basic.ack", delivery_tag=5, multiple=True)
    client.expect_channel_close(1, 406, unknown_tag(5), "basic.ack")


def test_ack_on_another_channel_is_406(t):
    client, queue = filled(t, 1)
    client.open_channel(2)
    tags = take(client, queue, 1)
    client.send(2, "basic.ack", delivery_tag=tags[1])
    client.expect_channel_close(2, 406, unknown_tag(tags[1]), "basic.ack")


def test_unknown_tag_returns_the_channels_unacked(t):
    client, queue = filled(t, 2)
    take(client, queue, 2)
    client.send(1, "basic.ack", delivery_tag=99)
    client.expect_channel_close(1, 406, unknown_tag(99))
    client.open_channel(1)
    assert rest(client, queue) == [(1, True), (2, True)]


def test_reject_with_requeue_returns_the_message(t):
    client, queue = filled(t, 1)
    tags = take(client, queue, 1)
    client.send(1, "basic.reject", delivery_tag=tags[1], requeue=True)
    assert rest(client, queue) == [(1, True)]


def test_reject_without_requeue_drops_the_message(t):
    client, queue = filled(t, 1)
    tags = take(client, queue, 1)
    client.send(1, "basic.reject", delivery_tag=tags[1], requeue=False)
    assert after_close(client, queue) == []


def test_reject_of_an_unknown_tag_is_406(t):
    client, _ = filled(t, 0)
    client.send(1, "basic.reject", delivery_tag=3, requeue=True)
    client.expect_channel_close(1, 406, unknown_tag(3), "basic.reject")


def test_nack_with_requeue_returns_the_message(t):
    client, queue = filled(t, 1)
    tags = take(client, queue, 1)
    client.send(1, "basic.nack", delivery_tag=tags[1], requeue=True)
    assert rest(client, queue) == [(1, True)]


def test_nack_without_requeue_drops_the_message(t):
    client, queue = filled(t, 1)
    tags = take(client, queue, 1)
    client.send(1, "basic.nack", delivery_tag=tags[1], requeue=False)
    assert after_close(client, queue) == []


def test_nack_multiple(t):
    client, queue = filled(t, 4)
    tags = take(client, queue, 4)
    client.send(1, "basic.nack", delivery_tag=tags[3], multiple=True, requeue=False)
    assert after_close(client, queue) == [(4, True)]


def test_nack_multiple_of_tag_0_is_all(t):
    client, queue = filled(t, 4)
    take(client, queue, 3)
    client.send(1, "basic.nack", delivery_tag=0, multiple=True, requeue=True)
    assert rest(client, queue) == [(1, True), (2, True), (3, True), (4, False)]


def test_nack_of_an_unknown_tag_is_406(t):
    client, _ = filled(t, 0)
    client.send(1, "basic.nack", delivery_tag=3, requeue=True)
    client.expect_channel_close(1, 406, unknown_tag(3), "basic.nack")


def test_requeued_goes_back_to_its_place(t):
    """Not to the end: number 2 stands before 3 again."""
    client, queue = filled(t, 5)
    tags = take(client, queue, 3)
    client.send(1, "basic.reject", delivery_tag=tags[2], requeue=True)
    assert rest(client, queue) == [(2, True), (4, False), (5, False)]


def test_requeued_in_any_order_stand_in_order(t):
    client, queue = filled(t, 5)
    tags = take(client, queue, 4)
    for number in (3, 1, 4, 2):
        client.send(1, "basic.reject", delivery_tag=tags[number], requeue=True)
    assert rest(client, queue) == [(1, True), (2, True), (3, True), (4, True), (5, False)]


def test_requeued_of_two_channels_stand_in_order(t):
    client, queue = filled(t, 4)
    client.open_channel(2)
    for channel in (1, 2, 1, 2):
        client.get(channel, queue, no_ack=False)
    client.call(2, "channel.close", reply_code=200)
    assert after_close(client, queue) == [(1, True), (2, True), (3, True), (4, True)]


def test_closed_channel_returns_its_unacked_in_order(t):
    client, queue = filled(t, 5)
    take(client, queue, 3)
    assert after_close(client, queue) == [(1, True), (2, True), (3, True), (4, False), (5, False)]


def test_closed_connection_returns_its_unacked_in_order(t):
    client, queue = filled(t, 5, exclusive=False)
    take(client, queue, 3)
    client.call(0, "connection.close", reply_code=200)
    other = t.wire()
    t.wait(lambda: other.expect_quiet(1, queue).message_count == 5, "5 messages")
    assert rest(other, queue) == [(1, True), (2, True), (3, True), (4, False), (5, False)]


def test_requeued_is_delivered_again_to_the_same_consumer(t):
    client, queue = filled(t, 1)
    client.call(1, "basic.consume", queue=queue)
    message = client.read_message()
    for tag in range(2, 5):
        client.send(1, "basic.reject", delivery_tag=message.method.delivery_tag, requeue=True)
        message = client.read_message()
        assert (message.method.delivery_tag, message.method.redelivered) == (tag, True)


def test_requeued_goes_to_a_waiting_consumer(t):
    client, queue = filled(t, 1, exclusive=False)
    take(client, queue, 1)
    other = t.wire()
    other.call(1, "basic.consume", queue=queue)
    client.call(1, "channel.close", reply_code=200)
    assert other.read_message().method.redelivered


def test_recover_with_requeue(t):
    client, queue = filled(t, 3)
    take(client, queue, 2)
    client.call(1, "basic.recover", requeue=True)
    assert rest(client, queue) == [(1, True), (2, True), (3, False)]


def test_recover_to_the_same_consumer(t):
    client, queue = filled(t, 2)
    client.call(1, "basic.consume", queue=queue)
    for _ in range(2):
        client.read_message()
    client.send(1, "basic.recover", requeue=True)
    names = []
    while len(names) < 3:
        method = client.read_method("basic.recover-ok", "basic.deliver")
        names.append(method.name)
        if method.name == "basic.deliver":
            assert client.read_content(method).method.redelivered
    assert sorted(names) == ["basic.deliver", "basic.deliver", "basic.recover-ok"]


def test_recover_async_has_no_answer(t):
    client, queue = filled(t, 2)
    take(client, queue, 2)
    client.send(1, "basic.recover-async", requeue=True)
    assert rest(client, queue) == [(1, True), (2, True)]


def test_recover_without_requeue_is_540(t):
    for method in ("basic.recover", "basic.recover-async"):
        client, _ = filled(t, 0)
        client.send(1, method, requeue=False)
        client.expect_connection_close(540, "NOT_IMPLEMENTED - requeue=false", method)


def test_recover_is_of_the_channel_alone(t):
    client, queue = filled(t, 2)
    client.open_channel(2)
    client.get(2, queue, no_ack=False)
    client.get(1, queue, no_ack=False)
    client.call(1, "basic.recover", requeue=True)
    assert rest(client, queue) == [(2, True)]


def test_thousand_unacked_acked_in_reverse(t):
    client, queue = filled(t, 1000)
    tags = take(client, queue, 1000)
    for number in range(1000, 0, -1):
        client.send(1, "basic.ack", delivery_tag=tags[number])
    assert after_close(client, queue) == []


def test_nack_in_pika(t):
    channel = t.channel()
    queue = t.queue(channel)
    channel.basic_publish("", queue, b"m")
    method = t.get(channel, queue, auto_ack=False)[0]
    channel.basic_nack(method.delivery_tag, requeue=True)
    assert t.get(channel, queue)[0].redelivered


def test_ack_of_an_unknown_tag_in_pika(t):
    channel = t.channel()
    with t.channel_closed(406, unknown_tag(77)):
        channel.basic_ack(77)
        t.queue(channel)
