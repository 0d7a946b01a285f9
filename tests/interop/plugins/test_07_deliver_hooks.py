# SPDX-License-Identifier: MIT
"""Hooks at delivery: what a consumer gets, and that prefetch, acknowledgements and counts stay right."""

from plugins.hooked import client_of, confirmed, counts, send, serve


def consume(client, queue="q", channel=1, **options):
    client.call(channel, "basic.consume", queue=queue, consumer_tag="tag", **options)


def test_changed_for_this_delivery_only(t):
    client = client_of(t, "q")
    send(client, "q", da_body="for them", da_app="app", da_set={"new": 1, "BCC": ["x"]}, da_remove="gone", gone=1)
    first = client.get(1, "q", no_ack=False)
    assert first.body == b"for them" and first.properties["app_id"] == "app", first
    headers = first.properties["headers"]
    assert headers["new"] == 1 and headers["BCC"] == ["x"] and "gone" not in headers, headers
    client.send(1, "basic.nack", delivery_tag=first.method.delivery_tag, requeue=True)
    second = client.get(1, "q")
    assert second.method.redelivered and second.body == b"for them"
    # what it is in the queue shows by the header that a hook takes away each time
    assert list(second.properties["headers"]) == list(headers), second.properties


def test_hooks_in_order(t):
    client = client_of(t, "q")
    send(client, "q", da_set={"db.body": "by b"}, da_body="by a")
    assert client.get(1, "q").body == b"by b"


def test_the_routing_key_stays(t):
    client = client_of(t, "q")
    send(client, "q", da_key="other")
    assert client.get(1, "q").method.routing_key == "q"


def test_what_a_hook_is_told(t):
    client = client_of(t, "q")
    send(client, "q", da_tell=True)
    message = client.get(1, "q", no_ack=False)
    assert message.body == b"q guest  0 127.0.0.1", message.body
    client.send(1, "basic.reject", delivery_tag=message.method.delivery_tag, requeue=True)
    consume(client)
    assert client.read_message().body == b"q guest tag 1 127.0.0.1"


def withheld_with_prefetch(t, how, **qos):
    """Every second is withheld; each ack brings the next of the others, and no tag is left out."""
    client = client_of(t, "q")
    for i in range(20):
        send(client, "q", b"%d" % i, **(how if i % 2 else {}))
    client.call(1, "basic.qos", prefetch_count=1, **qos)
    consume(client)
    for i in range(10):
        message = client.read_message()
        assert (message.body, message.method.delivery_tag) == (b"%d" % (2 * i), i + 1), message
        client.expect_quiet(1)
        client.send(1, "basic.ack", delivery_tag=i + 1)
    send(client, "q", b"last")
    send(client, "q", b"waits")
    assert client.read_message().body == b"last"
    assert counts(client, "q") == [1]
    return client


def test_dropped_with_prefetch_1(t):
    withheld_with_prefetch(t, {"da_drop": True})


def test_rejected_with_prefetch_1(t):
    withheld_with_prefetch(t, {"db_reject": 0})


def test_dropped_with_channel_wide_prefetch(t):
    withheld_with_prefetch(t, {"da_drop": True}, **{"global": True})


def test_rejected_with_channel_wide_prefetch(t):
    withheld_with_prefetch(t, {"da_reject": 0}, **{"global": True})


def test_withheld_without_acknowledgements(t):
    client = client_of(t, "q")
    consume(client, no_ack=True)
    for i in range(200):
        send(client, "q", b"%d" % i, **({"da_drop": True} if i % 2 else {}))
    assert [client.read_message().body for _ in range(100)] == [b"%d" % i for i in range(0, 200, 2)]
    assert counts(client, "q") == [0]


def test_more_is_dropped_than_a_consumers_credit(t):
    client = client_of(t, "q")
    consume(client, no_ack=True)
    for _ in range(60):
        send(client, "q", b"x" * 100000, da_drop=True)
    send(client, "q", b"last", da_large=100000)
    assert len(client.read_message().body) == 100000
    assert counts(client, "q") == [0]


def test_changed_sizes_do_not_use_up_the_credit(t):
    """One grows to more than the whole credit each time, the other shrinks to nothing."""
    client = client_of(t, "q")
    consume(client)
    for _ in range(10):
        send(client, "q", b"x", da_large=3000000)
        assert len(client.read_message().body) == 3000000
    for _ in range(10):
        send(client, "q", b"x" * 3000000, da_body="")
        assert client.read_message().body == b""
    client.send(1, "basic.ack", delivery_tag=0, multiple=True)
    assert counts(client, "q") == [0]


def test_get_goes_on_to_the_next(t):
    client = client_of(t, "q")
    for no_ack in (True, False):
        for i in range(4):
            send(client, "q", b"%d" % i, **({"da_reject": 0} if i != 2 else {}))
        assert client.get(1, "q", no_ack=no_ack).body == b"2"
        assert client.get(1, "q", no_ack=no_ack) is None
        assert counts(client, "q") == [0]


def test_get_with_ten_thousand_that_are_dropped(t):
    broker = serve(t)
    client, other = t.wire_to(broker), t.wire_to(broker)
    client.call(1, "queue.declare", queue="q")
    for _ in range(10000):
        send(client, "q", b"", da_drop=True)
    send(client, "q", b"last")
    assert counts(client, "q") == [10001]
    client.send(1, "basic.get", queue="q", no_ack=True)
    client.open_channel(2)
    other.call(1, "queue.declare", queue="o")   # others go on
    assert client.read_message("basic.get-ok", channel=1).body == b"last"


def test_dropped_persistent_ones_do_not_come_back(t):
    broker = serve(t)
    client = t.wire_to(broker)
    client.call(1, "queue.declare", queue="d", durable=True)
    client.call(1, "confirm.select")
    send(client, "d", b"dropped", properties={"delivery_mode": 2}, da_drop=True)
    send(client, "d", b"stays", properties={"delivery_mode": 2})
    confirmed(client, 2)
    consume(client, "d")
    assert client.read_message().body == b"stays"
    client.close()
    broker.tell_to_end()
    broker.process.wait(timeout=30 * broker.patience)
    broker.launch()
    client = t.wire_to(broker)
    assert client.get(1, "d").body == b"stays"
    assert client.get(1, "d") is None


def test_an_acknowledgement_in_a_transaction_is_another_thing(t):
    client = client_of(t, "q")
    client.open_channel(2)
    client.call(2, "tx.select")
    send(client, "q", b"dropped", da_drop=True)
    send(client, "q", b"kept")
    client.expect_quiet(1, "q")
    assert client.get(2, "q", no_ack=False).body == b"kept"
    client.send(2, "basic.ack", delivery_tag=1)
    client.call(2, "tx.rollback")
    client.call(2, "channel.close", reply_code=200, reply_text="")
    assert counts(client, "q") == [1]


def test_direct_replies(t):
    client = client_of(t, "q")
    client.call(1, "basic.consume", queue="amq.rabbitmq.reply-to", consumer_tag="r", no_ack=True)
    send(client, "q", properties={"reply_to": "amq.rabbitmq.reply-to"})
    to = client.get(1, "q").properties["reply_to"]
    send(client, to, b"1", da_tell=True)
    send(client, to, b"2", da_drop=True)
    send(client, to, b"3", da_reject=0)
    send(client, to, b"4")
    first, second = client.read_message(), client.read_message()
    assert first.body == b"amq.rabbitmq.reply-to guest r 0 127.0.0.1", first.body
    assert (second.body, second.method.delivery_tag) == (b"4", 3), (second.body, second.method)
