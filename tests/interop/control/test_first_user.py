# SPDX-License-Identifier: MIT
"""The user that a broker begins with, and users from one start to the next."""

import signal

from lib.shuntctl import ctl, only_shunt


def users(t, broker):
    return [line for line in ctl(t, "-q", "list_users", "--no-table-headers", broker=broker).split("\n") if line]


def enters(t, broker, user, password):
    client = t.socket_to(broker)
    client.start(user=user, password=password)
    return client.read_method("connection.tune", "connection.close").name == "connection.tune"


def test_the_first_user_is_guest(t):
    only_shunt(t)
    broker = t.shuntd()
    assert users(t, broker) == ["guest\t[administrator]"]
    assert enters(t, broker, "guest", "guest")
    assert not enters(t, broker, "guest", "Guest")


def test_the_first_user_is_the_configurations(t):
    only_shunt(t)
    broker = t.shuntd("default_user=lqz", "default_pass=123", "default_vhost=v", "default_user_tags.monitoring=true",
                      "default_permissions.write=^w")
    assert users(t, broker) == ["lqz\t[monitoring]"]
    assert ctl(t, "-q", "list_permissions", "-p", "v", "--no-table-headers", broker=broker) == "lqz\t.*\t^w\t.*\n"
    assert enters(t, broker, "lqz", "123")
    assert not enters(t, broker, "guest", "guest")


def test_the_environment_counts_less_than_options(t):
    only_shunt(t)
    broker = t.shuntd("default_user=option", wrapper=["env", "SHUNT_DEFAULT_USER=env", "SHUNT_DEFAULT_PASS=p w",
                                                      "SHUNT_DEFAULT_VHOST="])
    assert users(t, broker) == ["option\t[administrator]"]
    assert enters(t, broker, "option", "p w")
    assert ctl(t, "-q", "list_vhosts", "--no-table-headers", broker=broker) == "/\n"


def test_the_first_user_does_not_come_back(t):
    only_shunt(t)
    broker = t.shuntd()
    ctl(t, "delete_user", "guest", broker=broker)
    broker.end()
    broker.launch()
    assert users(t, broker) == []
    assert not enters(t, broker, "guest", "guest")


def test_what_was_answered_is_there_after_a_kill(t):
    """Durable before it is answered: users, passwords, tags, limits, permissions."""
    only_shunt(t)
    broker = t.shuntd()
    ctl(t, "add_user", "lqz", "123", broker=broker)
    ctl(t, "set_user_tags", "lqz", "management", "x", broker=broker)
    ctl(t, "set_permissions", "lqz", "^c", "^w/%", "", broker=broker)
    ctl(t, "set_topic_permissions", "lqz", "amq.topic", "^{username}", ".*", broker=broker)
    ctl(t, "set_user_limits", "lqz", '{"max-connections": 7}', broker=broker)
    ctl(t, "clear_permissions", "guest", broker=broker)
    ctl(t, "delete_user", "guest", broker=broker)

    def look():
        return [ctl(t, "-q", *command, broker=broker) for command in (
            ["list_users"], ["list_permissions"], ["list_topic_permissions"], ["list_user_limits", "--global"])]

    before = look()
    assert "lqz\t[management, x]" in before[0] and "guest" not in before[0]
    assert "lqz\t^c\t^w/%" in before[1] and "guest" not in before[1]
    broker.end(signal.SIGKILL)
    broker.launch()
    assert look() == before
    assert enters(t, broker, "lqz", "123")
