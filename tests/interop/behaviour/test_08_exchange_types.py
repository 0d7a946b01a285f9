# SPDX-License-Identifier: MIT
"""How the default exchange, direct, fanout, topic and headers exchanges route."""

import pika

from lib import wire


def routed(t, channel, exchange, queues, key="", headers=None):
    """Publishes; returns which of the queues (a dict of label to name) got it, sorted."""
    properties = pika.BasicProperties(headers=headers) if headers is not None else None
    channel.basic_publish(exchange, key, key.encode(), properties)
    got = []
    for label, queue in queues.items():
        bodies = t.bodies(channel, queue)
        assert len(bodies) <= 1, "%s got it %d times" % (label, len(bodies))
        got += [label] * len(bodies)
    return sorted(got)


def patterns(t, channel, exchange, *keys):
    return {key: t.bound_queue(channel, exchange, key) for key in keys}


# ---- default

def test_default_exchange_routes_by_queue_name(t):
    channel = t.channel()
    first, second = t.queue(channel), t.queue(channel)
    channel.basic_publish("", first, b"1")
    channel.basic_publish("", second, b"2")
    assert t.bodies(channel, first) == [b"1"]
    assert t.bodies(channel, second) == [b"2"]


def test_default_exchange_delivery_has_an_empty_exchange_name(t):
    channel = t.channel()
    queue = t.queue(channel)
    channel.basic_publish("", queue, b"m")
    method = t.get(channel, queue)[0]
    assert (method.exchange, method.routing_key) == ("", queue)


def test_default_exchange_drops_for_no_queue(t):
    client = t.wire()
    client.publish(1, "", "none." + t.prefix, b"m")
    client.expect_quiet(1)


# ---- direct

def test_direct_routes_by_equal_key(t):
    channel = t.channel()
    exchange = t.exchange(channel, "direct")
    queues = patterns(t, channel, exchange, "a", "b", "a.b", "#", "*", "")
    for key in queues:
        assert routed(t, channel, exchange, queues, key) == [key]
    assert routed(t, channel, exchange, queues, "A") == []


def test_direct_delivers_to_all_queues_of_a_key(t):
    channel = t.channel()
    exchange = t.exchange(channel, "direct")
    queues = {i: t.bound_queue(channel, exchange, "k") for i in range(5)}
    assert routed(t, channel, exchange, queues, "k") == [0, 1, 2, 3, 4]


def test_direct_keys_are_bytes(t):
    client = t.wire()
    channel = t.channel()
    exchange = t.exchange(channel, "direct")
    queue = t.wire_queue(client)
    key = "k\x00ey" + "x" * 250
    client.call(1, "queue.bind", queue=queue, exchange=exchange, routing_key=key)
    client.publish(1, exchange, key, b"m")
    client.publish(1, exchange, key[:-1], b"other")
    message = client.get(1, queue)
    assert (message.method.routing_key, message.method.message_count) == (key, 0)


# ---- fanout

def test_fanout_ignores_the_key(t):
    channel = t.channel()
    exchange = t.exchange(channel, "fanout")
    queues = patterns(t, channel, exchange, "a", "b", "")
    assert routed(t, channel, exchange, queues, "whatever") == ["", "a", "b"]


def test_fanout_delivers_one_copy_for_many_bindings(t):
    channel = t.channel()
    exchange = t.exchange(channel, "fanout")
    queue = t.bound_queue(channel, exchange, "a", "b", "c")
    assert routed(t, channel, exchange, {"q": queue}, "x") == ["q"]


# ---- topic

def topic(t, keys, cases):
    channel = t.channel()
    exchange = t.exchange(channel, "topic")
    queues = patterns(t, channel, exchange, *keys)
    for key, expected in cases.items():
        got = routed(t, channel, exchange, queues, key)
        assert got == sorted(expected), "%r: expected %r, got %r" % (key, sorted(expected), got)


def test_topic_without_wildcards_is_equality(t):
    topic(t, ["a", "a.b", "a.b.c"], {"a": ["a"], "a.b": ["a.b"], "a.b.c": ["a.b.c"], "b": [], "a.b.c.d": []})


def test_topic_star_is_exactly_one_word(t):
    topic(t, ["*", "a.*", "*.b", "*.*", "a.*.c"],
          {"a": ["*"], "a.b": ["a.*", "*.b", "*.*"], "x.y": ["*.*"], "a.b.c": ["a.*.c"], "a.c": ["a.*", "*.*"]})


def test_topic_hash_is_any_number_of_words(t):
    topic(t, ["#", "a.#", "#.b", "a.#.b"],
          {"": ["#"], "a": ["#", "a.#"], "b": ["#", "#.b"], "a.b": ["#", "a.#", "#.b", "a.#.b"],
           "a.x.y.b": ["#", "a.#", "#.b", "a.#.b"], "x.a": ["#"]})


def test_topic_hash_and_star_together(t):
    topic(t, ["*.#", "#.*", "#.*.#", "*.#.*", "#.#"],
          {"": ["#.#"], "a": ["*.#", "#.*", "#.*.#", "#.#"],
           "a.b": ["*.#", "#.*", "#.*.#", "*.#.*", "#.#"], "a.b.c": ["*.#", "#.*", "#.*.#", "*.#.*", "#.#"]})


def test_topic_empty_words_count(t):
    """a..b has an empty word in the middle; '' has no words."""
    topic(t, ["a.*.b", "a..b", "*", "", "a.", ".*"],
          {"a..b": ["a.*.b", "a..b"], "": [""], "a.": ["a."], ".a": [".*"], ".": [".*"]})


def test_topic_wildcards_only_as_whole_words(t):
    topic(t, ["a*", "#a", "a.b*"], {"a*": ["a*"], "ab": [], "#a": ["#a"], "xa": [], "a.b*": ["a.b*"], "a.bc": []})


def test_topic_many_hashes_match_backtracking(t):
    topic(t, ["#.a.#.a.#", "#.a.#.b.#.c"],
          {"a": [], "a.a": ["#.a.#.a.#"], "x.a.y.a.z": ["#.a.#.a.#"], "a.b.c": ["#.a.#.b.#.c"],
           "a.c.b.c": ["#.a.#.b.#.c"], "b.a.c": [], "a.a.b.b.c.c": ["#.a.#.a.#", "#.a.#.b.#.c"]})


def test_topic_unbind_leaves_similar_patterns(t):
    channel = t.channel()
    exchange = t.exchange(channel, "topic")
    queues = patterns(t, channel, exchange, "a.#", "a.*", "a.b", "#", "a.b.#")
    assert routed(t, channel, exchange, queues, "a.b") == ["#", "a.#", "a.*", "a.b", "a.b.#"]
    for key, left in (("a.*", ["#", "a.#", "a.b", "a.b.#"]), ("#", ["a.#", "a.b", "a.b.#"]),
                      ("a.b", ["a.#", "a.b.#"]), ("a.#", ["a.b.#"]), ("a.b.#", [])):
        channel.queue_unbind(queues[key], exchange, key)
        assert routed(t, channel, exchange, queues, "a.b") == left, key


def test_topic_one_copy_for_many_matching_patterns(t):
    channel = t.channel()
    exchange = t.exchange(channel, "topic")
    queue = t.bound_queue(channel, exchange, "#", "a.*", "*.b", "a.b", "a.#")
    assert routed(t, channel, exchange, {"q": queue}, "a.b") == ["q"]


def test_topic_key_of_255_bytes(t):
    key = ".".join(["w"] * 128)
    topic(t, ["#", key, "w.#"], {key: ["#", key, "w.#"]})


def test_topic_thousand_bindings(t):
    client = t.wire()
    exchange = t.exchange(t.channel(), "topic")
    queue = t.wire_queue(client)
    for number in range(1000):
        client.send(1, "queue.bind", queue=queue, exchange=exchange, routing_key="n.%d.*" % number, nowait=True)
    for number in (0, 500, 999):
        client.publish(1, exchange, "n.%d.x" % number, b"m")
    client.publish(1, exchange, "n.1000.x", b"m")
    got = [client.get(1, queue).method.routing_key for _ in range(3)]
    assert got == ["n.0.x", "n.500.x", "n.999.x"]
    assert client.get(1, queue) is None


# ---- headers

def header_queues(t, channel, exchange, bindings):
    return {label: t.bound_queue(channel, exchange, "", arguments=arguments)
            for label, arguments in bindings.items()}


def headers(t, bindings, cases):
    channel = t.channel()
    exchange = t.exchange(channel, "headers")
    queues = header_queues(t, channel, exchange, bindings)
    for published, expected in cases:
        got = routed(t, channel, exchange, queues, "", published)
        assert got == sorted(expected), "%r: expected %r, got %r" % (published, sorted(expected), got)


def test_headers_all(t):
    headers(t, {"all": {"x-match": "all", "a": 1, "b": "two"}},
            [({"a": 1, "b": "two"}, ["all"]), ({"a": 1, "b": "two", "c": 3}, ["all"]), ({"a": 1}, []),
             ({"a": 1, "b": "three"}, []), ({}, []), (None, [])])


def test_headers_any(t):
    headers(t, {"any": {"x-match": "any", "a": 1, "b": "two"}},
            [({"a": 1}, ["any"]), ({"b": "two"}, ["any"]), ({"a": 2, "b": "two"}, ["any"]), ({"a": 2}, []),
             ({}, []), (None, [])])


def test_headers_default_is_all(t):
    headers(t, {"default": {"a": 1, "b": 2}}, [({"a": 1}, []), ({"a": 1, "b": 2}, ["default"])])


def test_headers_empty_arguments(t):
    """all of nothing matches everything, any of nothing matches nothing."""
    headers(t, {"none": None, "all": {"x-match": "all"}, "any": {"x-match": "any"}},
            [({"a": 1}, ["all", "none"]), ({}, ["all", "none"]), (None, ["all", "none"])])


def test_headers_void_means_the_key_exists(t):
    headers(t, {"all": {"x-match": "all", "a": None}, "any": {"x-match": "any", "a": None}},
            [({"a": 1}, ["all", "any"]), ({"a": "x"}, ["all", "any"]), ({"b": 1}, [])])


def test_headers_x_keys_are_ignored_in_all_and_any(t):
    headers(t, {"all": {"x-match": "all", "x-a": 1, "b": 2}, "any": {"x-match": "any", "x-a": 1, "b": 2}},
            [({"b": 2}, ["all", "any"]), ({"x-a": 1}, []), ({"x-a": 1, "b": 2}, ["all", "any"])])


def test_headers_x_keys_count_with_x(t):
    headers(t, {"all": {"x-match": "all-with-x", "x-a": 1, "b": 2}, "any": {"x-match": "any-with-x", "x-a": 1, "b": 2}},
            [({"b": 2}, ["any"]), ({"x-a": 1}, ["any"]), ({"x-a": 1, "b": 2}, ["all", "any"]), ({"x-a": 2}, [])])


def test_headers_are_compared_by_type(t):
    headers(t, {"int": {"a": 1}, "str": {"a": "1"}, "bool": {"a": True}},
            [({"a": 1}, ["int"]), ({"a": "1"}, ["str"]), ({"a": True}, ["bool"])])


def test_headers_integers_of_other_size_are_equal(t):
    client = t.wire()
    exchange = t.exchange(t.channel(), "headers")
    queue = t.wire_queue(client)
    client.call(1, "queue.bind", queue=queue, exchange=exchange, arguments={"a": wire.Typed("I", 5)})
    for kind in "bBsuIilL":
        client.publish(1, exchange, "", kind.encode(), {"headers": {"a": wire.Typed(kind, 5)}})
    got = set()
    while True:
        message = client.get(1, queue)
        if message is None:
            break
        got.add(message.body.decode())
    assert got == set("bBsuIilL"), got


def test_headers_case_matters(t):
    headers(t, {"q": {"Key": "Value"}}, [({"Key": "Value"}, ["q"]), ({"key": "Value"}, []), ({"Key": "value"}, [])])


def test_headers_unknown_x_match_is_406(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.send(1, "queue.bind", queue=queue, exchange="amq.headers", arguments={"x-match": "some"})
    client.expect_channel_close(1, 406, method="queue.bind")


def test_headers_x_match_of_a_wrong_type_is_406(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.send(1, "queue.bind", queue=queue, exchange="amq.headers", arguments={"x-match": 1})
    client.expect_channel_close(1, 406, method="queue.bind")


def test_headers_key_is_ignored(t):
    channel = t.channel()
    exchange = t.exchange(channel, "headers")
    queue = t.bound_queue(channel, exchange, "some.key", arguments={"a": 1})
    channel.basic_publish(exchange, "another", b"m", pika.BasicProperties(headers={"a": 1}))
    assert t.bodies(channel, queue) == [b"m"]


def test_amq_match_is_a_headers_exchange(t):
    channel = t.channel()
    queue = t.queue(channel)
    channel.queue_bind(queue, "amq.match", "", {"id": t.prefix})
    channel.basic_publish("amq.match", "", b"m", pika.BasicProperties(headers={"id": t.prefix}))
    assert t.bodies(channel, queue) == [b"m"]


# ---- CC and BCC

def test_cc_adds_routing_keys(t):
    channel = t.channel()
    exchange = t.exchange(channel, "direct")
    queues = patterns(t, channel, exchange, "to", "cc1", "cc2", "bcc", "other")
    properties = {"CC": ["cc1", "cc2"], "BCC": ["bcc"]}
    assert routed(t, channel, exchange, queues, "to", properties) == ["bcc", "cc1", "cc2", "to"]


def test_cc_to_the_same_queue_is_one_copy(t):
    channel = t.channel()
    queue = t.queue(channel)
    assert routed(t, channel, "", {"q": queue}, queue, {"CC": [queue, queue]}) == ["q"]


def test_cc_where_keys_do_not_count(t):
    channel = t.channel()
    for kind in ("fanout", "headers"):
        exchange = t.exchange(channel, kind)
        queues = patterns(t, channel, exchange, "a", "b")
        assert routed(t, channel, exchange, queues, "to", {"CC": ["a", "none"], "BCC": ["b"]}) == ["a", "b"], kind


def test_cc_of_many_keys(t):
    """Each is met, however often it is there."""
    channel = t.channel()
    exchange = t.exchange(channel, "direct")
    queues = patterns(t, channel, exchange, "to", "first", "last", "other")
    keys = ["first"] + ["k%d" % (i % 500) for i in range(2000)] + ["first", "last"]
    assert routed(t, channel, exchange, queues, "to", {"CC": keys, "BCC": keys}) == ["first", "last", "to"]


def test_bcc_is_removed_and_cc_stays(t):
    channel = t.channel()
    to, copy = t.queue(channel), t.queue(channel)
    channel.basic_publish("", to, b"m", pika.BasicProperties(headers={"CC": [copy], "BCC": ["hidden"], "mine": 1}))
    for queue in (to, copy):
        assert t.get(channel, queue)[1].headers == {"CC": [copy], "mine": 1}


def test_routing_key_of_a_cc_delivery_is_the_published_one(t):
    channel = t.channel()
    to, copy = t.queue(channel), t.queue(channel)
    channel.basic_publish("", to, b"m", pika.BasicProperties(headers={"CC": [copy]}))
    assert t.get(channel, copy)[0].routing_key == to


def test_cc_of_a_wrong_type_is_406(t):
    client = t.wire()
    client.publish(1, "amq.direct", "k", b"m", {"headers": {"CC": "no-list"}})
    client.expect_channel_close(1, 406, method="basic.publish")


def test_cc_makes_mandatory_succeed(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.publish(1, "", "none." + t.prefix, b"m", {"headers": {"CC": [queue]}}, mandatory=True)
    assert client.get(1, queue).body == b"m"
