# SPDX-License-Identifier: MIT
"""Answers that are remembered by what an exchange type says they depend on, and what plugins are told of messages."""

import json
import os
import threading

from lib import sdk
from lib.shuntctl import ctl
from lib.wire import Typed

from plugins.hooked import FOUR, confirmed, counts

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "x_depends.c")


def serve(t, loops=1):
    path = sdk.build(t, SOURCE)
    return t.shuntd(*FOUR, "plugin=" + path, loops=loops), path


def begin(t, kind, *queues, loops=1):
    """A client, an exchange "e" of the type, and a queue bound by its own name each."""
    broker, _ = serve(t, loops)
    client = t.wire_to(broker)
    client.call(1, "exchange.declare", exchange="e", type=kind)
    for queue in queues:
        client.call(1, "queue.declare", queue=queue)
        bind(client, queue)
    return broker, client


def bind(client, queue, method="queue.bind", exchange="e"):
    client.call(1, method, queue=queue, exchange=exchange, routing_key=queue)


def publish(client, tenant, key="k", **properties):
    headers = {} if tenant is None else {"tenant": tenant}
    client.publish(1, "e", key, b"m", dict(properties, headers=headers))


def asked(t, broker):
    info = json.loads(ctl(t, "plugin", "info", "x-depends", "--formatter", "json", broker=broker))
    return next(metric["value"] for metric in info["metrics"] if metric["name"] == "asked")


def told(client):
    client.call(1, "basic.qos")   # its answer comes behind what was published before


def test_each_tenant_is_asked_for_once(t):
    broker, client = begin(t, "x-by-tenant", "a", "b", "c")
    client.call(1, "confirm.select")
    for i in range(900):
        publish(client, "abc"[i % 3], key="k%d" % i, message_id="m%d" % i)
    confirmed(client, 900)
    assert counts(client, "a", "b", "c") == [300, 300, 300]
    assert asked(t, broker) == 3


def test_absent_empty_and_other_types_are_others(t):
    broker, client = begin(t, "x-by-tenant", "1")
    for tenant in ("1", 1, None, "", True, Typed("B", 1), [1], {"1": 1}) * 5:
        publish(client, tenant)
    assert counts(client, "1") == [5]
    assert asked(t, broker) == 8


def test_bind_unbind_and_delete_count_at_once(t):
    broker, client = begin(t, "x-by-tenant", "a")
    client.call(1, "queue.declare", queue="b")
    for _ in range(20):
        publish(client, "a")
        publish(client, "b")
        bind(client, "b")
        publish(client, "b")
        client.call(1, "queue.unbind", queue="b", exchange="e", routing_key="b")
        publish(client, "b")
    assert counts(client, "a", "b") == [20, 20]
    client.call(1, "queue.delete", queue="a")
    publish(client, "a")
    client.call(1, "exchange.delete", exchange="e")
    client.call(1, "exchange.declare", exchange="e", type="x-by-tenant")
    client.call(1, "queue.declare", queue="a")
    publish(client, "a")
    bind(client, "a")
    publish(client, "a")
    assert counts(client, "a") == [1]


def test_it_is_asked_again_when_its_time_is_over(t):
    broker, client = begin(t, "x-by-moment", "k")

    def is_asked_again():
        publish(client, None)
        told(client)
        return asked(t, broker) >= 3
    t.wait(is_asked_again, "the answers to be forgotten")


def test_who_published_is_told(t):
    broker, client = begin(t, "x-by-user", "guest", "other", loops=2)
    ctl(t, "add_user", "other", "secret", broker=broker)
    ctl(t, "set_permissions", "other", ".*", ".*", ".*", broker=broker)
    clients = [client, t.wire_to(broker, user="other", password="secret"), t.wire_to(broker)]
    for one in clients:
        one.call(1, "confirm.select")
    for i in range(300):
        publish(clients[i % 3], None)
    for one in clients:
        confirmed(one, 100)
    assert counts(client, "guest", "other") == [200, 100]
    assert asked(t, broker) <= 4   # each loop, for each of the two


def test_what_type_it_is_is_told(t):
    broker, client = begin(t, "x-by-type", "x-by-type", "other")
    for _ in range(10):
        publish(client, None)
    assert counts(client, "x-by-type", "other") == [10, 0]
    assert asked(t, broker) == 1


def test_explained_for_a_user(t):
    broker, _ = begin(t, "x-by-user", "alice", "bob")

    def queues(*arguments):
        return json.loads(ctl(t, "explain_route", "--formatter", "json", "e", "k", *arguments, broker=broker))["queues"]
    assert queues("--user", "alice") == ["alice"]
    assert queues("--user=bob") == ["bob"]
    assert queues() == []
    assert asked(t, broker) == 3   # nothing remembered is shown


def test_info_says_by_what(t):
    broker, _ = begin(t, "x-by-tenant")
    info = json.loads(ctl(t, "plugin", "info", "x-depends", "--formatter", "json", broker=broker))
    said = {kind["name"]: (kind["depends"], kind["depends_ms"]) for kind in info["exchange_types"]}
    assert said == {"x-by-tenant": (["headers.tenant"], 0), "x-by-user": (["user"], 0), "x-by-type": ([], 0),
                    "x-by-moment": (["routing_key"], 50)}, said
    output = ctl(t, "plugin", "info", "x-depends", broker=broker)
    assert "   answers are remembered by: headers.tenant\n" in output, output
    assert "   answers are remembered by: routing_key; for 50 ms\n" in output, output
    assert "   answers are remembered by: nothing else\n" in output, output


def test_reloaded_under_load_nothing_is_lost(t):
    broker, path = serve(t, loops=2)
    client = t.wire_to(broker)
    client.call(1, "exchange.declare", exchange="e", type="x-by-tenant")
    for queue in "abcd":
        client.call(1, "queue.declare", queue=queue)
        bind(client, queue)
    client.call(1, "confirm.select")
    n, done = [0], threading.Event()

    def load():
        while not done.is_set() and n[0] < 100000:
            for _ in range(100):
                publish(client, "abcd"[n[0] % 4])
                n[0] += 1
            client.read_method("basic.ack") if n[0] % 1000 == 0 else None
    thread = threading.Thread(target=load)
    thread.start()
    try:
        for _ in range(10):
            ctl(t, "plugin", "reload", "x-depends", path, broker=broker)
    finally:
        done.set()
        thread.join()
    other = t.wire_to(broker)

    def is_all_there():
        return sum(counts(other, *"abcd")) == n[0]
    t.wait(is_all_there, "all %d messages" % n[0])
