#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Publishes to a running shuntd with the hook @NAME@: test.py [URL]. Needs pika (python3-pika)."""

import sys

import pika

URL = sys.argv[1] if len(sys.argv) > 1 else "amqp://guest:guest@localhost:5672/"


def main():
    parameters = pika.URLParameters(URL)
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_publish("", queue, b"hello", pika.BasicProperties(headers={"mine": 1}))
        _, properties, body = channel.basic_get(queue, auto_ack=True)
        user = parameters.credentials.username
        assert body == b"hello", body
        assert properties.headers == {"mine": 1, "x-user": user}, properties.headers
    print("@NAME@: the message is stamped")


if __name__ == "__main__":
    main()
