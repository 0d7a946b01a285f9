#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Uses the exchange type @NAME@ of a running shuntd: test.py [URL]. Needs pika (python3-pika)."""

import sys

import pika

URL = sys.argv[1] if len(sys.argv) > 1 else "amqp://guest:guest@localhost:5672/"
BINDINGS = {"any": "", "fruit": "fruit.", "apple": "fruit.apple"}
MESSAGES = {"fruit.apple.red": "apple", "fruit.pear": "fruit", "fruit": "any", "": "any"}


def bodies(channel, queue):
    """All that is in the queue."""
    out = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return out
        out.append(body.decode())


def main():
    with pika.BlockingConnection(pika.URLParameters(URL)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.exchange_declare("@NAME@.test", "@NAME@", auto_delete=True)
        queues = {}
        for name, prefix in BINDINGS.items():
            queues[name] = channel.queue_declare("", exclusive=True).method.queue
            channel.queue_bind(queues[name], "@NAME@.test", prefix)
        for key in MESSAGES:
            channel.basic_publish("@NAME@.test", key, key.encode(), mandatory=True)
        for name, queue in queues.items():
            expected = [key for key, queue_name in MESSAGES.items() if queue_name == name]
            found = bodies(channel, queue)
            assert found == expected, "queue %s: expected %s, found %s" % (name, expected, found)
    print("@NAME@: %d messages, each where it belongs" % len(MESSAGES))


if __name__ == "__main__":
    main()
