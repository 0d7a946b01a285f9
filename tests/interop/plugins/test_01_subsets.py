# SPDX-License-Identifier: MIT
"""Some of the shipped plugins, or none: what is there works, and what is not says so."""

from lib import sdk, wire

TYPES = ("direct", "fanout", "topic", "headers")
STANDARD = {"amq.direct": "direct", "amq.fanout": "fanout", "amq.topic": "topic", "amq.headers": "headers",
            "amq.match": "headers"}
UNKNOWN = "PRECONDITION_FAILED - unknown exchange type '%s'"
NOT_LOADED = "PRECONDITION_FAILED - the type '%s' of exchange '%s' in vhost '/' is not loaded"


def only(*types):
    return ["plugin=exchange-%s" % kind for kind in types]


def refused(client, kind, method, **values):
    """406 for the type on channel 1, which is opened again: it is not known, or that of an exchange which is there."""
    source = values.get("source") or values["exchange"]
    client.send(1, method, **values)
    client.expect_channel_close(1, 406, UNKNOWN % kind if method == "exchange.declare" else NOT_LOADED % (kind, source),
                                method)
    client.open_channel(1)


def works(client, exchange, kind):
    """A message gets from the exchange, declared or standard, to a queue."""
    queue = client.call(1, "queue.declare", exclusive=True).queue
    arguments = {"x-match": "all", "k": "v"} if kind == "headers" else {}
    client.call(1, "queue.bind", queue=queue, exchange=exchange, routing_key="k", arguments=arguments)
    client.publish(1, exchange, "k", b"m", {"headers": {"k": "v"}})
    assert client.get(1, queue).body == b"m", (exchange, kind)


def without_one(t, missing):
    client = t.wire_to(t.shuntd(*only(*(kind for kind in TYPES if kind != missing))))
    refused(client, missing, "exchange.declare", exchange="e", type=missing)
    for kind in TYPES:
        if kind != missing:
            client.call(1, "exchange.declare", exchange="my." + kind, type=kind)
            works(client, "my." + kind, kind)
    for exchange, kind in STANDARD.items():
        client.call(1, "exchange.declare", exchange=exchange, passive=True)
        if kind != missing:
            works(client, exchange, kind)
            continue
        client.publish(1, exchange, "k", b"m")
        client.expect_channel_close(1, 406, NOT_LOADED % (kind, exchange), "basic.publish")
        client.open_channel(1)
        client.call(1, "queue.declare", queue="q")
        refused(client, kind, "queue.bind", queue="q", exchange=exchange, routing_key="k")


def test_without_exchange_direct(t):
    without_one(t, "direct")


def test_without_exchange_fanout(t):
    without_one(t, "fanout")


def test_without_exchange_topic(t):
    without_one(t, "topic")


def test_without_exchange_headers(t):
    without_one(t, "headers")


def test_all_four_without_a_word_of_configuration(t):
    client = t.wire_to(t.shuntd())
    for kind in TYPES:
        client.call(1, "exchange.declare", exchange="my." + kind, type=kind)
        works(client, "my." + kind, kind)


def test_first_plugin_named_replaces_the_built_in_list(t):
    client = t.wire_to(t.shuntd(*only("fanout", "direct")))
    for kind in ("fanout", "direct"):
        client.call(1, "exchange.declare", exchange="my." + kind, type=kind)
    for kind in ("topic", "headers"):
        refused(client, kind, "exchange.declare", exchange="e", type=kind)


def test_standard_exchange_without_its_type_is_declared_again_as_unknown(t):
    """As with any name: the type is looked for first."""
    client = t.wire_to(t.shuntd(*only("direct")))
    refused(client, "topic", "exchange.declare", exchange="amq.topic", type="topic", durable=True)


def test_standard_exchange_without_its_type_in_bindings_between_exchanges(t):
    """As a source it is refused; as a destination it takes the message and has nowhere to put it."""
    client = t.wire_to(t.shuntd(*only("direct")))
    client.call(1, "exchange.declare", exchange="e", type="direct")
    refused(client, "topic", "exchange.bind", destination="e", source="amq.topic", routing_key="k")
    client.call(1, "exchange.bind", destination="amq.topic", source="e", routing_key="k")
    client.publish(1, "e", "k", b"m", mandatory=True)
    message = client.read_message("basic.return")
    assert (message.method.reply_code, message.body) == (312, b"m"), message
    client.call(1, "exchange.unbind", destination="amq.topic", source="e", routing_key="k")


def test_standard_exchange_without_its_type_as_alternate_exchange(t):
    client = t.wire_to(t.shuntd(*only("direct")))
    client.call(1, "exchange.declare", exchange="e", type="direct", arguments={"alternate-exchange": "amq.fanout"})
    client.publish(1, "e", "nowhere", b"m", mandatory=True)
    assert client.read_message("basic.return").body == b"m"


def test_what_was_never_bound_is_unbound_also_without_the_type(t):
    client = t.wire_to(t.shuntd(*only("direct")))
    client.call(1, "queue.declare", queue="q")
    client.call(1, "queue.unbind", queue="q", exchange="amq.topic", routing_key="k")


def test_standard_exchange_without_its_type_cannot_be_deleted(t):
    client = t.wire_to(t.shuntd(*only("direct")))
    client.send(1, "exchange.delete", exchange="amq.topic")
    client.expect_channel_close(
        1, 403, "ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' not allowed", "exchange.delete")


def test_publishing_without_the_type_ends_no_other_channel(t):
    """Confirms of what went elsewhere come; the refused one gets none."""
    client = t.wire_to(t.shuntd(*only("direct")))
    client.open_channel(2)
    client.call(2, "queue.declare", queue="q")
    client.call(2, "confirm.select")
    client.publish(2, "", "q", b"m")
    client.publish(1, "amq.fanout", "k", b"m")
    client.publish(2, "", "q", b"m")
    answers = [client.read_method("basic.ack", "channel.close") for _ in range(2)]
    while sum(a.name == "basic.ack" and (2 if a.multiple else 1) for a in answers) < 2:
        answers.append(client.read_method("basic.ack", "channel.close"))
    closes = [a for a in answers if a.name == "channel.close"] or [client.read_method("channel.close")]
    wire.check_close(closes[0], 406, NOT_LOADED % ("fanout", "amq.fanout"), "basic.publish")
    assert closes[0].channel == 1
    assert client.expect_quiet(2, "q").message_count == 2


def test_default_exchange_needs_no_plugin(t):
    """Only a plugin that has nothing to do with it is loaded."""
    client = t.wire_to(t.shuntd("plugin=" + sdk.plugin_path(t, "exchange-fanout")))
    client.call(1, "queue.declare", queue="q", durable=True)
    client.publish(1, "", "q", b"m", {"delivery_mode": 2})
    assert client.get(1, "q").body == b"m"
    refused(client, "direct", "exchange.declare", exchange="e", type="direct")


def test_plugin_by_path_works_as_by_name(t):
    path = sdk.plugin_path(t, "exchange-topic")
    client = t.wire_to(t.shuntd("plugins.dir=/no/such/directory", "plugin=" + path))
    client.call(1, "exchange.declare", exchange="e", type="topic")
    works(client, "e", "topic")
    works(client, "amq.topic", "topic")
