# SPDX-License-Identifier: MIT
"""What plugins publish: from a hook, from done(), and from threads of their own."""

from plugins.hooked import client_of, counts, send, serve


def outcomes(t, client, n, channel=1):
    t.wait(lambda: counts(client, "outcomes", channel=channel) == [n], "%d outcomes" % n)
    return [client.get(channel, "outcomes").body for _ in range(n)]


def test_in_order_and_after_the_call(t):
    for loops in (1, 2, 4):
        client = client_of(t, "q", "copies", "outcomes", loops=loops)
        send(client, "q", a_publish="copies", a_times=200)
        assert outcomes(t, client, 200) == [b"routed"] * 200
        assert [client.get(1, "copies").body for _ in range(200)] == [b"copy %d" % i for i in range(200)]
        assert counts(client, "q") == [1]


def test_outcomes(t):
    client = client_of(t, "q", "outcomes")
    send(client, "q", a_publish="nowhere")
    assert outcomes(t, client, 1) == [b"unroutable"]
    send(client, "q", a_publish="!no such exchange")
    assert outcomes(t, client, 1) == [b"refused"]


def test_one_that_fails_does_not_hold_up_others(t):
    client = client_of(t, "q", "copies", "outcomes")
    send(client, "q", a_publish="copies", b_publish="!no such exchange")
    send(client, "q", a_publish="!no such exchange", b_publish="copies")
    assert sorted(outcomes(t, client, 4)) == [b"refused", b"refused", b"routed", b"routed"]
    assert counts(client, "copies") == [2]


def test_no_hooks_run_for_them(t):
    client = client_of(t, "q", "copies", "outcomes")
    send(client, "q", a_publish="copies", a_times=3)
    assert outcomes(t, client, 3) == [b"routed"] * 3
    assert counts(client, "copies") == [3]


def test_also_from_a_delivery(t):
    client = client_of(t, "q", "copies", "outcomes")
    send(client, "q", da_publish="copies")
    assert client.get(1, "q").body == b"m"
    assert outcomes(t, client, 1) == [b"routed"]
    assert client.get(1, "copies").body == b"copy 0"


def test_persistent_ones_are_stored_when_the_outcome_is_known(t):
    broker = serve(t)
    client = t.wire_to(broker)
    client.call(1, "queue.declare", queue="q")
    client.call(1, "queue.declare", queue="outcomes")
    client.call(1, "queue.declare", queue="d", durable=True)
    send(client, "q", a_publish="d", a_times=50)
    assert outcomes(t, client, 50) == [b"routed"] * 50
    broker.process.kill()
    broker.process.wait()
    broker.launch()
    client = t.wire_to(broker)
    assert [client.get(1, "d").body for _ in range(50)] == [b"copy %d" % i for i in range(50)]


def test_from_threads(t):
    client = client_of(t, "q", "copies", "outcomes")
    for _ in range(8):
        send(client, "q", a_thread="copies", a_times=100)
    assert outcomes(t, client, 800) == [b"routed"] * 800
    bodies = [client.get(1, "copies").body for _ in range(800)]
    assert sorted(bodies) == sorted(b"thread %d" % i for i in range(100) for _ in range(8))
    last = {}
    for body in bodies:   # each thread's own are in order: so there are at least as many of the lower ones at any time
        i = int(body.split()[1])
        last[i] = last.get(i, 0) + 1
        assert i == 0 or last[i] <= last[i - 1], bodies


def test_the_broker_ends_while_they_publish(t):
    broker = serve(t)
    client = t.wire_to(broker)
    for queue in ("q", "copies", "outcomes"):
        client.call(1, "queue.declare", queue=queue)
    for _ in range(8):
        send(client, "q", a_thread="copies", a_times=20000, b_publish="copies", b_times=1000)
    t.wait(lambda: counts(client, "copies") > [0], "the first of them")
    client.close()
    broker.stop()
