# SPDX-License-Identifier: MIT
"""queue.declare, purge, delete: names, flags, what is refused and how."""

import re

from lib import wire


def missing(t, queue):
    return "NOT_FOUND - no queue '%s' in vhost '%s'" % (queue, t.broker.vhost)


def rs(t, queue):
    return "queue '%s' in vhost '%s'" % (queue, t.broker.vhost)


def locked(t, queue):
    return ("RESOURCE_LOCKED - cannot obtain exclusive access to locked %s. It could be originally declared on "
            "another connection or the exclusive property value does not match that of the original declaration."
            % rs(t, queue))


def refused(t, code, text, method, rabbit3=None, **fields):
    client = t.wire()
    client.send(1, method, **fields)
    client.expect_channel_close(1, code, t.either(text, rabbit3), method)


def inequivalent(t, queue, flag, received, current):
    return "PRECONDITION_FAILED - inequivalent arg '%s' for %s: received '%s' but current is '%s'" % (
        flag, rs(t, queue), received, current)


def test_declare_ok_tells_name_and_counts(t):
    client = t.wire()
    queue = t.name("q")
    method = client.call(1, "queue.declare", queue=queue, exclusive=True)
    assert (method.queue, method.message_count, method.consumer_count) == (queue, 0, 0)


def test_server_named_queue(t):
    """amq.gen- and 22 characters of base64url."""
    client = t.wire()
    names = [client.call(1, "queue.declare", exclusive=True).queue for _ in range(20)]
    assert all(re.fullmatch(r"amq\.gen-[A-Za-z0-9_-]{22}", name) for name in names), names
    assert len(set(names)) == 20


def test_declare_is_idempotent_and_counts(t):
    channel = t.channel()
    queue = t.queue(channel)
    for _ in range(3):
        channel.basic_publish("", queue, b"m")
    t.wait_counts(channel, queue, 3)
    method = channel.queue_declare(queue, exclusive=True).method
    assert (method.message_count, method.consumer_count) == (3, 0)


def test_declare_ok_counts_consumers(t):
    channel = t.channel()
    queue = t.queue(channel)
    for _ in range(3):
        t.consume(channel, queue)
    t.wait_counts(channel, queue, 0, 3)


def test_message_count_is_of_ready_messages_only(t):
    channel = t.channel()
    queue = t.queue(channel)
    for _ in range(3):
        channel.basic_publish("", queue, b"m")
    channel.basic_get(queue)
    t.wait_counts(channel, queue, 2, 0)


def test_declare_nowait_has_no_answer(t):
    client = t.wire()
    queue = t.name("q")
    client.send(1, "queue.declare", queue=queue, exclusive=True, nowait=True)
    client.expect_quiet(1, queue)


def test_passive_declare_of_a_missing_one_is_404(t):
    name = t.name("q")
    refused(t, 404, missing(t, name), "queue.declare", queue=name, passive=True)


def test_passive_declare_ignores_flags_and_arguments(t):
    client = t.wire()
    queue = t.wire_queue(client, exclusive=False)
    client.call(1, "queue.declare", queue=queue, passive=True, durable=True, auto_delete=True,
                arguments={"x-expires": 1000})


def test_passive_declare_of_no_name_is_404(t):
    """Also with a queue declared on the channel before."""
    client = t.wire()
    t.wire_queue(client)
    client.send(1, "queue.declare", passive=True)
    client.expect_channel_close(1, 404, missing(t, ""))


def test_redeclare_with_another_durability_is_406(t):
    queue = t.queue(t.channel(), exclusive=False)
    refused(t, 406, inequivalent(t, queue, "durable", "true", "false"), "queue.declare", queue=queue, durable=True)


def test_redeclare_as_transient_is_406(t):
    queue = t.queue(t.channel(), exclusive=False, durable=True)
    refused(t, 406, inequivalent(t, queue, "durable", "false", "true"), "queue.declare", queue=queue)


def test_redeclare_with_another_auto_delete_is_406(t):
    queue = t.queue(t.channel(), exclusive=False)
    refused(t, 406, inequivalent(t, queue, "auto_delete", "true", "false"), "queue.declare", queue=queue,
            auto_delete=True)


def test_redeclare_as_exclusive_of_a_shared_one_is_405(t):
    client = t.wire()
    queue = t.wire_queue(client, exclusive=False)
    client.send(1, "queue.declare", queue=queue, exclusive=True)
    client.expect_channel_close(1, 405, locked(t, queue), "queue.declare")


def test_redeclare_as_shared_of_ones_own_exclusive_is_405(t):
    client = t.wire()
    queue = t.wire_queue(client, exclusive=True)
    client.send(1, "queue.declare", queue=queue)
    client.expect_channel_close(1, 405, locked(t, queue), "queue.declare")


def test_redeclare_with_another_ttl_is_406(t):
    queue = t.queue(t.channel(), exclusive=False, arguments={"x-message-ttl": 100000})
    text = "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for %s: received %s but current is %s"
    refused(t, 406, text % (rs(t, queue), "the value '200000' of type 'signedint'",
                            "the value '100000' of type 'signedint'"), "queue.declare",
            rabbit3=text % (rs(t, queue), "'200000'", "'100000'"),
            queue=queue, arguments={"x-message-ttl": 200000})


def test_redeclare_without_the_ttl_is_406(t):
    queue = t.queue(t.channel(), exclusive=False, arguments={"x-message-ttl": 100000})
    text = "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for %s: received none but current is %s"
    refused(t, 406, text % (rs(t, queue), "the value '100000' of type 'signedint'"), "queue.declare", queue=queue)


def test_redeclare_with_a_ttl_of_another_integer_type_is_equal(t):
    client = t.wire()
    queue = t.wire_queue(client, arguments={"x-message-ttl": wire.Typed("I", 60000)})
    for kind in "lLu":
        client.call(1, "queue.declare", queue=queue, exclusive=True,
                    arguments={"x-message-ttl": wire.Typed(kind, 60000)})


def test_redeclare_with_a_new_unknown_argument_is_equal(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "queue.declare", queue=queue, exclusive=True, arguments={"x-of-my-own": "a"})


def test_queue_type_classic_equals_absent(t):
    client = t.wire()
    queue = t.wire_queue(client, exclusive=False, arguments={"x-queue-type": "classic"})
    client.call(1, "queue.declare", queue=queue)


def test_accepted_arguments(t):
    """Queue modes and versions are RabbitMQ's own affair; they must not hurt."""
    channel = t.channel()
    t.queue(channel, durable=True, exclusive=False, arguments={"x-queue-mode": "lazy"})
    t.queue(channel, durable=True, exclusive=False, arguments={"x-queue-version": 1})
    t.queue(channel, durable=True, exclusive=False, arguments={"x-my-own": [1, {"a": None}]})


def test_quorum_queue_may_be_declared(t):
    """Shunt makes a durable queue of it."""
    channel = t.channel()
    queue = t.queue(channel, durable=True, exclusive=False, arguments={"x-queue-type": "quorum"})

    channel.confirm_delivery()
    channel.basic_publish("", queue, b"m")
    assert t.get(channel, queue)[2] == b"m"


def test_invalid_arguments_are_406(t):
    prefix = "PRECONDITION_FAILED - invalid arg '%s' for queue '%s' in vhost '%s': "
    for argument, value in (("x-expires", 0), ("x-expires", -1), ("x-message-ttl", -1), ("x-expires", "1000"),
                            ("x-message-ttl", "1000"), ("x-message-ttl", True)):
        client = t.wire()
        queue = t.name("q")
        client.send(1, "queue.declare", queue=queue, exclusive=True, arguments={argument: value})
        text = re.compile("^" + re.escape(prefix % (argument, queue, t.broker.vhost)) + ".")
        client.expect_channel_close(1, 406, text, "queue.declare")


def test_expires_of_zero_is_worded_as_rabbitmq_does(t):
    queue = t.name("q")
    refused(t, 406, "PRECONDITION_FAILED - invalid arg 'x-expires' for %s: {value_zero,0}" % rs(t, queue),
            "queue.declare", queue=queue, arguments={"x-expires": 0})


def test_reserved_prefix_is_403(t):
    refused(t, 403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'", "queue.declare",
            queue="amq.mine")


def test_exclusive_queue_of_another_connection_is_405(t):
    owner = t.wire()
    queue = t.wire_queue(owner)
    for method, fields in (("queue.declare", {}), ("queue.declare", {"passive": True}),
                           ("queue.declare", {"exclusive": True}), ("queue.purge", {}), ("queue.delete", {}),
                           ("queue.bind", {"exchange": "amq.direct", "routing_key": "k"}),
                           ("basic.get", {}), ("basic.consume", {})):
        refused(t, 405, locked(t, queue), method, queue=queue, **fields)


def test_exclusive_queue_may_be_published_to_by_anybody(t):
    owner, other = t.wire(), t.wire()
    queue = t.wire_queue(owner)
    other.publish(1, "", queue, b"m")
    other.expect_quiet(1)
    t.wait(lambda: owner.call(1, "queue.declare", queue=queue, passive=True).message_count == 1, "the message")


def test_exclusive_durable_is_accepted(t):
    """RabbitMQ makes it transient."""
    client = t.wire()
    t.wire_queue(client, durable=True, exclusive=True)


def test_delete_tells_the_message_count(t):
    client = t.wire()
    queue = t.wire_queue(client)
    for _ in range(3):
        client.publish(1, "", queue, b"m")
    assert client.call(1, "queue.delete", queue=queue).message_count == 3


def test_delete_of_a_missing_one_is_ok(t):
    assert t.wire().call(1, "queue.delete", queue=t.name("q")).message_count == 0


def test_delete_nowait_has_no_answer(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.send(1, "queue.delete", queue=queue, nowait=True)
    client.expect_quiet(1)
    client.send(1, "queue.declare", queue=queue, passive=True)
    client.expect_channel_close(1, 404)


def test_delete_if_empty_of_a_full_one_is_406(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    channel.basic_publish("", queue, b"m")
    t.wait_counts(channel, queue, 1)
    refused(t, 406, "PRECONDITION_FAILED - %s not empty" % rs(t, queue), "queue.delete", queue=queue, if_empty=True)


def test_delete_if_unused_of_a_used_one_is_406(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    t.consume(channel, queue)
    refused(t, 406, "PRECONDITION_FAILED - %s in use" % rs(t, queue), "queue.delete", queue=queue, if_unused=True)


def test_delete_if_unused_and_if_empty_of_an_idle_one(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    channel.queue_delete(queue, if_unused=True, if_empty=True)
    refused(t, 404, missing(t, queue), "queue.declare", queue=queue, passive=True)


def test_deleted_queue_gets_no_more_messages(t):
    channel = t.channel()
    exchange = t.exchange(channel, "fanout")
    queue = t.bound_queue(channel, exchange, "")
    channel.queue_delete(queue)
    channel.queue_declare(queue, exclusive=True)
    channel.basic_publish(exchange, "", b"m")
    assert t.bodies(channel, queue) == []


def test_purge_tells_the_message_count(t):
    client = t.wire()
    queue = t.wire_queue(client)
    for _ in range(3):
        client.publish(1, "", queue, b"m")
    assert client.call(1, "queue.purge", queue=queue).message_count == 3
    assert client.get(1, queue) is None


def test_purge_leaves_unacked_messages(t):
    client = t.wire()
    queue = t.wire_queue(client)
    for body in (b"held", b"purged"):
        client.publish(1, "", queue, body)
    held = client.get(1, queue, no_ack=False)
    assert client.call(1, "queue.purge", queue=queue).message_count == 1
    client.send(1, "basic.reject", delivery_tag=held.method.delivery_tag, requeue=True)
    assert client.get(1, queue).body == b"held"


def test_purge_nowait_has_no_answer(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"m")
    client.send(1, "queue.purge", queue=queue, nowait=True)
    assert client.expect_quiet(1, queue).message_count == 0


def test_purge_of_a_missing_one_is_404(t):
    name = t.name("q")
    refused(t, 404, missing(t, name), "queue.purge", queue=name)


def test_no_name_means_the_last_declared(t):
    client = t.wire()
    t.wire_queue(client)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"1")
    client.publish(1, "", queue, b"2")
    assert client.get(1, "").body == b"1"
    assert client.call(1, "queue.purge", queue="").message_count == 1
    client.call(1, "queue.delete", queue="")
    client.send(1, "queue.declare", queue=queue, passive=True)
    client.expect_channel_close(1, 404, missing(t, queue))


def test_no_name_without_a_declaration_is_404(t):
    for method in ("basic.get", "basic.consume", "queue.purge", "queue.delete"):
        refused(t, 404, "NOT_FOUND - no previously declared queue", method)


def test_last_declared_is_of_the_channel_alone(t):
    client = t.wire()
    t.wire_queue(client)
    client.open_channel(2)
    client.send(2, "basic.get")
    client.expect_channel_close(2, 404, "NOT_FOUND - no previously declared queue", "basic.get")


def test_auto_delete_goes_with_its_last_consumer(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False, auto_delete=True)
    tags = [t.consume(channel, queue) for _ in range(2)]
    channel.basic_cancel(tags[0])
    assert t.counts(channel, queue)[1] == 1
    channel.basic_cancel(tags[1])
    refused(t, 404, missing(t, queue), "queue.declare", queue=queue, passive=True)


def test_auto_delete_goes_with_its_last_consumers_channel(t):
    channel, other = t.channel(), t.channel()
    queue = t.queue(channel, exclusive=False, auto_delete=True)
    t.consume(other, queue)
    other.close()
    refused(t, 404, missing(t, queue), "queue.declare", queue=queue, passive=True)


def test_auto_delete_stays_until_it_has_had_a_consumer(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False, auto_delete=True)
    channel.basic_get(queue)
    other = t.connect()
    other.channel().queue_declare(queue, passive=True)
    other.close()
    t.counts(channel, queue)


def test_queue_name_of_255_bytes(t):
    client = t.wire()
    queue = t.owns(t.prefix + "q" * (255 - len(t.prefix)))
    t.wire_queue(client, queue=queue)
    client.publish(1, "", queue, b"m")
    assert client.get(1, queue).body == b"m"


def test_queue_name_with_utf_8_and_spaces(t):
    channel = t.channel()
    queue = t.queue(channel, queue=t.name("ein Wolf, zwei Wölfe 狼\t'\""))
    channel.basic_publish("", queue, b"m")
    assert t.get(channel, queue)[2] == b"m"


def test_cr_and_lf_are_stripped_from_declared_names(t):
    client = t.wire()
    name = t.name("q")
    assert client.call(1, "queue.declare", queue=name + "\r\n", exclusive=True).queue == name


def test_transient_shared_queue_may_be_declared(t):
    """RabbitMQ 4.3 no longer allows it; Celery needs it."""
    t.queue(t.channel(), durable=False, exclusive=False)


def test_thousand_queues_on_one_channel(t):
    client = t.wire()
    names = [t.prefix + str(i) for i in range(1000)]
    for name in names:
        client.send(1, "queue.declare", queue=name, exclusive=True)
    assert [client.read_method("queue.declare-ok").queue for _ in names] == names
