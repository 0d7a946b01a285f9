# SPDX-License-Identifier: MIT
"""Fills a RabbitMQ with definitions of every kind that it exports, for what is checked in as rabbitmq-3.10.json and
for the tests that make such a file anew."""

import pika

from .case import parameters_of

# user -> password (None: cannot log in with one), tags
USERS = {
    "alice": ("correct horse", ["administrator"]),
    "bob": ("b\u00f6b's password", ["monitoring", "management"]),
    "nobody": (None, []),
    "\u00fcnic\u00f6de-\u540d": ("\u5bc6\u7801", []),
}
VHOSTS = ["orders", "orders/eu", "\u00fcml\u00e4ut"]

QUORUM = {"x-queue-type": "quorum"}
# name -> arguments; what Shunt takes
QUEUES = {
    "plain": {},
    "expiring": {"x-expires": 86400000, "x-message-ttl": 60000},
    "lazy": {"x-queue-mode": "lazy", "x-queue-version": 1},
    "unknown": {"x-not-known": {"nested": [1, "two", True, None]}, "big": 2 ** 40, "small": -7},
    "quorum": dict(QUORUM, **{"x-delivery-limit": 5, "x-quorum-initial-group-size": 1}),
    "na\u00efve queue/with%odd\"name": {},
}
# what Shunt refuses for now
UNBUILT = {
    "dead-lettering": {"x-dead-letter-exchange": "dead", "x-dead-letter-routing-key": "letters"},
    "limited": {"x-max-length": 1000, "x-max-length-bytes": 1048576, "x-overflow": "reject-publish"},
    "prioritised": {"x-max-priority": 10},
    "single": {"x-single-active-consumer": True},
    "quorum-dead": dict(QUORUM, **{"x-dead-letter-exchange": "dead", "x-dead-letter-strategy": "at-least-once",
                                   "x-overflow": "reject-publish"}),
}
# name -> type, auto_delete, internal, arguments
EXCHANGES = {
    "dead": ("direct", False, False, {}),
    "all": ("fanout", True, False, {}),
    "by topic": ("topic", False, False, {"alternate-exchange": "dead"}),
    "hidden": ("headers", False, True, {}),
}


def fill(ctl, connect, with_unbuilt=False):
    """ctl(*arguments) runs rabbitmqctl; connect(vhost) is a pika connection of guest's."""
    fill_access(ctl)
    fill_policies(ctl)
    for vhost in ("orders", VHOSTS[2]):
        ctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
        connection = connect(vhost)
        fill_topology(connection.channel(), dict(QUEUES, **(UNBUILT if with_unbuilt else {})))
        connection.close()


def fill_access(ctl):
    for name, (password, tags) in USERS.items():
        ctl("add_user", name, password or "to be cleared")
        if password is None:
            ctl("clear_password", name)
        if tags:
            ctl("set_user_tags", name, *tags)
    ctl("add_vhost", "orders", "--description", "What is ordered", "--tags", "production,eu")
    ctl("add_vhost", "orders/eu")
    ctl("add_vhost", VHOSTS[2])
    ctl("set_vhost_limits", "-p", "orders", '{"max-connections": 256, "max-queues": 1000}')
    ctl("set_user_limits", "bob", '{"max-connections": 5, "max-channels": 50}')
    ctl("set_permissions", "-p", "orders", "alice", "^orders-.*", ".*", ".*")
    ctl("set_permissions", "-p", "orders", "bob", "", "^(amq\\.topic|all)$", "")
    ctl("set_permissions", "-p", VHOSTS[2], "\u00fcnic\u00f6de-\u540d", ".*", ".*", ".*")
    ctl("set_topic_permissions", "-p", "orders", "bob", "amq.topic", "^{username}\\.", ".*")


def fill_policies(ctl):
    ctl("set_policy", "-p", "orders", "ttl", "^temp\\.", '{"message-ttl": 1000, "queue-mode": "lazy"}',
        "--priority", "7", "--apply-to", "queues")
    ctl("set_policy", "-p", VHOSTS[2], "alternate", ".*", '{"alternate-exchange": "dead"}', "--apply-to", "exchanges")
    ctl("set_operator_policy", "-p", "orders", "cap", ".*", '{"max-length": 100000, "expires": 3600000}',
        "--apply-to", "queues")
    ctl("set_global_parameter", "mqtt_default_vhosts", '{"O=client,CN=guest": "/"}')
    ctl("set_global_parameter", "a_list", '[1, "two", null, true]')


def fill_topology(channel, queues):
    for name, (kind, auto_delete, internal, arguments) in EXCHANGES.items():
        channel.exchange_declare(name, kind, durable=True, auto_delete=auto_delete, internal=internal,
                                 arguments=arguments)
    channel.exchange_declare("gone after a restart", "direct", durable=False)
    for name, arguments in queues.items():
        channel.queue_declare(name, durable=True, arguments=arguments)
    channel.queue_declare("auto", durable=True, auto_delete=True)
    channel.queue_declare("transient", durable=False)
    channel.queue_declare("mine", exclusive=True)
    channel.queue_bind("plain", "by topic", "orders.#")
    channel.queue_bind("plain", "by topic", "orders.#", {"note": "the same with an argument"})
    channel.queue_bind("expiring", "hidden", "", {"x-match": "all", "size": 3, "colour": "r\u00f6d"})
    channel.queue_bind("transient", "dead", "goes with its queue")
    channel.exchange_bind("all", "by topic", "*.all")
    channel.exchange_bind("hidden", "amq.direct", "to hidden")


def connection_to(broker, vhost, user="guest", password="guest"):
    return pika.BlockingConnection(parameters_of(
        broker, vhost, pika.PlainCredentials(user, password), connection_attempts=3, heartbeat=None))
