# SPDX-License-Identifier: MIT
"""explain_route where plugins have hooks: x_hooks.c does what the headers say."""

import json

from lib.shuntctl import ctl

from plugins.hooked import serve


def explained(t, broker, *arguments):
    return json.loads(ctl(t, "explain_route", "--formatter", "json", *arguments, broker=broker))


def ran(value):
    return [(hook["name"], hook["decision"], hook["changed"]) for hook in value["hooks"]]


def begin(t):
    broker = serve(t)
    client = t.wire_to(broker)
    for queue in ("q", "other"):
        client.call(1, "queue.declare", queue=queue)
    return broker, client


def test_hooks_that_pass(t):
    broker, _ = begin(t)
    value = explained(t, broker, "", "q")
    assert ran(value) == [("a", "pass", False), ("b", "pass", False)]
    assert (value["decision"], value["reason"], value["queues"], value["routing_key"]) == ("pass", None, ["q"], "q")
    assert ctl(t, "explain_route", "-q", "", "q", broker=broker).startswith(
        "hook a: passes it\nhook b: passes it\ndefault exchange (direct)\n")


def test_changed_by_a_hook(t):
    broker, client = begin(t)
    value = explained(t, broker, "", "q", "--header", "b.key=other")
    assert ran(value) == [("a", "pass", False), ("b", "pass", True)]
    assert (value["queues"], value["routing_key"]) == (["other"], "other")
    assert "hook b: changes it\n  routing key now: \"other\"\n" in ctl(
        t, "explain_route", "", "q", "--header", "b.key=other", broker=broker)
    # nothing was published
    assert client.call(1, "queue.declare", queue="other", passive=True).message_count == 0


def test_dropped_and_rejected(t):
    broker, _ = begin(t)
    value = explained(t, broker, "", "q", "--header", "a.drop=bool:true")
    assert ran(value) == [("a", "drop", False)]
    assert (value["decision"], value["exchanges"], value["queues"]) == ("drop", [], [])
    value = explained(t, broker, "", "q", "--header", "b.reject=int:403")
    assert ran(value) == [("a", "pass", False), ("b", "reject", False)]
    assert value["reason"] == "ACCESS_REFUSED - the hook b. says no"
    assert ctl(t, "explain_route", "-q", "", "q", "--header", "b.reject=int:403", broker=broker) == """\
hook a: passes it
hook b: rejects it
  ACCESS_REFUSED - the hook b. says no

Queues reached: 0
"""


def test_nacked(t):
    broker, _ = begin(t)
    value = explained(t, broker, "", "q", "--header", "b.nack=the disk is full")
    assert ran(value) == [("a", "pass", False), ("b", "nack", False)]
    assert (value["decision"], value["reason"], value["queues"]) == ("nack", "the disk is full", [])
    assert ctl(t, "explain_route", "-q", "", "q", "--header", "a.nack=full", broker=broker) == """\
hook a: nacks it
  full

Queues reached: 0
"""


def test_sent_to_another_exchange(t):
    broker, client = begin(t)
    client.call(1, "queue.bind", queue="other", exchange="amq.fanout", routing_key="")
    value = explained(t, broker, "", "q", "--header", "a.exchange=amq.fanout")
    assert (value["exchange"], value["routing_key"], value["queues"]) == ("amq.fanout", "q", ["other"])
    assert [exchange["name"] for exchange in value["exchanges"]] == ["amq.fanout"]
    assert ctl(t, "explain_route", "-q", "", "q", "--header", "a.exchange=amq.fanout", broker=broker).startswith(
        "hook a: changes it\nhook b: passes it\n  exchange now: \"amq.fanout\"\n  routing key now: \"q\"\n")
    assert "Exchange 'nowhere' in virtual host '/' does not exist" in ctl(
        t, "explain_route", "", "q", "--header", "a.exchange=nowhere", broker=broker, status=65)
