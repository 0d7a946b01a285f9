# SPDX-License-Identifier: MIT
"""Users with few permissions, and what they are told when they do more."""

import re

from lib.shuntctl import ctl

SECRET = "s3cret"


def user(t, configure="^$", write="^$", read="^$", tags=None):
    """A user with these permissions in the vhost of the tests."""
    name = t.name("u")
    ctl(t, "add_user", name, SECRET)
    t.cleanup(lambda: delete(t, name))
    allow(t, name, configure, write, read)
    if tags:
        ctl(t, "set_user_tags", name, *tags)
    return name


def delete(t, name):
    if name in ctl(t, "-q", "list_users"):
        ctl(t, "delete_user", name)


def allow(t, name, configure="^$", write="^$", read="^$"):
    ctl(t, "set_permissions", "-p", t.broker.vhost, name, configure, write, read)


def only(*names):
    return "^(%s)$" % "|".join(re.escape(name) for name in names)


def wire(t, name, **options):
    return t.wire(user=name, password=SECRET, **options)


def text_of(t, verb, kind, resource, name):
    """RabbitMQ 3.x does not say which permission."""
    rest = "access to %s '%s' in vhost '%s' refused for user '%s'" % (kind, resource, t.broker.vhost, name)
    return "ACCESS_REFUSED - " + rest if t.rabbit3 else "ACCESS_REFUSED - %s %s" % (verb, rest)


def topic_text_of(t, verb, key, exchange, name):
    rest = ("access to topic '%s' in exchange '%s' in vhost '%s' refused for user '%s'"
            % (key, exchange, t.broker.vhost, name))
    return "ACCESS_REFUSED - " + rest if t.rabbit3 else "ACCESS_REFUSED - %s %s" % (verb, rest)


def refused(client, text, method, **fields):
    client.send(1, method, **fields)
    client.expect_channel_close(1, 403, text, method)
    client.open_channel(1)


def publish_refused(client, text, *arguments, **options):
    client.publish(1, *arguments, **options)
    client.expect_channel_close(1, 403, text, "basic.publish")
    client.open_channel(1)


def published(client, *arguments, **options):
    """It was allowed: the channel goes on."""
    client.publish(1, *arguments, **options)
    client.call(1, "basic.qos", prefetch_count=0)


def topics(t, name, exchange, write=".*", read=".*"):
    ctl(t, "set_topic_permissions", "-p", t.broker.vhost, name, exchange, write, read)
