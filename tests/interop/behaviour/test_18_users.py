# SPDX-License-Identifier: MIT
"""Users and vhosts while connections last: what is taken away, limits, user ids, ends, the audit trail."""

import re

from lib.case import Skip
from lib.runner import limit
from lib.shuntctl import ctl
from lib.users import SECRET, allow, publish_refused, published, refused, text_of, topic_text_of, topics, user, wire


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


def test_an_impersonator_is_none_without_the_tag(t):
    if not t.shunt:
        raise Skip("RabbitMQ's connections keep their tags")
    name = user(t, write=".*")
    client = wire(t, name)
    ctl(t, "set_user_tags", name, "impersonator")
    published(client, "", "nowhere", properties={"user_id": "somebody"})
    ctl(t, "set_user_tags", name, "monitoring")
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


def forced_text(client):
    """RabbitMQ may delete the queues before it closes the connections, and waits for no answer then."""
    while True:
        method = client.read_method("basic.cancel", "connection.close")
        if method.name == "connection.close":
            return method.reply_text


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
        text = forced_text(client)
        reasons = ("deleted",) if t.shunt else ("deleted", "down")   # RabbitMQ: whichever it notices first
        assert text in ["CONNECTION_FORCED - vhost '%s' is %s" % (own, reason) for reason in reasons], text
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
