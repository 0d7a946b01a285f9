# SPDX-License-Identifier: MIT
"""What a user may do: the permissions that each operation needs, in which order they are looked at, and the texts of
refusals; user-id; limits of users; what becomes of a user's connections when he is changed or deleted."""

import re

from lib.case import Skip
from lib.runner import limit
from lib.shuntctl import ctl

SECRET = "s3cret"


def user(t, configure="^$", write="^$", read="^$", tags=None):
    """A user with these permissions in the vhost of the tests."""
    name = t.name("u")
    ctl(t, "add_user", name, SECRET)
    t.cleanup(lambda: delete(t, name))
    allow(t, name, configure, write, read)
    if tags:
        ctl(t, "set_user_tags", name, *tags)
    return name


def delete(t, name):
    if name in ctl(t, "-q", "list_users"):
        ctl(t, "delete_user", name)


def allow(t, name, configure="^$", write="^$", read="^$"):
    ctl(t, "set_permissions", "-p", t.broker.vhost, name, configure, write, read)


def only(*names):
    return "^(%s)$" % "|".join(re.escape(name) for name in names)


def wire(t, name, **options):
    return t.wire(user=name, password=SECRET, **options)


def text_of(t, verb, kind, resource, name):
    """RabbitMQ 3.x does not say which permission."""
    rest = "access to %s '%s' in vhost '%s' refused for user '%s'" % (kind, resource, t.broker.vhost, name)
    return "ACCESS_REFUSED - " + rest if t.rabbit3 else "ACCESS_REFUSED - %s %s" % (verb, rest)


def topic_text_of(t, verb, key, exchange, name):
    rest = ("access to topic '%s' in exchange '%s' in vhost '%s' refused for user '%s'"
            % (key, exchange, t.broker.vhost, name))
    return "ACCESS_REFUSED - " + rest if t.rabbit3 else "ACCESS_REFUSED - %s %s" % (verb, rest)


def refused(client, text, method, **fields):
    client.send(1, method, **fields)
    client.expect_channel_close(1, 403, text, method)
    client.open_channel(1)


def publish_refused(client, text, *arguments, **options):
    client.publish(1, *arguments, **options)
    client.expect_channel_close(1, 403, text, "basic.publish")
    client.open_channel(1)


def published(client, *arguments, **options):
    """It was allowed: the channel goes on."""
    client.publish(1, *arguments, **options)
    client.call(1, "basic.qos", prefetch_count=0)


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

def topics(t, name, exchange, write=".*", read=".*"):
    ctl(t, "set_topic_permissions", "-p", t.broker.vhost, name, exchange, write, read)


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


# ---- What changes while a connection lasts ----

def test_a_permission_that_is_taken_away_is_gone_at_once(t):
    if not t.shunt:
        raise Skip("RabbitMQ's channels remember")
    exchange, queue = t.exchange(t.channel()), t.queue(t.channel(), exclusive=False)
    name = user(t, configure=".*", write=".*", read=".*")
    client = wire(t, name)
    published(client, exchange, "key")
    assert client.get(1, queue) is None
    client.call(1, "queue.declare", queue=queue)
    allow(t, name)
    publish_refused(client, text_of(t, "write", "exchange", exchange, name), exchange, "key")
    refused(client, text_of(t, "read", "queue", queue, name), "basic.get", queue=queue)
    refused(client, text_of(t, "read", "queue", queue, name), "basic.consume", queue=queue)
    refused(client, text_of(t, "configure", "queue", queue, name), "queue.declare", queue=queue)
    allow(t, name, write=".*")
    published(client, exchange, "key")


def test_topic_permissions_hold_at_once(t):
    if not t.shunt:
        raise Skip("RabbitMQ's channels remember")
    exchange = t.exchange(t.channel(), "topic")
    name = user(t, write=".*")
    client = wire(t, name)
    published(client, exchange, "a")
    topics(t, name, exchange, write="^b$")
    publish_refused(client, topic_text_of(t, "write", "a", exchange, name), exchange, "a")
    ctl(t, "clear_topic_permissions", "-p", t.broker.vhost, name)
    published(client, exchange, "a")


def test_a_running_consumer_goes_on_without_the_permission(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    name = user(t, read=".*")
    client = wire(t, name)
    client.call(1, "basic.consume", queue=queue, no_ack=True)
    ctl(t, "clear_permissions", "-p", t.broker.vhost, name)
    channel.basic_publish("", queue, b"still")
    assert client.read_message().body == b"still"


def test_the_connections_of_a_deleted_user_are_closed(t):
    name = user(t)
    clients = [wire(t, name) for _ in range(5)]
    other = t.wire()
    ctl(t, "delete_user", name)
    for client in clients:
        client.expect_connection_close(320, "CONNECTION_FORCED - user '%s' is deleted" % name)
    other.call(1, "basic.qos", prefetch_count=1)


# ---- Who may enter ----

def open_refused(t, name, text, vhost=None):
    client = t.socket()
    client.start(user=name, password=SECRET)
    client.tune()
    client.send(0, "connection.open", virtual_host=vhost or t.broker.vhost)
    client.expect_connection_close(530, text, "connection.open")


def test_a_vhost_needs_some_permission(t):
    name = user(t)
    wire(t, name)
    ctl(t, "clear_permissions", "-p", t.broker.vhost, name)
    open_refused(t, name, "NOT_ALLOWED - access to vhost '%s' refused for user '%s'" % (t.broker.vhost, name))


def test_a_user_has_so_many_connections(t):
    name = user(t)
    ctl(t, "set_user_limits", name, '{"max-connections": 2}')
    text = "NOT_ALLOWED - connection refused for user '%s': user connection limit (2) is reached" % name
    clients = [wire(t, name) for _ in range(2)]
    open_refused(t, name, text)
    t.wire()
    clients[0].close()

    def is_let_in():   # RabbitMQ counts a little later
        client = t.socket()
        client.start(user=name, password=SECRET)
        client.tune()
        client.send(0, "connection.open", virtual_host=t.broker.vhost)
        return client.read_method("connection.open-ok", "connection.close", channel=0).name == "connection.open-ok"
    if t.shunt:
        assert is_let_in()
    else:
        t.wait(is_let_in, "a place")
    open_refused(t, name, text)


def test_a_place_is_given_back_however_a_connection_ends(t):
    name = user(t)
    ctl(t, "set_user_limits", name, '{"max-connections": 1}')

    def is_let_in():
        client = t.socket()
        client.start(user=name, password=SECRET)
        client.tune()
        client.send(0, "connection.open", virtual_host=t.broker.vhost)
        answer = client.read_method("connection.open-ok", "connection.close", channel=0)
        kept.append(client)
        return answer.name == "connection.open-ok"
    kept = []
    t.wait(is_let_in, "a place at first")
    for end in ("cut", "error", "refused", "close"):
        client = kept.pop()
        if end == "cut":
            client.close_socket()
        elif end == "error":
            client.send(1, "channel.open")
            client.send(1, "channel.open")
            client.read_method("channel.open-ok")
            client.expect_connection_close(504)
        elif end == "refused":   # who is refused has had none
            open_refused(t, name, None)
            client.close()
        else:
            client.close()
        t.wait(is_let_in, "a place after %s" % end)


def test_a_user_with_limit_zero_cannot_enter(t):
    name = user(t)
    ctl(t, "set_user_limits", name, '{"max-connections": 0}')
    open_refused(t, name, "NOT_ALLOWED - connection refused for user '%s': user connection limit (0) is reached" % name)


def test_a_missing_vhost_comes_before_the_users_limit(t):
    name = user(t)
    ctl(t, "set_user_limits", name, '{"max-connections": 0}')
    open_refused(t, name, "NOT_ALLOWED - vhost no-such not found", vhost="no-such")


def test_a_user_has_so_many_channels(t):
    name = user(t)
    ctl(t, "set_user_limits", name, '{"max-channels": 3}')
    first, second = wire(t, name), wire(t, name)
    second.open_channel(2)
    text = ("NOT_ALLOWED - number of channels opened for user '%s' has reached the maximum allowed user limit of (3)"
            % name)
    if not t.shunt:   # counts a little later
        t.wait(lambda: ctl(t, "-q", "list_channels", "user").split().count(name) == 3, "three channels")
    first.send(2, "channel.open")
    first.expect_connection_close(530, text)
    if t.shunt:   # that of the connection which was closed is free again
        second.open_channel(3)
        third = t.socket().handshake(user=name, password=SECRET)
        third.send(1, "channel.open")
        third.expect_connection_close(530, text)
        second.call(2, "channel.close")
        wire(t, name)


# ---- user-id ----

def test_a_user_id_is_the_users_own(t):
    name = user(t, write=".*")
    client = wire(t, name)
    published(client, "", "nowhere", properties={"user_id": name})
    client.publish(1, "", "nowhere", properties={"user_id": "somebody"})
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user "
                                "was '%s'" % name, "basic.publish")


@limit(40)
def test_an_impersonator_may_use_any_user_id(t):
    name = user(t, write=".*", tags=["monitoring", "impersonator"])
    published(wire(t, name), "", "nowhere", properties={"user_id": "somebody"})
    name = user(t, write=".*", tags=["impersonator2"])
    client = wire(t, name)
    client.publish(1, "", "nowhere", properties={"user_id": "somebody"})
    client.expect_channel_close(1, 406)


# ---- Vhosts ----

def vhost(t, name):
    """A vhost of the test's own, in which the user of the tests and `name` may do all."""
    own = t.name("v")
    ctl(t, "add_vhost", own)
    t.cleanup(lambda: own in ctl(t, "-q", "list_vhosts") and ctl(t, "delete_vhost", own))
    for somebody in (t.broker.user, name):
        ctl(t, "set_permissions", "-p", own, somebody, ".*", ".*", ".*")
    return own


@limit(60)
def test_a_vhost_has_so_many_connections(t):
    name = user(t)
    own = vhost(t, name)
    ctl(t, "set_vhost_limits", "-p", own, '{"max-connections": 1}')
    ctl(t, "set_user_limits", name, '{"max-connections": 0}')
    t.wire(vhost=own)
    open_refused(t, name, "NOT_ALLOWED - access to vhost '%s' refused for user '%s': connection limit (1) is reached"
                 % (own, name), vhost=own)
    ctl(t, "set_vhost_limits", "-p", own, '{"max-connections": -1}')
    open_refused(t, name, "NOT_ALLOWED - connection refused for user '%s': user connection limit (0) is reached" % name,
                 vhost=own)


@limit(60)
def test_the_connections_of_a_deleted_vhost_are_closed(t):
    name = user(t)
    own = vhost(t, name)
    clients = [wire(t, name, vhost=own) for _ in range(4)] + [wire(t, name)]
    clients[0].call(1, "queue.declare", queue="kept", durable=True)
    clients[1].call(1, "queue.declare", queue="own", exclusive=True)
    clients[1].call(1, "basic.consume", queue="own")
    ctl(t, "delete_vhost", own)
    for client in clients[:4]:
        client.expect_connection_close(320, "CONNECTION_FORCED - vhost '%s' is deleted" % own)
    clients[4].call(1, "basic.qos", prefetch_count=1)
    open_refused(t, name, "NOT_ALLOWED - vhost %s not found" % own, vhost=own)


# ---- The audit trail ----

def audit_lines(broker, event):
    with open(broker.log_path, encoding="utf-8") as log:
        return [match.group(1) for match in re.finditer(r" audit\S*: event=%s (.*)" % re.escape(event), log.read())]


def test_refusals_are_audited(t):
    broker = t.shuntd()
    ctl(t, "add_user", "lim\"ited", SECRET, broker=broker)
    ctl(t, "set_permissions", "lim\"ited", "", "", "", broker=broker)
    client = t.wire_to(broker, user="lim\"ited", password=SECRET)
    client.send(1, "queue.declare", queue="a\nqueue\x1b")
    client.expect_channel_close(1, 403)
    line, = audit_lines(broker, "access.refused")
    assert re.fullmatch(r'by="lim\\"ited" from="127\.0\.0\.1:\d+ -> 127\.0\.0\.1:%d" vhost="/" operation=configure '
                        r'queue="aqueue\\x1b"' % broker.port, line), line


def test_a_refused_dead_letter_exchange_is_audited(t):
    broker = t.shuntd()
    ctl(t, "add_user", "limited", SECRET, broker=broker)
    ctl(t, "set_permissions", "limited", ".*", "", ".*", broker=broker)
    client = t.wire_to(broker, user="limited", password=SECRET)
    client.send(1, "queue.declare", queue="q", arguments={"x-dead-letter-exchange": "dead"})
    client.expect_channel_close(1, 403)
    line, = audit_lines(broker, "access.refused")
    assert line.endswith(' vhost="/" operation=declare queue="q"'), line


def test_refusals_at_the_door_are_audited(t):
    broker = t.shuntd()
    ctl(t, "add_user", "nobody", SECRET, broker=broker)
    client = t.socket_to(broker)
    client.start(user="nobody", password=SECRET)
    client.tune()
    client.send(0, "connection.open", virtual_host="/")
    client.expect_connection_close(530)
    line, = audit_lines(broker, "access.refused")
    assert line.startswith('by="nobody" from="127.0.0.1:') and line.endswith(' operation=connect vhost="/"'), line


def test_durable_definitions_are_audited_and_others_are_not(t):
    broker = t.shuntd()
    client = t.wire_to(broker)
    for _ in range(2):   # the second time nothing changes
        client.call(1, "queue.declare", queue="kept", durable=True)
        client.call(1, "exchange.declare", exchange="kept", type="topic", durable=True)
        client.call(1, "queue.bind", queue="kept", exchange="kept", routing_key="a.#")
    client.call(1, "queue.declare", queue="passing")
    client.call(1, "exchange.declare", exchange="passing", type="topic")
    client.call(1, "queue.bind", queue="passing", exchange="kept", routing_key="a")
    client.call(1, "queue.delete", queue="passing")
    client.call(1, "exchange.delete", exchange="passing")
    client.call(1, "exchange.declare", exchange="other", type="fanout", durable=True)
    client.call(1, "exchange.bind", destination="other", source="kept", routing_key="b")
    client.call(1, "queue.unbind", queue="kept", exchange="kept", routing_key="a.#")
    for _ in range(2):
        client.call(1, "exchange.delete", exchange="kept")
        client.call(1, "queue.delete", queue="kept")
    actor = r'by="guest" from="127\.0\.0\.1:\d+ -> 127\.0\.0\.1:%d" vhost="/" ' % broker.port
    binding = r'source="kept" queue="kept" routing_key="a\.#"'
    expected = {
        "queue.created": ['name="kept"'],
        "exchange.created": ['name="kept"', 'name="other"'],
        "binding.created": [binding, r'source="kept" exchange="other" routing_key="b"'],
        "binding.deleted": [binding],
        "exchange.deleted": ['name="kept"'],
        "queue.deleted": ['name="kept"'],
    }
    for event, patterns in expected.items():
        lines = audit_lines(broker, event)
        assert len(lines) == len(patterns), (event, lines)
        for pattern, line in zip(patterns, lines):
            assert re.fullmatch(actor + pattern, line), (event, line)
