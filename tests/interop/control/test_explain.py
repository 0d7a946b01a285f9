# SPDX-License-Identifier: MIT
"""explain_route: where a message would go, and why."""

import json
import socket

from lib.runner import limit
from lib.shuntctl import ctl, only_shunt


def explained(t, *arguments, broker=None):
    only_shunt(t)
    return json.loads(ctl(t, "explain_route", "--formatter", "json", *arguments, broker=broker))


def declare(t, client, exchange, kind, **options):
    client.call(1, "exchange.declare", exchange=exchange, type=kind, **options)


def build(t, broker):
    """Five exchanges and four queues."""
    client = t.wire_to(broker)
    declare(t, client, "lost", "fanout")
    declare(t, client, "e", "topic", arguments={"alternate-exchange": "lost"})
    declare(t, client, "h", "headers", internal=True)
    declare(t, client, "nowhere", "direct", arguments={"alternate-exchange": "gone"})
    for queue in ("q", "r", "s", "a\tb\x1b[31m"):
        client.call(1, "queue.declare", queue=queue)
    client.call(1, "queue.bind", queue="q", exchange="e", routing_key="a.#")
    client.call(1, "queue.bind", queue="q", exchange="e", routing_key="*.b")
    client.call(1, "exchange.bind", source="e", destination="h", routing_key="a.b")
    client.call(1, "queue.bind", queue="r", exchange="h", arguments={"n": 5, "x-match": "all"})
    client.call(1, "queue.bind", queue="q", exchange="h", arguments={"ok": True})
    client.call(1, "queue.bind", queue="s", exchange="lost")
    return client


def test_text(t):
    only_shunt(t)
    broker = t.shuntd(loops=2)
    build(t, broker)
    output = ctl(t, "explain_route", "e", "a.b", "--header", "n=int:5", broker=broker)
    lines = output.split("\n")
    assert lines[:2] == ["Explaining the way of a message in vhost / ...", "exchange e (topic)"], output
    # bindings that match are in no order
    assert sorted(lines[2:5]) == ['  binding "*.b" -> queue q', '  binding "a.#" -> queue q',
                                  '  binding "a.b" -> exchange h'], output
    assert lines[5:] == ["exchange h (headers, internal), by a binding of exchange e",
                         '  binding "" [{"n",5},{"x-match","all"}] -> queue r', "", "Queues reached: 2", "  q", "  r",
                         ""], output
    assert ctl(t, "explain_route", "-q", "e", "z", broker=broker) == """\
exchange e (topic)
  no binding matches; alternate exchange: lost
exchange lost (fanout), by being the alternate exchange of exchange e
  binding "" -> queue s

Queues reached: 1
  s
"""
    assert ctl(t, "explain_route", "-q", "nowhere", "k", broker=broker) == """\
exchange nowhere (direct)
  no binding matches; alternate exchange: gone (does not exist)

Queues reached: 0
"""
    assert ctl(t, "explain_route", "-s", "", "a\tb\x1b[31m", broker=broker) == """\
default exchange (direct)
  binding "a\\011b\\033[31m" -> queue a\\011b\\033[31m

Queues reached: 1
  a\\011b\\033[31m
"""


def test_json(t):
    only_shunt(t)
    broker = t.shuntd()
    build(t, broker)
    value = explained(t, "e", "a.b", "--header", "n=int:5", "--header=ok=bool:true", broker=broker)
    assert [(x["name"], x["type"], x["reached_by"], x["reached_from"], x["matched"]) for x in value["exchanges"]] == [
        ("e", "topic", "publish", None, 3), ("h", "headers", "binding", "e", 2)]
    first, second = value["exchanges"]
    assert (first["alternate_exchange"], first["alternate_exchange_used"], second["alternate_exchange"]) == (
        "lost", False, None)
    assert {"routing_key": "", "arguments": [["n", "signedint", 5], ["x-match", "longstr", "all"]],
            "destination_kind": "queue", "destination_name": "r"} in second["bindings"]
    assert (sorted(value["queues"]), value["queue_count"], value["truncated"]) == (["q", "r"], 2, False)


def test_headers_and_their_types(t):
    only_shunt(t)
    broker = t.shuntd()
    build(t, broker)

    def reached(*headers):
        return sorted(explained(t, "h", "k", *("--header=" + header for header in headers), broker=broker)["queues"])
    assert reached() == []
    assert reached("n=int:5") == ["r"]
    assert reached("n=5") == [] and reached("n=int:6") == []
    assert reached("ok=bool:true") == ["q"]
    assert reached("ok=string:true") == [] and reached("ok=bool:false") == []
    assert reached("n=int:5", "ok=bool:true", "other=a=b", "void=null:", "f=real:0.5") == ["q", "r"]


def test_it_is_what_happens(t):
    """Publishing afterwards goes where it was said; explaining publishes nothing."""
    only_shunt(t)
    broker = t.shuntd()
    client = build(t, broker)
    for exchange, key in (("e", "a.b"), ("e", "a.c"), ("e", "x.b"), ("e", "x.y"), ("lost", ""), ("", "s"), ("", "no")):
        queues = explained(t, exchange, key, broker=broker)["queues"]
        client.publish(1, exchange, key, b"m")
        for queue in ("q", "r", "s"):
            count = client.call(1, "queue.purge", queue=queue).message_count
            assert count == (queue in queues), (exchange, key, queue, count)


def test_properties(t):
    only_shunt(t)
    ctl(t, "explain_route", "amq.fanout", "k", "--property", "app_id=a", "--property", "priority=5",
        "--property=timestamp=1700000000", "--property=correlation_id=c=d")
    for wrong in ("priority=256", "priority=x", "timestamp=-1", "nosuch=1", "headers=x", "app_id=" + "a" * 256):
        assert "Property '%s'" % wrong.split("=", 1)[0] in ctl(t, "explain_route", "amq.fanout", "k", "--property", wrong,
                                                            status=65), wrong


def test_refusals(t):
    only_shunt(t)
    assert ctl(t, "explain_route", "no such", "k", status=65) == \
        "Error:\nExchange 'no such' in virtual host '/' does not exist\n"
    assert ctl(t, "explain_route", "-p", "no such", "amq.direct", "k", status=65) == \
        "Error:\nVirtual host 'no such' does not exist\n"
    for arguments in (("e",), (), ("e", "k", "more"), ("e", "k", "--header", "a"), ("e", "k", "--header", "=a"),
                      ("e", "k", "--header", "a=int:x"), ("e", "k", "--header", "a=bool:1")):
        assert ctl(t, "explain_route", *arguments, status=64).startswith("Error (argument validation): "), arguments
    assert "longer than 255 bytes" in ctl(t, "explain_route", "amq.direct", "k" * 256, status=65)


def test_any_request_is_answered(t):
    """What is not as shuntctl sends it."""
    only_shunt(t)
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(t.limit)
        control.connect(t.broker.control_socket)
        lines = control.makefile("rb")
        for request in ({}, {"exchange": 5, "routing_key": []}, {"exchange": "amq.fanout", "headers": [1]},
                        {"exchange": "amq.fanout", "headers": {"a": [1]}}, {"exchange": "amq.fanout", "headers": {"a": {}}},
                        {"exchange": "amq.fanout", "properties": {"priority": 1.5}}, {"exchange": "amq.fanout", "vhost": 5},
                        {"exchange": "amq.fanout", "headers": {"n" * 256: 1}}, {"exchange": "a\0b"}):
            control.sendall(json.dumps(dict(request, command="explain_route")).encode() + b"\n")
            answer = json.loads(lines.readline())
            if "value" in answer:
                answer = json.loads(lines.readline())
            assert "ok" in answer or answer["status"] == 65, (request, answer)


@limit(60)
def test_very_many_are_cut_short(t):
    only_shunt(t)
    broker = t.shuntd()
    client = t.wire_to(broker)
    declare(t, client, "many", "fanout")
    for i in range(1500):
        client.send(1, "queue.declare", queue="q%d" % i, nowait=True)
        client.send(1, "queue.bind", queue="q%d" % i, exchange="many", nowait=True)
    client.expect_quiet(1)
    value = explained(t, "many", "k", broker=broker)
    assert value["truncated"] and value["queue_count"] == 1500 and value["exchanges"][0]["matched"] == 1500
    assert len(value["queues"]) == 1000 and len(value["exchanges"][0]["bindings"]) == 1000
    output = ctl(t, "explain_route", "many", "k", broker=broker)
    assert "\n  and 500 bindings more\n" in output and "\n  and 500 more\n" in output, output[-200:]
    assert output.endswith("There is more than is shown.\n")
