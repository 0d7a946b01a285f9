# SPDX-License-Identifier: MIT
"""Scripts that come with Shunt, in a broker: each does what its first lines promise."""

import os
import re

from lib.shuntctl import ctl
from lib.wire import Closed

from lua.scripted import client_of, counts, wait_for_log

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "lua-scripts")


def serve(t, name, *settings, loops=2):
    return t.shuntd("scripts.dir=" + SCRIPTS, "script=" + name,
                    *["script.%s.%s" % (name, setting) for setting in settings], loops=loops)


def exchange(client, kind, arguments=None, **bindings):
    """QUEUE={routing_key=, arguments=}"""
    client.call(1, "exchange.declare", exchange="x", type=kind, arguments=arguments or {})
    for queue, how in bindings.items():
        client.call(1, "queue.declare", queue=queue)
        client.call(1, "queue.bind", queue=queue, exchange="x", **how)


def test_by_json_field(t):
    client = client_of(t, serve(t, "by-json-field"))
    exchange(client, "x-json-field", {"field": "order.country", "fallback": "rest"},
             germany={"routing_key": "de"}, others={"routing_key": "rest"})
    client.publish(1, "x", "", b'{"order": {"country": "de"}}')
    client.publish(1, "x", "", b'{"order": {}}')
    client.publish(1, "x", "", b'not JSON')
    assert counts(client, "germany", "others") == [1, 2]
    client.send(1, "exchange.declare", exchange="y", type="x-json-field")
    client.expect_channel_close(1, 406, re.compile("field"), "exchange.declare")


def test_by_header_range(t):
    client = client_of(t, serve(t, "by-header-range"))
    exchange(client, "x-header-range", {"header": "amount"}, small={"arguments": {"below": 100}},
             large={"arguments": {"from": 100}})
    for amount in (1, 99, 100, 5000):
        client.publish(1, "x", "", b"m", {"headers": {"amount": amount}})
    client.publish(1, "x", "", b"m")
    assert counts(client, "small", "large") == [2, 2]
    client.send(1, "queue.bind", queue="small", exchange="x", arguments={"from": 2, "below": 1})
    client.expect_channel_close(1, 406, re.compile("nothing would match"), "queue.bind")


def test_canary(t):
    client = client_of(t, serve(t, "canary"))
    exchange(client, "x-canary", {"sticky": "customer"}, old={"routing_key": "80"}, new={"routing_key": "20"})
    for number in range(500):
        client.publish(1, "x", "", b"m", {"headers": {"customer": "c%d" % (number % 250)}})
    old, new = counts(client, "old", "new")
    # each customer has published twice, and went the same way
    assert old + new == 500 and old % 2 == 0 and 40 <= new <= 180, (old, new)


def test_closed_hours(t):
    # at any time of the day
    broker = serve(t, "closed-hours", "user=guest", "exchange=orders", "from=0", "until=24")
    client = client_of(t, broker, "q")
    client.call(1, "exchange.declare", exchange="orders", type="direct")
    client.publish(1, "orders", "k", b"m")
    client.expect_channel_close(1, 403, re.compile("ACCESS_REFUSED.*closed for guest from 0 to 24"), "basic.publish")
    client.open_channel(1)
    client.publish(1, "", "q", b"m")
    assert counts(client, "q") == [1]


def test_rate_limit(t):
    broker = serve(t, "rate-limit", "per_second=0.001", "burst=5")
    client = client_of(t, broker, "q", confirms=True)
    # two connections, which may be on two loops, have one limit
    other = client_of(t, broker, confirms=True)
    for _ in range(4):
        client.publish(1, "", "q", b"m")
        other.publish(1, "", "q", b"m")
    verdicts = [confirms_of(one, 4) for one in (client, other)]
    assert sum(acked for acked, _ in verdicts) == 5, verdicts
    assert sum(nacked for _, nacked in verdicts) == 3, verdicts
    assert counts(client, "q") == [5]


def confirms_of(client, total):
    """How many of so many publishes, the first ones of the channel, were acked, and nacked."""
    verdicts = {}
    while len(verdicts) < total:
        method = client.read_method("basic.ack", "basic.nack", channel=1)
        first = 1 if method.multiple else method.delivery_tag
        for tag in range(first, method.delivery_tag + 1):
            verdicts.setdefault(tag, method.name)
    names = list(verdicts.values())
    return names.count("basic.ack"), names.count("basic.nack")


def test_redact_header(t):
    broker = serve(t, "redact-header", "headers=iban,card", "replacement=***", "on_error.deliver=deny")
    client = client_of(t, broker, "q")
    client.publish(1, "", "q", b"m", {"headers": {"iban": "DE02", "country": "de"}})
    assert client.get(1, "q").properties["headers"] == {"iban": "***", "country": "de"}


def test_tenant_isolation(t):
    broker = serve(t, "tenant-isolation")
    admin = client_of(t, broker)
    admin.call(1, "queue.declare", queue="other.q")
    ctl(t, "add_user", "acme.alice", "secret", broker=broker)
    ctl(t, "set_permissions", "acme.alice", ".*", ".*", ".*", broker=broker)
    client = client_of(t, broker, "acme.q", user="acme.alice", password="secret")
    client.send(1, "basic.consume", queue="other.q")
    client.expect_channel_close(1, 403, re.compile("it belongs to another tenant"), "basic.consume")


def test_login_table(t):
    digest = "9f47631370cb270635c9e68e53e991392a0b6fd8d122b8cf909f8d201ee93f88"
    broker = serve(t, "login-table", "password.guest2=7f3a:" + digest)
    try:
        client_of(t, broker, user="guest2", password="wrong")
        raise AssertionError("got in")
    except (Closed, AssertionError) as error:
        assert "got in" not in str(error)
    wait_for_log(t, broker, "wrong password")
    client = t.socket_to(broker)
    client.start(user="guest2", password="correct horse battery staple")
    client.tune()


def test_heartbeat(t):
    broker = serve(t, "heartbeat", "routing_key=beats", "seconds=0.05")
    client = client_of(t, broker, "beats")
    client.call(1, "basic.consume", queue="beats", no_ack=True)
    for _ in range(3):
        message = client.read_message()
        assert message.properties["content_type"] == "application/json" and b'"count":' in message.body, message


def test_all_of_them_together(t):
    """Those that need settings have them; none is in the way of another."""
    names = sorted(name[:-4] for name in os.listdir(SCRIPTS) if name.endswith(".lua"))
    settings = []
    for name in names:
        with open(os.path.join(SCRIPTS, name + ".lua"), encoding="utf-8") as f:
            shown = re.search(r"^-- In shunt.conf:\n((?:--\t.*\n)*)", f.read(), re.MULTILINE).group(1)
        settings += [line[3:].replace(" = ", "=") for line in shown.splitlines()]
    broker = t.shuntd("scripts.dir=" + SCRIPTS, *settings)
    client = client_of(t, broker)
    exchange(client, "x-region", germany={"routing_key": "u"}, berlin={"routing_key": "u33"})
    client.publish(1, "x", "u33dc0", b"m")
    client.publish(1, "x", "u2", b"m")
    assert counts(client, "germany", "berlin") == [1, 1]
