# SPDX-License-Identifier: MIT
"""What scripts publish: at startup, by timers, from hooks; and what they are told of it."""

import json
import os
import shutil
import tempfile

from lua.scripted import client_of, counts, serve, wait_for_log


def test_at_startup_and_every_now_and_then(t):
    broker = serve(t, ticker="""
        local n = 0
        timer.every(0.05, function()
          n = n + 1
          broker.publish{ exchange = "amq.fanout", body = "tick " .. n, headers = { n = n }, type = "tick" }
        end)
        function startup() log.info("up on loop", script.loop) end""")
    client = client_of(t, broker, "q")
    client.call(1, "queue.bind", queue="q", exchange="amq.fanout")
    client.call(1, "basic.consume", queue="q", no_ack=True)
    got = [client.read_message() for _ in range(5)]
    numbers = [m.properties["headers"]["n"] for m in got]
    # one timer, not one a loop
    assert numbers == list(range(numbers[0], numbers[0] + 5)), numbers
    assert got[0].body == b"tick %d" % numbers[0] and got[0].properties["type"] == "tick", got[0]
    wait_for_log(t, broker, "up on loop 0")
    assert "up on loop 1" not in broker.log_tail(1000)


def test_startup_finds_what_the_broker_holds(t):
    """Vhosts, queues and bindings of before are there, and those of load_definitions."""
    folder = tempfile.mkdtemp(prefix="shunt-definitions-")
    t.cleanup(lambda: shutil.rmtree(folder))
    path = os.path.join(folder, "definitions.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"vhosts": [{"name": "/"}, {"name": "v"}], "queues": [
            {"name": "q", "vhost": "v", "durable": True, "auto_delete": False, "arguments": {}}]}, f)
    broker = serve(t, "load_definitions=" + path, starter="""
        local function publish(vhost, key)
          broker.publish{ vhost = vhost, routing_key = key, body = "first",
            done = function(outcome) log.info("in " .. vhost .. " it was " .. outcome) end }
        end
        function startup() publish("/", "nobody's") publish("v", "q") publish("w", "q") end""")
    for line in "in / it was unroutable", "in v it was routed", "in w it was refused":
        wait_for_log(t, broker, line)


def test_later_and_once(t):
    broker = serve(t, later="""
        function startup()
          timer.after(0.2, function()
            broker.publish{ exchange = "amq.fanout", body = "once" }
            timer.after(0.2, function() broker.publish{ exchange = "amq.fanout", body = "twice" } end)
          end)
        end
        timer.after(0.01, function() log.info("early") end):stop()
        timer.every(0.1, function() log.info("still there") end)""")
    client = client_of(t, broker, "q")
    client.call(1, "queue.bind", queue="q", exchange="amq.fanout")
    client.call(1, "basic.consume", queue="q", no_ack=True)
    wait_for_log(t, broker, "still there")
    # they may have been published before the queue was bound, if this machine is slow
    client.publish(1, "", "q", b"end")
    bodies = []
    while not bodies or bodies[-1] not in (b"twice", b"end"):
        bodies.append(client.read_message().body)
    assert bodies.count(b"once") <= 1, bodies
    assert "early" not in broker.log_tail(1000)


OUTCOMES = """
    function hook.publish(message, context)
      if message.routing_key ~= "q" then return end
      for name, to in pairs{ routed = "copies", unroutable = "nowhere" } do
        broker.publish{ routing_key = to, body = message:body(), headers = { from = script.loop },
          done = function(outcome)
            assert(outcome == name)
            broker.publish{ routing_key = "outcomes", body = outcome .. " on " .. script.loop }
          end }
      end
      broker.publish{ exchange = "no such exchange", done = function(outcome)
        broker.publish{ routing_key = "outcomes", body = outcome .. " on " .. script.loop }
      end }
    end
"""


def test_outcomes_on_the_loop_that_published(t):
    broker = serve(t, copies=OUTCOMES, loops=4)
    reader = client_of(t, broker, "q", "copies", "outcomes")
    clients = [client_of(t, broker) for _ in range(8)]
    for client in clients:
        for _ in range(50):
            client.publish(1, "", "q", b"m")
        client.call(1, "queue.declare", queue="q", passive=True)
    t.wait(lambda: counts(reader, "q", "copies", "outcomes") == [400, 400, 1200], "all outcomes")
    froms, said = [], []
    for _ in range(400):
        froms.append(reader.get(1, "copies").properties["headers"]["from"])
    for _ in range(1200):
        said.append(reader.get(1, "outcomes").body.decode())
    # each loop was told three times of each of its messages
    expected = sorted("%s on %d" % (word, loop) for loop in froms for word in ("routed", "unroutable", "refused"))
    assert sorted(said) == expected, said[:20]
    assert len(set(froms)) > 1, set(froms)


def test_a_timer_that_never_ends_harms_nobody(t):
    broker = serve(t, mad="""
        timer.every(0.01, function() while true do pcall(error) end end)
        timer.every(0.01, function() error({}) end)""")
    client = client_of(t, broker, "q")
    for n in range(200):
        client.publish(1, "", "q", b"m")
    assert counts(client, "q") == [200]
    wait_for_log(t, broker, "mad.lua:2: ")
