# SPDX-License-Identifier: MIT
"""A broker with x_hooks.c, whose hooks do what the headers of messages say."""

import os

from lib import sdk

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "x_hooks.c")
FOUR = ["plugin=exchange-direct", "plugin=exchange-fanout", "plugin=exchange-topic", "plugin=exchange-headers"]


def serve(t, *options, loops=2):
    return t.shuntd(*FOUR, "plugin=" + sdk.build(t, SOURCE), *options, loops=loops)


def client_of(t, *queues, loops=2, confirms=False):
    """A client on channel 1 with these queues."""
    client = t.wire_to(serve(t, loops=loops))
    for queue in queues:
        client.call(1, "queue.declare", queue=queue)
    if confirms:
        client.call(1, "confirm.select")
    return client


def send(client, queue, body=b"m", channel=1, properties=None, mandatory=False, **headers):
    """Publishes what tells the hooks: a_key="x" is the header "a.key"."""
    said = {name.replace("_", ".", 1): value for name, value in headers.items()}
    client.publish(channel, "", queue, body, dict(properties or {}, headers=said), mandatory=mandatory)


def counts(client, *queues, channel=1):
    return [client.expect_quiet(channel, queue).message_count for queue in queues]


def confirmed(client, up_to, channel=1):
    """Reads acks until all up to this one are confirmed; each once."""
    done = set()
    while len(done) < up_to:
        ack = client.read_method("basic.ack", channel=channel)
        told = set(range(1, ack.delivery_tag + 1)) - done if ack.multiple else {ack.delivery_tag}
        assert told and not told & done, (ack, done)
        done |= told
    assert done == set(range(1, up_to + 1)), done
