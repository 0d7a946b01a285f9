# SPDX-License-Identifier: MIT
"""What a user may do: permissions and topic permissions, operation by operation."""

import re

from lib.case import Skip
from lib.shuntctl import ctl
from lib.users import allow, only, publish_refused, published, refused, text_of, topic_text_of, topics, user, wire


# ---- Queues ----

def test_declaring_and_deleting_a_queue_needs_configure(t):
    queue = t.queue(t.channel(), exclusive=False)
    name = user(t, write=".*", read=".*")
    client = wire(t, name)
    refused(client, text_of(t, "configure", "queue", queue, name), "queue.declare", queue=queue)
    refused(client, text_of(t, "configure", "queue", queue, name), "queue.delete", queue=queue)


def test_configure_is_enough_to_declare_and_delete_a_queue(t):
    queue = t.name("q")
    client = wire(t, user(t, configure=only(queue)))
    client.call(1, "queue.declare", queue=queue)
    client.call(1, "queue.delete", queue=queue)


def test_getting_consuming_and_purging_needs_read(t):
    queue = t.queue(t.channel(), exclusive=False)
    name = user(t, configure=".*", write=".*")
    client = wire(t, name)
    for method in ("basic.get", "basic.consume", "queue.purge"):
        refused(client, text_of(t, "read", "queue", queue, name), method, queue=queue)


def test_read_is_enough_to_get_consume_and_purge(t):
    queue = t.queue(t.channel(), exclusive=False)
    client = wire(t, user(t, read=only(queue)))
    assert client.get(1, queue) is None
    client.call(1, "queue.purge", queue=queue)
    client.call(1, "basic.consume", queue=queue)


def test_a_server_named_queue_needs_configure_on_its_name(t):
    name = user(t, configure="^amq.gen$")
    client = wire(t, name)
    client.send(1, "queue.declare", queue="", exclusive=True)
    close = client.expect_channel_close(1, 403, None, "queue.declare")
    expected = text_of(t, "configure", "queue", "amq.gen-", name).split("amq.gen-")[0]
    assert close.reply_text.startswith(expected + "amq.gen-"), close.reply_text
    allow(t, name, configure="^amq\\.gen-.{22}$")
    client = wire(t, name)
    client.call(1, "queue.declare", queue="", exclusive=True)


def test_dead_lettering_needs_read_on_the_queue_and_write_on_the_exchange(t):
    queue, exchange = t.name("q"), t.name("x")
    arguments = {"x-dead-letter-exchange": exchange}
    name = user(t, configure=".*", write=".*")
    refused(wire(t, name), text_of(t, "read", "queue", queue, name), "queue.declare", queue=queue, arguments=arguments)
    allow(t, name, configure=".*", read=".*")
    refused(wire(t, name), text_of(t, "write", "exchange", exchange, name), "queue.declare", queue=queue,
            arguments=arguments)


def test_dead_lettering_to_the_default_exchange_is_checked_as_amq_default(t):
    name = user(t, configure=".*", read=".*")
    refused(wire(t, name), text_of(t, "write", "exchange", "amq.default", name), "queue.declare", queue=t.name("q"),
            arguments={"x-dead-letter-exchange": ""})


def test_dead_lettering_is_not_checked_for_a_queue_that_is_there(t):
    queue = t.queue(t.channel(), exclusive=False)
    client = wire(t, user(t, configure=".*"))
    client.send(1, "queue.declare", queue=queue, arguments={"x-dead-letter-exchange": t.name("x")})
    assert client.read_method("channel.close", "connection.close").reply_code != 403


def test_a_reserved_queue_name_is_refused_before_the_permission(t):
    client = wire(t, user(t))
    refused(client, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'", "queue.declare",
            queue="amq.mine")


def test_a_passive_declare_takes_any_permission(t):
    queue, exchange = t.queue(t.channel(), exclusive=False), t.exchange(t.channel())
    name = user(t)
    for permission in ("configure", "write", "read"):
        allow(t, name, **{permission: only(queue, exchange)})
        client = wire(t, name)
        client.call(1, "queue.declare", queue=queue, passive=True)
        client.call(1, "exchange.declare", exchange=exchange, type="direct", passive=True)


def test_a_passive_declare_without_any_permission_is_refused(t):
    if t.rabbit3:
        raise Skip("RabbitMQ asks since 4.3")
    queue, exchange = t.queue(t.channel(), exclusive=False), t.exchange(t.channel())
    name = user(t)
    client = wire(t, name)
    rest = "in vhost '%s' refused for user '%s'" % (t.broker.vhost, name)
    for missing in ("", ".not"):   # nobody learns whether it is there
        refused(client, "ACCESS_REFUSED - access to queue '%s' %s" % (queue + missing, rest), "queue.declare",
                queue=queue + missing, passive=True)
    refused(client, "ACCESS_REFUSED - access to exchange '%s' %s" % (exchange, rest), "exchange.declare",
            exchange=exchange, type="direct", passive=True)


def test_names_are_checked_as_they_are_declared(t):
    """Without CR and LF: a pattern that forbids a name is not got round by them."""
    queue, exchange = t.name("q"), t.name("x")
    name = user(t, configure="^(?!%s|%s)" % (re.escape(queue), re.escape(exchange)), write=".*", read=".*")
    client = wire(t, name)
    refused(client, text_of(t, "configure", "queue", queue, name), "queue.declare", queue="\r\n" + queue)
    refused(client, text_of(t, "configure", "queue", queue, name), "queue.delete", queue="\n" + queue)
    refused(client, text_of(t, "configure", "exchange", exchange, name), "exchange.declare", exchange="\n" + exchange,
            type="direct")
    refused(client, text_of(t, "configure", "exchange", exchange, name), "exchange.delete", exchange=exchange + "\r")


def test_bound_names_are_checked_as_they_are_bound(t):
    queue, exchange = t.queue(t.channel(), exclusive=False), t.exchange(t.channel())
    name = user(t, write="^(?!%s)" % re.escape(queue), read=".*")
    refused(wire(t, name), text_of(t, "write", "queue", queue, name), "queue.bind", queue="\n" + queue,
            exchange=exchange)
    allow(t, name, write=".*", read="^(?!%s)" % re.escape(exchange))
    refused(wire(t, name), text_of(t, "read", "exchange", exchange, name), "queue.bind", queue=queue,
            exchange="\n" + exchange)


# ---- Exchanges and bindings ----

def test_declaring_and_deleting_an_exchange_needs_configure(t):
    exchange = t.exchange(t.channel())
    name = user(t, write=".*", read=".*")
    client = wire(t, name)
    text = text_of(t, "configure", "exchange", exchange, name)
    refused(client, text, "exchange.declare", exchange=exchange, type="direct")
    refused(client, text, "exchange.delete", exchange=exchange)


def test_an_alternate_exchange_needs_read_on_the_exchange_and_write_on_the_alternate(t):
    exchange, alternate = t.name("x"), t.name("ae")
    fields = {"exchange": exchange, "type": "direct", "arguments": {"alternate-exchange": alternate}}
    name = user(t, configure=".*", write=".*")
    refused(wire(t, name), text_of(t, "read", "exchange", exchange, name), "exchange.declare", **fields)
    allow(t, name, configure=".*", read=".*")
    refused(wire(t, name), text_of(t, "write", "exchange", alternate, name), "exchange.declare", **fields)
    allow(t, name, configure=only(exchange), write=only(alternate), read=only(exchange))
    client = wire(t, name)
    client.call(1, "exchange.declare", **fields)
    allow(t, name, configure=".*")   # it is there now: arguments are only compared
    wire(t, name).call(1, "exchange.declare", **fields)


def test_what_nobody_may_do_comes_before_the_permission(t):
    client = wire(t, user(t))
    text = "ACCESS_REFUSED - operation not permitted on the default exchange"
    refused(client, text, "exchange.declare", exchange="", type="direct")
    refused(client, text, "exchange.delete", exchange="")
    refused(client, "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '%s' not allowed"
            % t.broker.vhost, "exchange.delete", exchange="amq.direct")


def test_binding_a_queue_needs_write_on_it_and_read_on_the_exchange(t):
    queue, exchange = t.queue(t.channel(), exclusive=False), t.exchange(t.channel())
    name = user(t, configure=".*", read=".*")
    for method in ("queue.bind", "queue.unbind"):
        refused(wire(t, name), text_of(t, "write", "queue", queue, name), method, queue=queue, exchange=exchange)
    allow(t, name, configure=".*", write=".*")
    for method in ("queue.bind", "queue.unbind"):
        refused(wire(t, name), text_of(t, "read", "exchange", exchange, name), method, queue=queue, exchange=exchange)
    allow(t, name, write=only(queue), read=only(exchange))
    client = wire(t, name)
    client.call(1, "queue.bind", queue=queue, exchange=exchange)
    client.call(1, "queue.unbind", queue=queue, exchange=exchange)


def test_binding_an_exchange_needs_write_on_it_and_read_on_the_source(t):
    destination, source = t.exchange(t.channel()), t.exchange(t.channel())
    name = user(t, configure=".*", read=".*")
    for method in ("exchange.bind", "exchange.unbind"):
        refused(wire(t, name), text_of(t, "write", "exchange", destination, name), method, destination=destination,
                source=source)
    allow(t, name, configure=".*", write=".*")
    for method in ("exchange.bind", "exchange.unbind"):
        refused(wire(t, name), text_of(t, "read", "exchange", source, name), method, destination=destination,
                source=source)


def test_binding_to_the_default_exchange_is_refused_between_the_two(t):
    queue = t.queue(t.channel(), exclusive=False)
    name = user(t)
    refused(wire(t, name), text_of(t, "write", "queue", queue, name), "queue.bind", queue=queue, exchange="")
    allow(t, name, write=".*")
    refused(wire(t, name), "ACCESS_REFUSED - operation not permitted on the default exchange", "queue.bind",
            queue=queue, exchange="")


# ---- Publishing ----

def test_publishing_needs_write(t):
    exchange = t.exchange(t.channel())
    name = user(t, configure=".*", read=".*")
    publish_refused(wire(t, name), text_of(t, "write", "exchange", exchange, name), exchange, "key")
    allow(t, name, write=only(exchange))
    published(wire(t, name), exchange, "key")


def test_publishing_is_checked_before_the_exchange_is_looked_up(t):
    name = user(t)
    publish_refused(wire(t, name), text_of(t, "write", "exchange", "no-such", name), "no-such", "key")


def test_the_default_exchange_is_checked_as_amq_default(t):
    name = user(t, write="^$")
    publish_refused(wire(t, name), text_of(t, "write", "exchange", "amq.default", name), "", "key")
    allow(t, name, write="^amq\\.default$")
    published(wire(t, name), "", "key")


def test_each_exchange_is_checked(t):
    """Also where a channel goes from one to the other."""
    mine, also_mine, other = (t.exchange(t.channel()) for _ in range(3))
    name = user(t, write=only(mine, also_mine))
    client = wire(t, name)
    for exchange in (mine, also_mine, mine, also_mine, mine):
        published(client, exchange, "key")
    publish_refused(client, text_of(t, "write", "exchange", other, name), other, "key")
    published(client, mine, "key")
    published(client, also_mine, "key")
    publish_refused(client, text_of(t, "write", "exchange", other, name), other, "key")


def test_an_empty_pattern_is_none(t):
    exchange = t.exchange(t.channel())
    name = user(t, write="")
    publish_refused(wire(t, name), text_of(t, "write", "exchange", exchange, name), exchange, "key")


def test_a_pattern_matches_anywhere(t):
    exchange = t.exchange(t.channel())
    published(wire(t, user(t, write=re.escape(exchange[1:-1]))), exchange, "key")


def test_direct_replies_need_no_permission(t):
    client = wire(t, user(t))
    client.call(1, "basic.consume", queue="amq.rabbitmq.reply-to", no_ack=True)
    client.call(1, "queue.declare", queue="amq.rabbitmq.reply-to", passive=True)


# ---- Topics ----

def test_topics_are_checked_when_publishing(t):
    exchange, other = t.exchange(t.channel(), "topic"), t.exchange(t.channel(), "topic")
    name = user(t, write=".*")
    topics(t, name, exchange, write="^a\\.")
    client = wire(t, name)
    for _ in range(3):
        published(client, exchange, "a.b")
        published(client, other, "b.a")
    publish_refused(client, topic_text_of(t, "write", "b.a", exchange, name), exchange, "b.a")
    published(client, exchange, "a.c")


def test_topics_are_checked_when_binding(t):
    exchange, queue = t.exchange(t.channel(), "topic"), t.queue(t.channel(), exclusive=False)
    name = user(t, write=".*", read=".*")
    topics(t, name, exchange, read="^a\\.")
    client = wire(t, name)
    client.call(1, "queue.bind", queue=queue, exchange=exchange, routing_key="a.*")
    for method in ("queue.bind", "queue.unbind"):
        refused(client, topic_text_of(t, "read", "#", exchange, name), method, queue=queue, exchange=exchange,
                routing_key="#")


def test_only_topic_exchanges_have_topics(t):
    exchange = t.exchange(t.channel(), "direct")
    name = user(t, write=".*")
    topics(t, name, exchange, write="^$")
    published(wire(t, name), exchange, "key")


def test_an_exchange_that_becomes_a_topic_exchange_has_topics(t):
    if not t.shunt:
        raise Skip("RabbitMQ does not look again")
    exchange = t.exchange(t.channel(), "direct")
    name = user(t, write=".*")
    topics(t, name, exchange, write="^$")
    client = wire(t, name)
    published(client, exchange, "key")
    t.channel().exchange_delete(exchange)
    t.exchange(t.channel(), "topic", exchange=exchange)
    publish_refused(client, topic_text_of(t, "write", "key", exchange, name), exchange, "key")


def test_topic_permissions_know_the_user(t):
    exchange = t.exchange(t.channel(), "topic")
    name = user(t, write=".*")
    topics(t, name, exchange, write="^{username}-{vhost}$")
    client = wire(t, name)
    published(client, exchange, "%s-%s" % (name, t.broker.vhost))
    publish_refused(client, topic_text_of(t, "write", "other-/", exchange, name), exchange, "other-/")


def test_carbon_copies_are_topics_too(t):
    if t.rabbit3:
        raise Skip("RabbitMQ asks since 4.0")
    exchange = t.exchange(t.channel(), "topic")
    name = user(t, write=".*")
    topics(t, name, exchange, write="^a$")
    client = wire(t, name)
    other = t.exchange(t.channel(), "topic")
    for header in ("CC", "BCC"):
        published(client, exchange, "a", properties={"headers": {header: ["a", "a"]}})
        published(client, other, "b", properties={"headers": {header: ["c"]}})
        publish_refused(client, topic_text_of(t, "write", "b", exchange, name), exchange, "a",
                        properties={"headers": {header: ["a", "b"]}})
