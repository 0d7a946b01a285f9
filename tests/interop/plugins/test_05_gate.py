# SPDX-License-Identifier: MIT
"""An access policy of a third party, x_gate.c, that answers logins from a thread of its own; its timer; its end."""

import os
import shutil
import signal

from lib import sdk, wire
from lib.runner import slow
from lib.shuntctl import ctl

HERE = os.path.dirname(os.path.abspath(__file__))
SHIPPED = ["plugin=exchange-direct", "plugin=exchange-fanout", "plugin=exchange-topic", "plugin=exchange-headers"]
REFUSED = ("ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker "
           "logfile.")


def gated(t, *options, loops=2):
    defines = ["PEER_IS_TLS=true"] if t.broker.tls else []
    gate = sdk.build(t, os.path.join(HERE, "x_gate.c"), defines=defines)
    return t.shuntd(*SHIPPED, "plugin=" + gate, *options, loops=loops)


def login(t, broker, user):
    """A client that has said who it is, and has no answer yet."""
    client = t.socket_to(broker)
    client.start(user=user)
    return client


def denied(t, broker, user):
    login(t, broker, user).expect_connection_close(403, REFUSED)


def test_allowed_later(t):
    broker = gated(t)
    for user in ("allow", "allow-me-too"):
        client = t.wire_to(broker, user=user, password="anything")
        client.call(1, "queue.declare", queue="q." + user)
    t.wait(lambda: 'connection opened: name="' in broker.log_tail() and 'user="allow-me-too"' in broker.log_tail(),
           "the name in the log")
    assert "strange peer" not in broker.log_tail() and "answered twice" not in broker.log_tail(), broker.log_tail()


def test_denied_later(t):
    """With RabbitMQ's text; the reason is for the log."""
    broker = gated(t)
    denied(t, broker, "deny")
    t.wait(lambda: 'PLAIN login refused: the gate is shut: name="' in broker.log_tail(), "the reason in the log")


def test_user_with_a_nul(t):
    """Cut at it the name would be another user's."""
    broker = gated(t)
    for user in ("allow\0x", "\0allow", "guest\0"):
        client = t.socket_to(broker)
        client.start(mechanism="AMQPLAIN", response=wire.encode_table({"LOGIN": user, "PASSWORD": "guest"})[4:])
        client.expect_connection_close(403, REFUSED.replace("PLAIN", "AMQPLAIN"))
    t.wait(lambda: 'AMQPLAIN login refused: malformed response: name="' in broker.log_tail(), "the reason in the log")


def test_passed_on(t):
    """guest is passed on to the users of the configuration; so is one whom they do not know."""
    broker = gated(t)
    t.wire_to(broker)
    denied(t, broker, "next")
    t.wait(lambda: "user 'next' - invalid credentials" in broker.log_tail(), "the reason in the log")


def test_what_follows_a_login_waits_for_it(t):
    """A client that sends all of its handshake at once."""
    broker = gated(t)
    client = login(t, broker, "allow")
    client.send(0, "connection.tune-ok", channel_max=10, frame_max=131072, heartbeat=0)
    client.send(0, "connection.open", virtual_host="/")
    client.send(1, "channel.open")
    client.read_method("connection.tune", channel=0)
    client.read_method("connection.open-ok", channel=0)
    client.read_method("channel.open-ok", channel=1)


def test_many_at_once(t):
    broker = gated(t, loops=4)
    users = [kind for _ in range(25) for kind in ("allow", "deny", "next", "guest")]
    clients = [(user, login(t, broker, user)) for user in users]
    for user, client in clients:
        if user in ("allow", "guest"):
            client.tune()
            client.call(0, "connection.open", virtual_host="/")
        else:
            client.expect_connection_close(403, REFUSED)
    assert "answered twice" not in broker.log_tail(), broker.log_tail()


def test_held_and_let_in(t):
    broker = gated(t)
    client = login(t, broker, "hold")
    t.wait(lambda: "holding: user=hold" in broker.log_tail(), "the login to be held")
    denied(t, broker, "free")
    client.tune()
    client.call(0, "connection.open", virtual_host="/")
    t.wait(lambda: "held: user=hold result=0" in broker.log_tail(), "the answer")


@slow
def test_client_gone_while_its_login_is_held(t):
    """The policy is told that nobody waits any more."""
    broker = gated(t, "handshake_timeout=2500")
    client = login(t, broker, "hold")
    t.wait(lambda: "holding: user=hold" in broker.log_tail(), "the login to be held")
    client.close_socket()
    told_once = "held: user=hold result="
    t.wait(lambda: not listed(t, broker), "the connection to go")
    denied(t, broker, "free")
    t.wait(lambda: told_once in broker.log_tail(), "the policy to be told")
    assert told_once + "-1" in broker.log_tail(), broker.log_tail()


def listed(t, broker):
    """The connections that there are."""
    return ctl(t, "list_connections", "name", "--quiet", broker=broker).split()


@slow
def test_logins_that_are_never_answered(t):
    """They end by the handshake's timeout; the broker stops in good order with some of them pending."""
    broker = gated(t, "handshake_timeout=2000")
    client = login(t, broker, "hold-one")
    client.expect_end_of_stream()
    login(t, broker, "hold-two")
    t.wait(lambda: "holding: user=hold-two" in broker.log_tail(), "the login to be held")
    broker.end()
    said = broker.log_tail()
    assert "held: user=hold-one result=-1" in said and "held: user=hold-two result=-1" in said, said
    assert "x-gate: stopped" in said and "pending" not in said, said


def test_permissions(t):
    broker = gated(t)
    client = t.wire_to(broker, user="allow")
    client.publish(1, "forbidden", "k", b"m")
    client.expect_channel_close(
        1, 403, "ACCESS_REFUSED - write access to exchange 'forbidden' in vhost '/' refused for user 'allow'",
        "basic.publish")
    client.open_channel(1)
    client.send(1, "exchange.declare", exchange="forbidden", type="direct")
    client.expect_channel_close(
        1, 403, "ACCESS_REFUSED - configure access to exchange 'forbidden' in vhost '/' refused for user 'allow'",
        "exchange.declare")
    client.open_channel(1)
    client.call(1, "queue.declare", queue="q")
    client.send(1, "queue.bind", queue="q", exchange="forbidden", routing_key="k")
    client.expect_channel_close(
        1, 403, "ACCESS_REFUSED - read access to exchange 'forbidden' in vhost '/' refused for user 'allow'",
        "queue.bind")


def test_vhost_is_refused(t):
    broker = gated(t, "default_vhost=hidden")
    client = login(t, broker, "allow")
    client.tune()
    client.send(0, "connection.open", virtual_host="hidden")
    client.expect_connection_close(530, "NOT_ALLOWED - access to vhost 'hidden' refused for user 'allow'")


def test_arguments_are_shown_to_the_policy(t):
    broker = gated(t)
    client = t.wire_to(broker, user="allow")
    client.call(1, "queue.declare", queue="q", arguments={"x-open": True})
    client.send(1, "queue.declare", queue="r", arguments={"x-secret": True})
    client.expect_channel_close(
        1, 403, "ACCESS_REFUSED - configure access to queue 'r' in vhost '/' refused for user 'allow'",
        "queue.declare")


def test_answers_that_change(t):
    """What a channel remembers is forgotten when the policy says so."""
    broker = gated(t)
    client = t.wire_to(broker, user="allow")
    other = t.wire_to(broker)
    for each in (client, other):
        each.publish(1, "amq.fanout", "k", b"m")
        each.call(1, "queue.declare", queue="q")
    denied(t, broker, "lock")
    client.publish(1, "amq.fanout", "k", b"m")
    client.expect_channel_close(
        1, 403, "ACCESS_REFUSED - write access to exchange 'amq.fanout' in vhost '/' refused for user 'allow'",
        "basic.publish")
    other.publish(1, "amq.fanout", "k", b"m")
    other.call(1, "queue.declare", queue="q")


def test_topics(t):
    broker = gated(t)
    client = t.wire_to(broker, user="allow")
    client.call(1, "queue.declare", queue="q")
    for key in ("a.open", "a.secret"):
        client.publish(1, "amq.direct", key, b"m")
    client.publish(1, "amq.topic", "a.open", b"m")
    client.call(1, "queue.bind", queue="q", exchange="amq.topic", routing_key="a.*")
    client.publish(1, "amq.topic", "a.open", b"m")
    client.publish(1, "amq.topic", "a.secret", b"n")
    text = ("ACCESS_REFUSED - %s access to topic 'a.secret' in exchange 'amq.topic' in vhost '/' refused for user "
            "'allow'")
    client.expect_channel_close(1, 403, text % "write", "basic.publish")
    client.open_channel(1)
    assert client.get(1, "q").body == b"m" and client.get(1, "q") is None
    client.send(1, "queue.bind", queue="q", exchange="amq.topic", routing_key="a.secret")
    client.expect_channel_close(1, 403, text % "read", "queue.bind")


def test_topics_of_copies(t):
    """The keys of CC and BCC headers are asked about as well."""
    broker = gated(t)
    client = t.wire_to(broker, user="allow")
    client.publish(1, "amq.topic", "a.open", b"m", {"headers": {"CC": ["a.b"], "BCC": ["a.c"]}})
    client.call(1, "queue.declare", queue="q")
    for header in ("CC", "BCC"):
        client.publish(1, "amq.topic", "a.open", b"m", {"headers": {header: ["a.b", "a.secret"]}})
        client.expect_channel_close(
            1, 403, "ACCESS_REFUSED - write access to topic 'a.secret' in exchange 'amq.topic' in vhost '/' refused "
            "for user 'allow'")
        client.open_channel(1)


def test_exchange_that_becomes_one_of_topics(t):
    """What a channel remembers of the exchange of that name does not let it pass."""
    broker = gated(t)
    client = t.wire_to(broker, user="allow")
    client.call(1, "exchange.declare", exchange="e", type="direct")
    client.publish(1, "e", "a.secret", b"m")
    client.call(1, "exchange.delete", exchange="e")
    client.call(1, "exchange.declare", exchange="e", type="topic")
    client.publish(1, "e", "a.open", b"m")
    client.publish(1, "e", "a.secret", b"m")
    client.expect_channel_close(
        1, 403, "ACCESS_REFUSED - write access to topic 'a.secret' in exchange 'e' in vhost '/' refused for user "
        "'allow'", "basic.publish")


def test_timer(t):
    broker = gated(t)
    t.wait(lambda: "tick: user=- result=3" in broker.log_tail(), "the third tick")
    t.wire_to(broker)
    assert "tick: user=- result=4" not in broker.log_tail(), broker.log_tail()


# ---- Files

def test_overwritten_while_it_runs(t):
    """A private copy is open: what becomes of the installed file does no harm."""
    path = sdk.build(t, os.path.join(HERE, "x_gate.c"))
    broker = t.shuntd(*SHIPPED, "plugin=" + path)
    copies = os.path.join(broker.directory, "data", "plugins")
    assert any(name.endswith("-x_gate.so") for name in os.listdir(copies)), os.listdir(copies)
    with open(path, "r+b") as f:
        f.write(b"\0" * os.path.getsize(path))
    t.wire_to(broker, user="allow")
    os.truncate(path, 0)
    denied(t, broker, "deny")
    t.wire_to(broker, user="allow").call(1, "exchange.declare", exchange="e", type="topic")
    broker.end()
    assert os.listdir(copies) == []


def test_copies_of_a_broker_that_was_killed(t):
    """They are gone after the next start."""
    broker = gated(t)
    copies = os.path.join(broker.directory, "data", "plugins")
    with open(os.path.join(copies, "left-over.so"), "wb") as f:
        f.write(b"x")
    before = len(os.listdir(copies))
    broker.end(signal.SIGKILL)
    broker.launch()
    assert len(os.listdir(copies)) == before - 1, os.listdir(copies)


# ---- Optional plugins

def test_optional_plugin_that_is_missing(t):
    path = os.path.join(sdk.folder(t), "x_missing.so")
    broker = t.shuntd(*SHIPPED, "plugin=" + path, "plugin.x_missing.optional=true", "plugin.x_missing.depth=3")
    line = ("W plugin[0]: started without it: -o: cannot load plugin '%s': %s: cannot open shared object file: No such "
            "file or directory" % (path, path))
    assert line in broker.log_tail(), broker.log_tail()
    t.wire_to(broker).call(1, "exchange.declare", exchange="e", type="topic")


def test_exchanges_of_an_optional_plugin_stay_defined(t):
    """Without it they refuse publishes; with it they are as they were."""
    installed = sdk.build(t, os.path.join(HERE, "x_prefix.c"))
    kept = installed + ".kept"
    broker = t.shuntd(*SHIPPED, "plugin=" + installed, "plugin.x-prefix.optional=true",
                      "plugin.x_prefix.optional=true", "plugin.x-prefix.min-length=1")
    client = t.wire_to(broker)
    client.call(1, "exchange.declare", exchange="e", type="x-prefix", durable=True)
    client.call(1, "queue.declare", queue="q", durable=True)
    client.call(1, "queue.bind", queue="q", exchange="e", routing_key="a")
    shutil.move(installed, kept)
    broker.end()
    broker.launch()
    client = t.wire_to(broker)
    client.call(1, "exchange.declare", exchange="e", passive=True)
    client.publish(1, "e", "abc", b"m")
    client.expect_channel_close(
        1, 406, "PRECONDITION_FAILED - the type 'x-prefix' of exchange 'e' in vhost '/' is not loaded", "basic.publish")
    shutil.move(kept, installed)
    broker.end()
    broker.launch()
    client = t.wire_to(broker)
    client.publish(1, "e", "abc", b"m")
    assert client.get(1, "q").body == b"m"
