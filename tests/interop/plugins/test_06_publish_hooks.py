# SPDX-License-Identifier: MIT
"""Hooks at publishing: what they change, drop and refuse, with confirms, transactions, mandatory, CC and BCC."""

from lib.shuntctl import ctl
from lib.wire import Typed

from plugins.hooked import client_of, confirmed, counts, send, serve

SAYS_NO = "%s - the hook %s. says no"


def test_a_hook_that_passes_changes_nothing(t):
    client = client_of(t, "q")
    properties = {"message_id": "i", "priority": 3, "headers": {"x": Typed("B", 7), "a": "b"}}
    client.publish(1, "", "q", b"m", properties)
    message = client.get(1, "q")
    assert message.body == b"m" and message.properties["headers"] == {"x": 7, "a": "b"}, message
    assert message.properties["message_id"] == "i" and message.properties["priority"] == 3, message.properties


def test_another_routing_key(t):
    client = client_of(t, "q", "other")
    send(client, "q", a_key="other")
    assert counts(client, "q", "other") == [0, 1]
    assert client.get(1, "other").method.routing_key == "other"


def test_another_body_and_properties(t):
    client = client_of(t, "q")
    send(client, "q", b"m", properties={"message_id": "i", "delivery_mode": 1}, a_body="longer than before", a_app="app",
         a_set={"new": 5, "old": [1, {"deep": "x"}]}, a_remove="gone", gone="x", old="y", last="z")
    message = client.get(1, "q")
    assert message.body == b"longer than before"
    headers = message.properties["headers"]
    assert (headers["new"], headers["old"], headers["last"]) == (5, [1, {"deep": "x"}], "z"), headers
    assert "gone" not in headers
    assert list(headers)[-1] == "new", list(headers)   # others keep their places
    assert (message.properties["app_id"], message.properties["message_id"]) == ("app", "i"), message.properties


def test_large_and_empty_bodies(t):
    client = client_of(t, "q")
    send(client, "q", b"x" * 500000, a_body="")
    send(client, "q", b"", a_large=700000)
    send(client, "q", b"y" * 500000, a_app="app")
    assert [len(client.get(1, "q").body) for _ in range(3)] == [0, 700000, 500000]


def test_made_persistent_it_is_there_after_a_restart(t):
    broker = serve(t)
    client = t.wire_to(broker)
    client.call(1, "queue.declare", queue="d", durable=True)
    client.call(1, "confirm.select")
    send(client, "d", b"stays", a_persist=True)
    send(client, "d", b"goes")
    confirmed(client, 2)
    client.close()
    broker.tell_to_end()
    broker.process.wait(timeout=30 * broker.patience)
    broker.launch()
    client = t.wire_to(broker)
    assert counts(client, "d") == [1]
    message = client.get(1, "d")
    assert (message.body, message.properties["delivery_mode"]) == (b"stays", 2), message


def test_hooks_run_in_order_each_on_what_the_one_before_made(t):
    client = client_of(t, "q", "second")
    send(client, "q", a_key="first", a_set={"b.key": "second", "b.body": "by b"})
    message = client.get(1, "second")
    assert message.body == b"by b", message
    assert counts(client, "q", "second") == [0, 0]


def test_cc_and_bcc_of_a_hook_work_as_a_clients(t):
    client = client_of(t, "q", "cc", "bcc", "cc2", "bcc2")
    send(client, "q", a_set={"CC": ["cc"], "BCC": ["bcc"]})
    assert counts(client, "q", "cc", "bcc") == [1, 1, 1]
    headers = client.get(1, "bcc").properties["headers"]
    assert headers["CC"] == ["cc"] and "BCC" not in headers, headers
    # a hook replaces those that it sets, and no others
    send(client, "q", CC=["cc2"], BCC=["bcc2"], a_body="changed")
    assert counts(client, "q", "cc", "bcc", "cc2", "bcc2") == [2, 1, 0, 1, 1]
    assert client.get(1, "bcc2").body == b"changed"
    send(client, "q", CC=["cc2"], BCC=["bcc2"], a_set={"CC": ["cc"]})
    assert counts(client, "q", "cc", "bcc", "cc2", "bcc2") == [3, 2, 0, 1, 1]
    send(client, "q", CC=["cc2"], BCC=["bcc2"], a_remove="BCC")
    assert counts(client, "q", "cc", "bcc", "cc2", "bcc2") == [4, 2, 0, 2, 1]


def test_cc_that_is_no_array_is_refused(t):
    client = client_of(t, "q")
    send(client, "q", a_set={"CC": "q"})
    client.expect_channel_close(
        1, 406, 'PRECONDITION_FAILED - invalid message: {unacceptable_type_in_mandatory_header,"CC",longstr}',
        "basic.publish")


def test_what_cannot_be_is_refused_to_the_hook(t):
    client = client_of(t, "q")
    send(client, "q", a_bad=True)
    message = client.get(1, "q")
    assert message.properties["app_id"] == "refused" and "h" not in message.properties["headers"], message.properties


def test_a_body_above_max_message_size_is_refused(t):
    client = t.wire_to(serve(t, "max_message_size=1000000"))
    client.call(1, "queue.declare", queue="q")
    send(client, "q", a_large=1000001)
    client.expect_channel_close(
        1, 406, "PRECONDITION_FAILED - message size 1000001 is larger than configured max size 1000000", "basic.publish")
    client.open_channel(1)
    send(client, "q", a_large=1000000)
    assert len(client.get(1, "q").body) == 1000000


def test_headers_above_a_frame_are_refused_to_the_hook(t):
    client = t.wire_to(serve(t))
    client.call(1, "queue.declare", queue="q")
    send(client, "q", a_set={"large": "x" * 100000}, more="y" * 20000)
    headers = client.get(1, "q").properties["headers"]
    assert "large" not in headers and len(headers["more"]) == 20000


def test_dropped_is_confirmed_and_not_returned(t):
    client = client_of(t, "q", confirms=True)
    for i in range(20):
        if i % 3:
            send(client, "q", b"%d" % i)
        else:
            send(client, "nowhere", mandatory=True, a_drop=True)
    confirmed(client, 20)
    assert counts(client, "q") == [13]
    assert [client.get(1, "q").body for _ in range(13)] == [b"%d" % i for i in range(20) if i % 3]


def answers(client, up_to):
    """Reads acks and nacks until all up to this one are told, each once: True for an ack."""
    told = {}
    while len(told) < up_to:
        method = client.read_method("basic.ack", "basic.nack", channel=1)
        tags = range(1 if method.multiple else method.delivery_tag, method.delivery_tag + 1)
        assert method.multiple or method.delivery_tag not in told, (method, told)
        for tag in tags:
            told.setdefault(tag, method.name == "basic.ack")
    return [told[tag] for tag in range(1, up_to + 1)]


def test_nacked_is_told_in_its_place(t):
    client = client_of(t, "q", confirms=True)
    for i in range(30):
        send(client, "q" if i % 2 else "nowhere", b"%d" % i, mandatory=i % 3 == 0, **({} if i % 3 else {"a_nack": "full"}))
    assert answers(client, 30) == [i % 3 != 0 for i in range(30)]
    assert counts(client, "q") == [10]
    # nothing was returned of them, and all goes on
    send(client, "q")
    assert client.read_method("basic.ack", channel=1).delivery_tag == 31


def test_nacked_with_the_queue_on_another_loop(t):
    broker = serve(t, loops=4)
    publisher, other = t.wire_to(broker), t.wire_to(broker)
    for i in range(8):
        other.call(1, "queue.declare", queue="q%d" % i)
    publisher.call(1, "confirm.select")
    for i in range(400):
        send(publisher, "q%d" % (i % 8), **({"b_nack": ""} if i % 7 == 0 else {}))
    assert answers(publisher, 400) == [i % 7 != 0 for i in range(400)]
    assert sum(counts(other, *["q%d" % i for i in range(8)])) == 400 - 58


def test_nacked_without_confirms_is_dropped(t):
    client = client_of(t, "q")
    send(client, "q", a_nack="no")
    send(client, "q", b"after")
    client.open_channel(2)
    client.call(2, "tx.select")
    send(client, "q", a_nack="no", channel=2)
    send(client, "q", b"in tx", channel=2)
    client.call(2, "tx.commit")
    assert [client.get(1, "q").body for _ in range(2)] == [b"after", b"in tx"]
    assert counts(client, "q") == [0]


def test_why_it_was_nacked_is_logged_at_a_limited_rate(t):
    broker = serve(t)
    client = t.wire_to(broker)
    client.call(1, "queue.declare", queue="q")
    client.call(1, "confirm.select")
    for _ in range(100):
        send(client, "q", a_nack="the disk\nis \"full\"")
    assert answers(client, 100) == [False] * 100
    line = "hook 'a' has nacked a message: user=\"guest\" vhost='/' reason=\"the disk\\nis \\\"full\\\"\""
    t.wait(lambda: line in broker.log_tail(), line)
    assert 1 <= broker.log_tail(1000).count("has nacked a message") <= 10


def bound(client, **queues):
    """A fanout exchange for each of these queues, bound to it."""
    for exchange, queue in queues.items():
        client.call(1, "exchange.declare", exchange=exchange, type="fanout")
        client.call(1, "queue.declare", queue=queue)
        client.call(1, "queue.bind", queue=queue, exchange=exchange, routing_key="")


def test_to_another_exchange(t):
    client = client_of(t, "q", confirms=True)
    bound(client, there="there-q")
    send(client, "q", a_exchange="there", b_body="changed")
    confirmed(client, 1)
    assert counts(client, "q", "there-q") == [0, 1]
    message = client.get(1, "there-q")
    assert (message.method.exchange, message.method.routing_key, message.body) == ("there", "q", b"changed"), message
    # back to the default exchange, by the second hook
    client.publish(1, "there", "q", b"m", {"headers": {"a.exchange": "nowhere", "b.exchange": ""}})
    assert client.read_method("basic.ack").delivery_tag == 2
    assert counts(client, "q", "there-q") == [1, 0]
    assert client.get(1, "q").method.exchange == ""


def test_to_another_exchange_with_cc_and_bcc(t):
    client = client_of(t, "q", "a", "b", "c")
    client.call(1, "exchange.declare", exchange="d", type="direct")
    for queue in ("a", "b", "c"):
        client.call(1, "queue.bind", queue=queue, exchange="d", routing_key="key-" + queue)
    send(client, "q", a_exchange="d", a_key="key-a", a_set={"CC": ["key-b"]}, BCC=["key-c"])
    assert counts(client, "q", "a", "b", "c") == [0, 1, 1, 1]


def test_to_another_exchange_its_alternate_and_returned(t):
    client = client_of(t, "q", confirms=True)
    bound(client, spare="spare-q")
    client.call(1, "exchange.declare", exchange="with", type="direct", arguments={"alternate-exchange": "spare"})
    client.call(1, "exchange.declare", exchange="without", type="direct")
    send(client, "q", a_exchange="with", mandatory=True)
    confirmed(client, 1)
    assert counts(client, "q", "spare-q") == [0, 1]
    send(client, "q", a_exchange="without", mandatory=True)
    message = client.read_message("basic.return")
    assert (message.method.reply_code, message.method.exchange) == (312, "without"), message
    assert client.read_method("basic.ack").delivery_tag == 2
    send(client, "q")
    assert client.read_method("basic.ack").delivery_tag == 3
    assert counts(client, "q") == [1]


def test_to_another_exchange_in_a_transaction(t):
    client = client_of(t, "q")
    bound(client, there="there-q")
    client.call(1, "tx.select")
    send(client, "q", a_exchange="there")
    assert counts(client, "there-q") == [0]
    client.call(1, "tx.commit")
    assert counts(client, "q", "there-q") == [0, 1]
    send(client, "q", a_exchange="nowhere")
    client.expect_channel_close(1, 404, "NOT_FOUND - no exchange 'nowhere' in vhost '/'", "basic.publish")


def test_to_an_exchange_that_is_not_there_or_internal(t):
    client = client_of(t, "q")
    client.call(1, "exchange.declare", exchange="inner", type="fanout", internal=True)
    send(client, "q", b"before")
    send(client, "q", a_exchange="nowhere")
    client.expect_channel_close(1, 404, "NOT_FOUND - no exchange 'nowhere' in vhost '/'", "basic.publish")
    client.open_channel(1)
    assert counts(client, "q") == [1]
    send(client, "q", a_exchange="inner")
    client.expect_channel_close(
        1, 403, "ACCESS_REFUSED - cannot publish to internal exchange 'inner' in vhost '/'", "basic.publish")


def test_to_an_exchange_that_the_user_may_not_write_to(t):
    broker = serve(t)
    admin = t.wire_to(broker)
    bound(admin, secret="secret-q")
    ctl(t, "add_user", "narrow", "narrow", broker=broker)
    ctl(t, "set_permissions", "narrow", "", "^(amq\\.default)$", "", broker=broker)
    client = t.wire_to(broker, user="narrow", password="narrow")
    client.call(1, "confirm.select")
    send(client, "x", a_exchange="secret", a_user=True)
    confirmed(client, 1)
    assert admin.get(1, "secret-q").body == b"narrow"
    client.publish(1, "secret", "x", b"m")
    client.expect_channel_close(1, 403)


def test_dropped_by_the_first_is_not_seen_by_the_second(t):
    client = client_of(t, "q", confirms=True)
    send(client, "q", a_drop=True, b_reject=403)
    confirmed(client, 1)


def test_changed_to_nowhere_is_returned_as_it_was_changed(t):
    client = client_of(t, "q", confirms=True)
    send(client, "q", mandatory=True, a_key="nowhere", a_body="other")
    message = client.read_message("basic.return")
    assert (message.method.reply_code, message.method.routing_key, message.body) == (312, "nowhere", b"other"), message
    confirmed(client, 1)


def test_refused_with_a_soft_code_closes_the_channel(t):
    client = client_of(t, "q")
    for code, name in ((403, "ACCESS_REFUSED"), (404, "NOT_FOUND"), (406, "PRECONDITION_FAILED")):
        send(client, "q", b"before")
        send(client, "q", a_reject=code)
        send(client, "q", b"after")
        client.expect_channel_close(1, code, SAYS_NO % (name, "a"), "basic.publish")
        client.open_channel(1)
    assert counts(client, "q") == [3]   # those before


def test_refused_by_the_second(t):
    client = client_of(t, "q")
    send(client, "q", b_reject=403)
    client.expect_channel_close(1, 403, SAYS_NO % ("ACCESS_REFUSED", "b"), "basic.publish")


def test_what_came_before_a_refused_one_is_confirmed(t):
    client = client_of(t, "q", confirms=True)
    for _ in range(5):
        send(client, "q")
    send(client, "q", a_reject=403)
    seen = 0
    while seen < 5:
        method = client.read_method("basic.ack", channel=1)
        seen = method.delivery_tag if method.multiple else seen + 1
    client.expect_channel_close(1, 403)
    client.open_channel(1)
    assert counts(client, "q") == [5]


def test_refused_with_a_hard_code_closes_the_connection(t):
    broker = serve(t)
    for code, name in ((506, "RESOURCE_ERROR"), (530, "NOT_ALLOWED"), (540, "NOT_IMPLEMENTED"), (541, "INTERNAL_ERROR")):
        client = t.wire_to(broker)
        client.call(1, "queue.declare", queue="q")
        send(client, "q", b"before")
        send(client, "q", a_reject=code)
        client.expect_connection_close(code, SAYS_NO % (name, "a"), "basic.publish")
    client = t.wire_to(broker)
    assert counts(client, "q") == [4]


def test_refused_without_a_usable_code_is_541(t):
    broker = serve(t)
    for code in (0, 1, 999):
        client = t.wire_to(broker)
        send(client, "q", a_reject=code)
        client.expect_connection_close(541, "INTERNAL_ERROR - message hook 'a' failed", "basic.publish")


def test_in_a_transaction(t):
    client = client_of(t, "q", "other", "cc")
    client.call(1, "tx.select")
    send(client, "q", b"1")
    send(client, "q", b"2", a_drop=True)
    send(client, "q", b"3", a_key="other", a_set={"CC": ["cc"]})
    assert counts(client, "q", "other", "cc") == [0, 0, 0]
    client.call(1, "tx.commit")
    assert counts(client, "q", "other", "cc") == [1, 1, 1]
    send(client, "q", b"4")
    send(client, "q", a_reject=403)
    client.expect_channel_close(1, 403, SAYS_NO % ("ACCESS_REFUSED", "a"), "basic.publish")
    client.open_channel(1)
    assert counts(client, "q") == [1]   # the transaction went with its channel


def test_the_user_id_is_checked_on_what_the_client_sent(t):
    client = client_of(t, "q")
    send(client, "q", properties={"user_id": "somebody"}, a_drop=True)
    client.expect_channel_close(1, 406)
