# SPDX-License-Identifier: MIT
"""Vhosts that come and go while clients are connected."""

import re
import signal
import subprocess

import pika
import pika.exceptions

from lib.case import parameters_of
from lib.runner import limit, slow
from lib.shuntctl import ctl, only_shunt, shuntctl_of, start_ctl


def new_vhost(t, *arguments, broker=None):
    """A vhost of this test's own, with all permissions for the user of the tests."""
    vhost = t.name("v")
    ctl(t, "add_vhost", vhost, *arguments, broker=broker)
    t.cleanup(lambda: start_ctl(t, "delete_vhost", vhost, broker=broker))
    permit(t, vhost, broker)
    return vhost


def permit(t, vhost, broker=None):
    user = (broker or t.broker).user
    ctl(t, "set_permissions", "-p", vhost, user, ".*", ".*", ".*", broker=broker)


def refused(t, vhost):
    """Why the vhost cannot be opened."""
    try:
        t.connect(vhost=vhost)
    except pika.exceptions.ProbableAccessDeniedError as error:
        return str(error)
    raise AssertionError("the vhost can be opened")


@limit(60)
def test_a_new_vhost(t):
    vhost = t.name("v")
    assert "vhost %s not found" % vhost in refused(t, vhost)
    ctl(t, "add_vhost", vhost)
    t.cleanup(lambda: start_ctl(t, "delete_vhost", vhost))
    assert "access to vhost '%s' refused for user 'guest'" % vhost in refused(t, vhost)
    permit(t, vhost)
    channel = t.connect(vhost=vhost).channel()
    channel.confirm_delivery()
    channel.queue_declare("q")
    for kind in ("direct", "fanout", "topic", "headers"):
        channel.queue_bind("q", "amq." + kind, "k")
    for exchange in ("", "amq.direct", "amq.fanout", "amq.topic", "amq.headers"):
        channel.basic_publish(exchange, "k" if exchange else "q", b"x", mandatory=True)
    t.wait_counts(channel, "q", 5)
    # in the other one there is no such queue
    with t.channel_closed(404, "NOT_FOUND - no queue 'q' in vhost '%s'" % t.broker.vhost):
        t.channel().queue_declare("q", passive=True)


@limit(60)
def test_connections_of_a_deleted_vhost_are_closed(t):
    vhost = new_vhost(t)
    victims = [t.connect(vhost=vhost) for _ in range(4)]
    bystander = t.connect()
    channels = [victim.channel() for victim in victims]
    for channel in channels:
        t.consume(channel, t.queue(channel))
    ctl(t, "delete_vhost", vhost)
    for victim in victims:
        # RabbitMQ may also stop the vhost before it closes the connection
        with t.connection_closed(320, "CONNECTION_FORCED - vhost '%s' is deleted" % vhost,
                                 rabbit3=re.compile("vhost '%s' is (deleted|down)$" % vhost)):
            t.wait(lambda v=victim: v.process_data_events(0.05), "connection.close")
    assert "vhost %s not found" % vhost in refused(t, vhost)
    bystander.channel().queue_declare(t.name("q"), exclusive=True)


@limit(60)
def test_nothing_is_left_for_the_next_of_that_name(t):
    vhost = new_vhost(t)
    channel = t.connect(vhost=vhost).channel()
    channel.confirm_delivery()
    channel.exchange_declare("e", "topic", durable=True)
    channel.queue_declare("q", durable=True)
    channel.queue_bind("q", "e", "#")
    for _ in range(50):
        channel.basic_publish("e", "k", b"x", pika.BasicProperties(delivery_mode=2))
    ctl(t, "delete_vhost", vhost)
    ctl(t, "add_vhost", vhost)
    assert "access to vhost '%s' refused for user 'guest'" % vhost in refused(t, vhost)
    permit(t, vhost)
    channel = t.connect(vhost=vhost).channel()
    with t.channel_closed(404, "NOT_FOUND - no exchange 'e' in vhost '%s'" % vhost):
        channel.exchange_declare("e", passive=True)
    channel = t.connect(vhost=vhost).channel()
    assert channel.queue_declare("q", durable=True).method.message_count == 0


@limit(60)
def test_queue_limit(t):
    vhost = new_vhost(t)
    ctl(t, "set_vhost_limits", "-p", vhost, '{"max-queues": 2}')
    connection = t.connect(vhost=vhost)
    channel = connection.channel()
    channel.queue_declare("a")
    channel.queue_declare("b", exclusive=True)
    with t.channel_closed(406, "PRECONDITION_FAILED - cannot declare queue 'c': queue limit in vhost '%s' (2) is "
                               "reached" % vhost):
        channel.queue_declare("c", durable=True)
    channel = connection.channel()
    channel.queue_declare("a")   # it is there
    channel.queue_delete("b")
    channel.queue_declare("c", durable=True)
    ctl(t, "clear_vhost_limits", "-p", vhost)
    channel.queue_declare("d", durable=True)


@limit(60)
def test_connection_limit(t):
    vhost = new_vhost(t)
    ctl(t, "set_vhost_limits", "-p", vhost, '{"max-connections": 1}')
    first = t.connect(vhost=vhost)
    assert ("access to vhost '%s' refused for user 'guest': connection limit (1) is reached" % vhost
            in refused(t, vhost))
    first.close()

    def has_room():
        try:
            return t.connect(vhost=vhost).is_open
        except pika.exceptions.ProbableAccessDeniedError:
            return False
    t.wait(has_room, "room for another connection")
    ctl(t, "set_vhost_limits", "-p", vhost, '{"max-connections": 0}')
    assert "connection limit (0) is reached" in refused(t, vhost)


@limit(120)
def test_kept_by_a_restart(t):
    only_shunt(t)
    broker = t.shuntd()
    for vhost, arguments in (("kept", ["--description", "a text", "--tags", "a,b"]), ("gone", [])):
        ctl(t, "add_vhost", vhost, *arguments, broker=broker)
        permit(t, vhost, broker)
    ctl(t, "set_vhost_limits", "-p", "kept", '{"max-queues": 7}', broker=broker)
    ctl(t, "delete_vhost", "gone", broker=broker)
    columns = ("list_vhosts", "-q", "name", "description", "tags")
    before = ctl(t, *columns, broker=broker)
    assert before == ("name\tdescription\ttags\n/\tDefault virtual host\t[]\nkept\ta text\t[a, b]\n"), before
    with open(broker.log_path, encoding="utf-8") as log:
        said = re.findall(r"audit\S* event=(vhost\S+) by=\"uid=\d+\" from=\"control socket, pid \d+\" (.*)", log.read())
    assert said == [("vhost.created", 'name="kept"'), ("vhost.created", 'name="gone"'),
                    ("vhost.limits.set", 'name="kept" max-connections=-1 max-queues=7'),
                    ("vhost.deleted", 'name="gone"')], said
    broker.end()
    broker.launch()
    assert ctl(t, *columns, broker=broker) == before
    assert ctl(t, "list_vhost_limits", "--global", "-s", broker=broker) == 'kept\t{"max-queues":7}\n'
    assert "kept" in ctl(t, "list_user_permissions", "guest", broker=broker)


@limit(120)
def test_clients_declare_while_it_is_deleted(t):
    """Whatever they were at, they are told that it is deleted, and nothing of it stays."""
    vhost = new_vhost(t)
    wires = [t.connect(vhost=vhost) for _ in range(3)]
    channels = [connection.channel() for connection in wires]
    channels[0].exchange_declare("e", "topic", durable=True)
    for round_ in range(30):
        for number, channel in enumerate(channels):
            # without an answer, so that some are under way whenever it comes
            channel._impl.queue_declare("q%d.%d" % (number, round_), durable=round_ % 2 == 0)
            channel._impl.queue_bind("q%d.%d" % (number, round_), "e", "k.#")
    for connection in wires:
        connection.process_data_events(0)
    ctl(t, "delete_vhost", vhost)
    for connection in wires:
        try:
            t.wait(lambda c=connection: c.process_data_events(0.05), "the end")
        except pika.exceptions.ConnectionClosedByBroker as error:
            assert error.reply_code == 320, error
    ctl(t, "add_vhost", vhost)
    for command in ("list_queues", "list_exchanges", "list_bindings"):
        said = ctl(t, command, "-p", vhost, "-s").split("\n")
        assert not [line for line in said if line and "amq." not in line and "direct" not in line], said


QUEUES = 1500


def channel_to(broker, vhost):
    return pika.BlockingConnection(parameters_of(broker, vhost)).channel()


def fill(broker, vhost):
    """Durable queues with a persistent message each."""
    channel = channel_to(broker, vhost)
    for number in range(QUEUES):
        channel._impl.queue_declare("q%d" % number, durable=True)   # without an answer
        channel._impl.queue_bind("q%d" % number, "amq.fanout", "")
    channel.queue_declare("last", durable=True)
    channel.confirm_delivery()
    channel.basic_publish("amq.fanout", "", b"x", pika.BasicProperties(delivery_mode=2))


@slow
@limit(120)
def test_killed_while_a_vhost_is_deleted(t):
    """The next start goes on: nothing of it comes back, and what is in others stays."""
    only_shunt(t)
    broker = t.shuntd()
    ctl(t, "add_vhost", "v", broker=broker)
    permit(t, "v", broker)
    fill(broker, "v")
    other = channel_to(broker, "/")
    other.queue_declare("stays", durable=True)
    other.confirm_delivery()
    other.basic_publish("", "stays", b"here", pika.BasicProperties(delivery_mode=2))
    environment = {"SHUNT_SOCKET": broker.control_socket}
    with subprocess.Popen([shuntctl_of(broker), "-q", "delete_vhost", "v"], env=environment,
                          stderr=subprocess.DEVNULL) as deletion:
        t.wait(lambda: "v" not in ctl(t, "list_vhosts", "-s", broker=broker).split(), "the deletion to begin", pause=0)
        broker.end(signal.SIGKILL)
        was_under_way = deletion.wait() != 0
    broker.launch()
    with open(broker.log_path, encoding="utf-8") as log:
        goes_on = "the deletion of a vhost goes on" in log.read()
    # it may have been over, but for its permissions, before shuntctl was told
    assert was_under_way or not goes_on
    assert ctl(t, "list_vhosts", "-s", broker=broker) == "/\n"
    assert ctl(t, "list_queues", "-s", broker=broker) == "stays\t1\n"
    ctl(t, "add_vhost", "v", broker=broker)
    assert ctl(t, "list_queues", "-s", "-p", "v", broker=broker) == ""
    assert "guest" not in ctl(t, "list_permissions", "-s", "-p", "v", broker=broker)
    broker.end()   # nothing is left that the next start stumbles over
    broker.launch()
    assert ctl(t, "list_vhosts", "-s", broker=broker) == "/\nv\n"
