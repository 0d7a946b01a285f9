# SPDX-License-Identifier: MIT
"""Policies, hooks and timers of a script are replaced in one step, while the broker is used."""

import threading

from lib.shuntctl import ctl

from lua.scripted import client_of, counts, serve, wait_for_log, write

FLIGHT = 50   # publishes at the same time, and then their confirms


def reload(t, broker, name, text, status=0):
    write(broker.scripts, name, text)
    return ctl(t, "script", "reload", name, broker=broker, status=status)


class Publisher(threading.Thread):
    """Publishes and reads confirms, until told to end."""

    def __init__(self, t, broker):
        super().__init__()
        self.client = client_of(t, broker, confirms=True)
        self.is_ending = threading.Event()
        self.count, self.error = 0, None
        t.cleanup(self.end)
        self.start()

    def run(self):
        try:
            while not self.is_ending.is_set():
                for _ in range(FLIGHT):
                    self.client.publish(1, "", "q", b"%d" % self.count)
                    self.count += 1
                told = 0
                while told < self.count:
                    told = self.client.read_method("basic.ack", channel=1).delivery_tag
        except Exception as error:   # noqa: BLE001  (told by the test)
            self.error = error

    def end(self):
        self.is_ending.set()
        self.join()
        return self.count


MARKS = """
    local version = %d
    function hook.publish(message)
      message.headers.first, message.headers.second = version, version
      broker.publish{ routing_key = "copies", body = tostring(version),
        done = function(outcome)
          assert(outcome == "routed")
          broker.publish{ routing_key = "outcomes", body = tostring(version) }
        end }
    end
"""


def test_hooks_while_messages_pass(t):
    broker = serve(t, marks=MARKS % 0)
    reader = client_of(t, broker, "q", "copies", "outcomes")
    publishers = [Publisher(t, broker) for _ in range(2)]
    for version in range(1, 11):
        reload(t, broker, "marks", MARKS % version)
        before = [p.count for p in publishers]   # not sooner: what was sent meanwhile need not know this version
        t.wait(lambda: all(p.error or p.count > n + FLIGHT for p, n in zip(publishers, before)), "more messages")
    total = sum(p.end() for p in publishers)
    assert [p.error for p in publishers] == [None, None]
    t.wait(lambda: counts(reader, "q", "copies", "outcomes") == [total] * 3, "%d messages and outcomes" % total)
    marks, copies, outcomes = [], [], []
    for _ in range(total):
        headers = reader.get(1, "q").properties["headers"]
        assert headers["first"] == headers["second"], headers
        marks.append(headers["first"])
        copies.append(int(reader.get(1, "copies").body))
        outcomes.append(int(reader.get(1, "outcomes").body))
    assert set(marks) == set(range(11)), set(marks)
    # who published was told, also when another version had come
    assert sorted(marks) == sorted(copies) == sorted(outcomes)


POLICY = """
    access.depends = { "user", "operation", "name" }
    function access.authorize(q)
      if q.operation == "write" and q.name == "x" and %s then return "deny", "by version %s" end
      return "next"
    end
"""


def test_what_a_policy_has_answered_is_forgotten(t):
    broker = serve(t, policy=POLICY % ("false", 1))
    client = client_of(t, broker, "q")
    client.call(1, "exchange.declare", exchange="x", type="fanout")
    client.call(1, "queue.bind", queue="q", exchange="x")
    for _ in range(3):
        client.publish(1, "x", "", b"m")
    assert counts(client, "q") == [3]
    reload(t, broker, "policy", POLICY % ("true", 2))
    client.publish(1, "x", "", b"m")
    client.expect_channel_close(1, 403, "ACCESS_REFUSED - write access to exchange 'x' in vhost '/' refused for user "
                                        "'guest': by version 2", "basic.publish")
    reload(t, broker, "policy", POLICY % ("false", 3))
    client.open_channel(2)
    client.publish(2, "x", "", b"m")
    assert counts(client, "q", channel=2) == [4]


TICKS = """
    function startup() broker.publish{ routing_key = "q", body = "start %d" } end
    timer.every(0.02, function() broker.publish{ routing_key = "q", body = "tick %d" } end)
"""


def test_timers_of_one_version_only(t):
    broker = serve(t, ticks="")
    client = client_of(t, broker, "q")
    client.call(1, "basic.consume", queue="q", no_ack=True)
    for version in (1, 2, 3):
        reload(t, broker, "ticks", TICKS % (version, version))
        bodies = []
        while bodies.count(b"tick %d" % version) < 5:
            bodies.append(client.read_message().body)
        first = bodies.index(b"start %d" % version)
        assert bodies.count(b"start %d" % version) == 1, bodies
        assert set(bodies[:first]) <= {b"tick %d" % (version - 1)}, bodies
        assert set(bodies[first + 1:]) == {b"tick %d" % version}, bodies


def test_a_version_that_cannot_be_changes_nothing(t):
    broker = serve(t, marks="function hook.publish(message) message.headers.version = 1 end")
    client = client_of(t, broker, "q")
    for text, why in (("function hook.publish(", "marks.lua:1: "),
                      ("function hook.pubilsh() end", "hook.pubilsh means nothing to the broker"),
                      ("access.authorize = true", "access.authorize is a boolean"),
                      ("broker.publish{}", "marks.lua:1: broker.publish: not in load")):
        said = reload(t, broker, "marks", text, status=70)
        assert why in said, said
        client.publish(1, "", "q", b"m")
        assert client.get(1, "q").properties["headers"] == {"version": 1}


CHAIN = """
    local function again() broker.publish{ routing_key = "copies", done = again } end
    function hook.publish() for _ = 1, 20 do again() end end
"""


def test_a_chain_of_messages_ends_and_so_does_its_version(t):
    broker = serve(t, chain=CHAIN)
    client = client_of(t, broker, "q", "copies")
    client.publish(1, "", "q", b"m")
    reload(t, broker, "chain", "")
    t.wait(lambda: counts(client, "copies") == [2000], "20 chains of 100")
    wait_for_log(t, broker, "100 messages in a chain of done")
    client.publish(1, "", "q", b"m")
    assert counts(client, "q", "copies") == [2, 2000]


def test_the_end_with_much_under_way(t):
    """Nobody is told any more, and nothing is left (the broker checks that as it ends)."""
    broker = serve(t, chain=CHAIN)
    client = client_of(t, broker, "q", "copies")
    for _ in range(200):
        client.publish(1, "", "q", b"m")
    t.wait(lambda: counts(client, "copies")[0] > 1000, "copies")
