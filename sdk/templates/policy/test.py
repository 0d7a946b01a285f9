#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Logs in to a running shuntd with the policy @NAME@ and the users of users.example: test.py [URL]. Needs pika."""

import sys

import pika
import pika.exceptions

URL = sys.argv[1] if len(sys.argv) > 1 else "amqp://guest:guest@localhost:5672/"


def connect(user, password):
    parameters = pika.URLParameters(URL)
    parameters.credentials = pika.PlainCredentials(user, password)
    return pika.BlockingConnection(parameters)


def is_refused(exception, call, *arguments):
    try:
        call(*arguments)
    except exception:
        return True
    return False


def main():
    assert is_refused(pika.exceptions.ProbableAuthenticationError, connect, "alice", "queen")
    with connect("alice", "wonderland") as owner:
        channel = owner.channel()
        channel.queue_declare("@NAME@.test")
        with connect("rabbit", "wonderland") as reader:
            assert reader.channel().basic_get("@NAME@.test")[0] is None
            assert is_refused(pika.exceptions.ChannelClosedByBroker, reader.channel().queue_delete, "@NAME@.test")
        channel.queue_delete("@NAME@.test")
    # whom the file does not know is left to the broker's own users
    pika.BlockingConnection(pika.URLParameters(URL)).close()
    print("@NAME@: who may is let in, and who may not is not")


if __name__ == "__main__":
    main()
