# SPDX-License-Identifier: MIT
"""Definitions files of the tests: written, exported, compared, and used."""

import copy
import json
import os
import tempfile

import pika.exceptions

from . import definitions as rabbitmq
from .shuntctl import ctl

CHECKED_IN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "definitions",
                          "rabbitmq-3.10.json")
SECTIONS = ("users", "vhosts", "permissions", "topic_permissions", "parameters", "global_parameters", "policies",
            "queues", "exchanges", "bindings")


def write(t, content):
    """A file with this text, or this JSON."""
    fd, path = tempfile.mkstemp(prefix="shunt-definitions-", suffix=".json")
    t.cleanup(lambda: os.unlink(path))
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.write(content if isinstance(content, str) else json.dumps(content))
    return path


def export(t, broker=None):
    return json.loads(ctl(t, "-q", "export_definitions", "-", broker=broker))


def pairs_as_object(value):
    return dict(value) if isinstance(value, list) else value


def normal(definitions, with_hashes=True):
    """What RabbitMQ's file and Shunt's have in common, each section as sorted texts."""
    result = {name: copy.deepcopy(definitions.get(name, [])) for name in SECTIONS}
    result["queues"] = [q for q in result["queues"] if q["durable"]]
    result["exchanges"] = [dict(e, internal=e.get("internal", False)) for e in result["exchanges"] if e["durable"]]
    names = {("queue", q["vhost"], q["name"]) for q in result["queues"]}
    names |= {("exchange", e["vhost"], e["name"]) for e in result["exchanges"]}
    result["bindings"] = [b for b in result["bindings"]
                          if (b["destination_type"], b["vhost"], b["destination"]) in names
                          and (b["source"].startswith("amq.") or ("exchange", b["vhost"], b["source"]) in names)]
    for vhost in result["vhosts"]:
        tags = vhost["metadata"]["tags"]
        vhost["metadata"]["tags"] = tags if isinstance(tags, list) else [tag for tag in tags.split(",") if tag]
        vhost.pop("limits")   # they are among the parameters, too
    for parameter in result["parameters"]:
        if "definition" in parameter["value"]:
            parameter["value"]["definition"] = pairs_as_object(parameter["value"]["definition"])
    for user in result["users"]:
        if "shunt_password_hash" in user or not with_hashes:   # of who has logged in: not RabbitMQ's any more
            user.pop("shunt_password_hash", None)
            user.pop("password_hash")
    return {name: sorted(json.dumps(item, sort_keys=True) for item in items) for name, items in result.items()}


def assert_same(a, b, with_hashes=True):
    a, b = normal(a, with_hashes), normal(b, with_hashes)
    for name in SECTIONS:
        assert a[name] == b[name], "%s\nonly left: %s\nonly right: %s" % (
            name, sorted(set(a[name]) - set(b[name])), sorted(set(b[name]) - set(a[name])))


def login(broker, user, password, vhost):
    return rabbitmq.connection_to(broker, vhost, user, password)


def check_logins(broker):
    connection = login(broker, "alice", rabbitmq.USERS["alice"][0], "orders")
    channel = connection.channel()
    channel.queue_declare("orders-new", durable=True)
    channel.queue_delete("orders-new")
    connection.close()
    name = list(rabbitmq.USERS)[-1]
    login(broker, name, rabbitmq.USERS[name][0], rabbitmq.VHOSTS[2]).close()
    for user, password in (("alice", "wrong"), ("nobody", ""), ("nobody", "to be cleared")):
        try:
            login(broker, user, password, "orders")
        except pika.exceptions.AMQPConnectionError:
            continue
        raise AssertionError("%s got in" % user)


def definitions(**sections):
    return dict({"rabbit_version": "3.10.8", "vhosts": [{"name": "v"}]}, **sections)


QUEUE = {"name": "q", "vhost": "v", "durable": True, "auto_delete": False, "arguments": {}}
EXCHANGE = {"name": "e", "vhost": "v", "type": "direct", "durable": True, "auto_delete": False, "arguments": {}}
BINDING = {"vhost": "v", "source": "amq.direct", "destination": "q", "destination_type": "queue", "routing_key": "k",
           "arguments": {}}
USER = {"name": "u", "tags": [], "password_hash": "kyGY7uG7IJ8AmlSxfOKjav1EoeIKy04wvJxcDLecSkFzqUld",
        "hashing_algorithm": "rabbit_password_hashing_sha256"}
PERMISSION = {"user": "guest", "vhost": "v", "configure": "", "write": "", "read": ""}
POLICY = {"vhost": "v", "name": "p", "pattern": ".*", "definition": {"message-ttl": 1}}
