# SPDX-License-Identifier: MIT
"""Exchange types that keep something of their bindings, on several loops; and that change under load."""

import threading

from lib.shuntctl import ctl

from lua.scripted import client_of, counts, serve, write

# By its own list, in the order of weights: the heaviest one gets the message.
HEAVIEST = """
    exchange.register{ name = "x-heaviest",
      bind = function(exchange, binding)
        local s = exchange.state
        s.count = (s.count or 0) + 1
        s[binding.id] = binding
      end,
      unbind = function(exchange, binding)
        local s = exchange.state
        s.count = s.count - 1
        s[binding.id] = nil
      end,
      route = function(message, bindings, emit, exchange)
        local best, weight
        local n = 0
        for id, b in pairs(exchange.state) do
          if id ~= "count" then
            n = n + 1
            local w = b.arguments.weight
            if not best or w > weight then best, weight = b, w end
          end
        end
        if n ~= #bindings or n ~= (exchange.state.count or 0) then error("it was told of " .. n) end
        return best
      end }"""


def bind(client, queue, weight, method="queue.bind"):
    client.call(1, method, queue=queue, exchange="e", routing_key="", arguments={"weight": weight})


def begin(t, broker, *queues):
    client = client_of(t, broker, *queues)
    client.call(1, "exchange.declare", exchange="e", type="x-heaviest")
    for i, queue in enumerate(queues):
        bind(client, queue, i)
    return client


def test_each_loop_is_told(t):
    broker = serve(t, heaviest=HEAVIEST, loops=3)
    first = begin(t, broker, "a", "b", "c")
    clients = [first] + [client_of(t, broker) for _ in range(8)]
    for client in clients:
        client.publish(1, "e", "", b"m")
        counts(client, "a")
    assert counts(first, "a", "b", "c") == [0, 0, 9]
    bind(first, "a", 10)
    for client in clients:
        client.publish(1, "e", "", b"m")
        counts(client, "a")
    assert counts(first, "a", "b", "c") == [9, 0, 9]
    bind(first, "a", 10, "queue.unbind")
    bind(first, "c", 2, "queue.unbind")
    for client in clients:
        client.publish(1, "e", "", b"m")
        counts(client, "a")
    assert counts(first, "a", "b", "c") == [9, 9, 9]
    assert "was told of" not in broker.log_tail(100)


def test_told_anew_after_a_restart(t):
    broker = serve(t, heaviest=HEAVIEST, loops=2)
    client = client_of(t, broker)
    client.call(1, "exchange.declare", exchange="e", type="x-heaviest", durable=True)
    for i in range(20):
        client.call(1, "queue.declare", queue="q%d" % i, durable=True)
        bind(client, "q%d" % i, i)
    client.close()
    broker.end()
    broker.launch()
    clients = [client_of(t, broker) for _ in range(4)]
    for client in clients:
        client.publish(1, "e", "", b"m")
        counts(client, "q19")
    assert counts(clients[0], "q18", "q19") == [0, 4]


def test_changes_under_load_lose_nothing(t):
    """Publishers with confirms, bindings that come and go, and reloads, meanwhile: every message arrives once."""
    broker = serve(t, heaviest=HEAVIEST, loops=2)
    client = begin(t, broker, "a", "b", "best")
    bind(client, "best", 100)
    over = threading.Event()
    sent, wrong = [], []

    def publish():
        try:
            mine = client_of(t, broker, confirms=True)
            n = 0
            while not over.is_set():
                for _ in range(20):
                    mine.publish(1, "e", "", b"m")
                n += 20
                while mine.read_method("basic.ack", "basic.nack").delivery_tag < n:
                    pass
            sent.append(n)
        except Exception as error:   # pylint: disable=broad-except
            wrong.append(error)

    threads = [threading.Thread(target=publish) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(15):
        write(broker.scripts, "heaviest", HEAVIEST + "\n-- version %d\n" % i)
        ctl(t, "-q", "script", "reload", "heaviest", broker=broker)
        for queue in ("a", "b"):
            bind(client, queue, 50 + i)
            bind(client, queue, 50 + i, "queue.unbind")
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong
    t.wait(lambda: counts(client, "best") == [sum(sent)], "%d messages, not %r" % (sum(sent), counts(client, "best")))
    assert counts(client, "a", "b") == [0, 0]
    assert "failed" not in broker.log_tail(200), broker.log_tail(200)


def test_a_bad_version_changes_nothing(t):
    broker = serve(t, heaviest=HEAVIEST)
    client = begin(t, broker, "a")
    for bad in ("exchange.register{ name = 'x-heaviest' }", "x = = 1", "exchange.register{ name = 'x-other', "
                "route = print }", HEAVIEST.replace("x-heaviest'", "x").replace("route =", "rout =")):
        write(broker.scripts, "heaviest", bad)
        ctl(t, "-q", "script", "reload", "heaviest", broker=broker, status=70)
        client.publish(1, "e", "", b"m")
    assert counts(client, "a") == [4]
