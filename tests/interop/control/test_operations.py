# SPDX-License-Identifier: MIT
"""Commands that declare, delete, purge and close."""

import contextlib
import json
import os
import subprocess

import pika

from lib.runner import limit
from lib.shuntctl import ctl, only_shunt, shuntctl_of, start_ctl


def messages(t, channel, queue):
    return t.counts(channel, queue)[0]


# --- As rabbitmqctl has them


@limit(60)
def test_purge_queue(t):
    channel = t.channel()
    queue = t.queue(channel)
    for body in "abc":
        channel.basic_publish("", queue, body)
    t.wait_counts(channel, queue, 3)
    assert ctl(t, "purge_queue", queue) == "Purging queue '%s' in vhost '/' ...\n" % queue
    assert messages(t, channel, queue) == 0
    assert ctl(t, "-q", "purge_queue", queue) == ""
    assert ctl(t, "purge_queue", t.name("missing"), status=69) == "Error:\nnot_found\n"
    assert ctl(t, "purge_queue", "-p", t.name("vhost"), queue, status=69) == "Error:\nnot_found\n"
    assert ctl(t, "purge_queue", status=64).startswith("Error (argument validation): not enough arguments.\n")


@limit(60)
def test_delete_queue(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    channel.basic_publish("", queue, "x")
    t.wait_counts(channel, queue, 1)
    done = start_ctl(t, "delete_queue", queue, "-e")
    assert (done.returncode, done.stdout, done.stderr) == (
        64, "Deleting queue '%s' on vhost '/' if queue is empty ...\n" % queue, "Error:\nQueue is not empty\n"), done
    tag = t.consume(channel, queue)
    t.deliveries(channel, 1)
    done = start_ctl(t, "delete_queue", queue, "--if-unused")
    assert (done.returncode, done.stdout, done.stderr) == (
        64, "Deleting queue '%s' on vhost '/' if queue is unused ...\n" % queue, "Error:\nQueue is in use\n"), done
    channel.basic_cancel(tag)
    channel.basic_recover(requeue=True)
    t.wait_counts(channel, queue, 1, 0)
    assert ctl(t, "delete_queue", "-u", queue) == (
        "Deleting queue '%s' on vhost '/' if queue is unused ...\nQueue was successfully deleted with 1 ready messages\n"
        % queue)
    assert ctl(t, "delete_queue", queue, status=64) == "Error:\nQueue not found\n"
    assert ctl(t, "delete_queue", "-p", t.name("vhost"), queue, status=64) == "Error:\nQueue not found\n"


@limit(60)
def test_delete_an_exclusive_queue(t):
    """It is an operator's as well."""
    channel = t.channel()
    queue = t.queue(channel)
    assert ctl(t, "delete_queue", "-q", queue) == "Queue was successfully deleted with 0 ready messages\n"
    with t.channel_closed(404):
        channel.queue_declare(queue, passive=True)


@limit(60)
def test_close_connection(t):
    connection = t.connect()
    port = connection._impl._transport._sock.getsockname()[1]
    pids = dict(line.split("\t") for line in ctl(t, "list_connections", "-s", "peer_port", "pid").split("\n") if line)
    pid = pids[str(port)]
    assert ctl(t, "close_connection", pid, "because of this") == \
        "Closing connection %s, reason: because of this...\n" % pid
    try:
        t.wait(lambda: connection.process_data_events(0.01), "the end", pause=0)
    except pika.exceptions.ConnectionClosedByBroker as error:
        assert (error.reply_code, error.reply_text) == (320, "CONNECTION_FORCED - because of this"), error
    else:
        raise AssertionError("it is still open")
    # what is closed already is closed
    ctl(t, "close_connection", pid, "again")
    assert ctl(t, "close_connection", "<nosuch>", "x", status=69) == \
        "Error:\nError:\n{:invalid_pid_syntax, \"<nosuch>\"}\n"
    assert ctl(t, "close_connection", pid, status=64).startswith("Error (argument validation): not enough arguments.\n")


# --- With a broker of its own


def test_close_all_connections(t):
    only_shunt(t)
    broker = t.shuntd(loops=2)
    clients = [t.wire_to(broker) for _ in range(5)]
    assert ctl(t, "close_all_connections", "-p", "nosuch", "bye", broker=broker) == \
        "Closing all connections in vhost nosuch, reason: bye...\nClosed 0 connections\n"
    assert ctl(t, "close_all_connections", "--limit", "2", "first", broker=broker) == \
        "Closing 2 connections in vhost /, reason: first...\nClosed 2 connections\n"
    output = ctl(t, "close_all_connections", "--global", "--per-connection-delay", "10", "second ü", broker=broker)
    first, second = output.split("\n")[:2]
    assert first.startswith("Closing all connections to node shunt@"), output
    assert first.endswith(" (across all vhosts), reason: second ü...") and second == "Closed 3 connections", output
    texts = [client.read_method("connection.close").reply_text for client in clients]
    assert sorted(texts) == ["CONNECTION_FORCED - first"] * 2 + ["CONNECTION_FORCED - second ü"] * 3, texts
    assert 'event=connections.closed by="uid=' in broker.log_tail()


def test_close_all_user_connections(t):
    only_shunt(t)
    broker = t.shuntd()
    client = t.wire_to(broker)
    assert ctl(t, "close_all_user_connections", "nobody", "bye", broker=broker) == \
        "Closing connections of user nobody, reason: bye...\n"
    client.expect_quiet(1)
    ctl(t, "close_all_user_connections", "guest", "bye", broker=broker)
    client.expect_connection_close(320, "CONNECTION_FORCED - bye")


def test_closing_without_anybody_waiting(t):
    """The client of the control socket goes first."""
    only_shunt(t)
    broker = t.shuntd()
    clients = [t.wire_to(broker) for _ in range(8)]
    ctl(t, "close_all_connections", "--per-connection-delay", "1500", "-t", "1", "bye", broker=broker, status=75)
    assert clients[0].read_method("connection.close", limit=t.limit).reply_text == "CONNECTION_FORCED - bye"
    ctl(t, "ping", broker=broker)


def queues(t, broker):
    columns = ("name", "type", "durable", "auto_delete", "arguments")
    return {row["name"]: [row[column] for column in columns[1:]]
            for row in json.loads(ctl(t, "list_queues", "--formatter", "json", *columns, broker=broker))}


def test_declare_queue(t):
    only_shunt(t)
    broker = t.shuntd()
    assert ctl(t, "declare_queue", "a", broker=broker) == "Declaring queue 'a' in vhost '/' ...\n"
    ctl(t, "declare_queue", "b", "--durable", "false", "--auto-delete=true", "--arguments",
        '{"x-message-ttl":60000,"r":1.5,"s":"ü","n":null,"l":[1,{"t":true}]}', broker=broker)
    ctl(t, "declare_queue", "c", "--type", "quorum", "--arguments", "{}", broker=broker)
    assert queues(t, broker) == {
        "a": ["classic", True, False, []],
        "b": ["classic", False, True, [
            ["x-message-ttl", "long", 60000], ["r", "double", 1.5], ["s", "longstr", "ü"], ["n", "void", "undefined"],
            ["l", "array", [["long", 1], ["table", [["t", "bool", True]]]]]]],
        "c": ["quorum", True, False, [["x-queue-type", "longstr", "quorum"]]]}, queues(t, broker)
    ctl(t, "declare_queue", "a", broker=broker)   # the same once more
    assert ctl(t, "declare_queue", "a", "--auto-delete", "true", broker=broker, status=65) == (
        "Error:\ninequivalent arg 'auto_delete' for queue 'a' in vhost '/': received 'true' but current is 'false'\n")
    for arguments, text in ((("amq.x",), "queue name 'amq.x' contains reserved prefix 'amq.*'"),
                            (("",), "A queue's name must not be empty"),
                            (("x" * 256,), "A name or a routing key is longer than 255 bytes"),
                            (("d", "-p", "nosuch"), "Virtual host 'nosuch' does not exist"),
                            (("d", "--type", "odd"), "invalid arg 'x-queue-type' for queue 'd' in vhost '/': "
                             "\"unsupported queue type 'odd'\"")):
        assert ctl(t, "declare_queue", *arguments, broker=broker, status=65) == "Error:\n%s\n" % text, arguments
    for arguments in (("d", "--arguments", "[1]"), ("d", "--arguments", "{"), ("d", "--durable", "maybe"), (), ("a", "b"),
                      ("d", "--internal", "true")):
        assert ctl(t, "declare_queue", *arguments, broker=broker, status=64).startswith("Error (argument"), arguments
    deep = "[" * 200 + "]" * 200
    assert "nested too deeply" in ctl(t, "declare_queue", "d", "--arguments", '{"a":%s}' % deep, broker=broker, status=65)
    assert sorted(queues(t, broker)) == ["a", "b", "c"]


def test_durable_things_are_there_after_a_restart(t):
    only_shunt(t)
    broker = t.shuntd()
    ctl(t, "declare_queue", "stays", broker=broker)
    ctl(t, "declare_queue", "goes", "--durable", "false", broker=broker)
    ctl(t, "declare_exchange", "e", "--type", "fanout", broker=broker)
    ctl(t, "declare_binding", "e", "stays", "k", broker=broker)
    ctl(t, "declare_queue", "deleted", broker=broker)
    ctl(t, "delete_queue", "deleted", broker=broker)
    broker.end()
    broker.launch()
    assert sorted(queues(t, broker)) == ["stays"]
    assert "e\texchange\tstays\tqueue\tk\t[]" in ctl(t, "list_bindings", broker=broker)


def test_exchanges_and_bindings(t):
    only_shunt(t)
    broker = t.shuntd()
    assert ctl(t, "declare_exchange", "e", "--type", "topic", broker=broker) == "Declaring exchange 'e' in vhost '/' ...\n"
    ctl(t, "declare_exchange", "i", "--internal", "true", "--durable", "false", "--auto-delete", "true", "--arguments",
        '{"alternate-exchange":"e"}', broker=broker)
    ctl(t, "declare_queue", "q", broker=broker)
    rows = ctl(t, "list_exchanges", "-s", "name", "type", "durable", "auto_delete", "internal", "arguments", broker=broker)
    assert "e\ttopic\ttrue\tfalse\tfalse\t[]\n" in rows, rows
    assert 'i\tdirect\tfalse\ttrue\ttrue\t[{"alternate-exchange","e"}]\n' in rows, rows
    assert ctl(t, "declare_binding", "e", "q", "a.#", broker=broker) == \
        "Binding queue 'q' to exchange 'e' with routing key 'a.#' in vhost '/' ...\n"
    assert ctl(t, "declare_binding", "e", "i", "--destination-type", "exchange", "--arguments", '{"n":1}', broker=broker) \
        == "Binding exchange 'i' to exchange 'e' with routing key '' in vhost '/' ...\n"
    columns = ("source_name", "destination_kind", "destination_name", "routing_key", "arguments")

    def bindings():
        return sorted(line for line in ctl(t, "list_bindings", "-s", *columns, broker=broker).split("\n")
                      if line.startswith("e"))
    assert bindings() == ['e\texchange\ti\t\t[{"n",1}]', "e\tqueue\tq\ta.#\t[]"], bindings()
    assert ctl(t, "delete_exchange", "-u", "e", broker=broker, status=65) == "Error:\nexchange 'e' in vhost '/' in use\n"
    # with other arguments it is another binding
    assert ctl(t, "delete_binding", "e", "i", "--destination-type", "exchange", broker=broker, status=64) == \
        "Error:\nBinding not found\n"
    assert ctl(t, "delete_binding", "e", "q", "a.#", broker=broker) == \
        "Unbinding queue 'q' from exchange 'e' with routing key 'a.#' in vhost '/' ...\n"
    assert bindings() == ['e\texchange\ti\t\t[{"n",1}]'], bindings()
    assert ctl(t, "delete_exchange", "e", broker=broker) == "Deleting exchange 'e' in vhost '/' ...\n"
    assert bindings() == []
    for arguments, status, text in (
            (("delete_exchange", "e"), 64, "Exchange not found"),
            (("delete_exchange", "amq.direct"), 65, "deletion of system exchange 'amq.direct' in vhost '/' not allowed"),
            (("delete_exchange", ""), 65, "operation not permitted on the default exchange"),
            (("declare_exchange", "x", "--type", "nosuch"), 65, "unknown exchange type 'nosuch'"),
            (("declare_binding", "nosuch", "q"), 65, "no exchange 'nosuch' in vhost '/'"),
            (("declare_binding", "amq.direct", "nosuch"), 65, "no queue 'nosuch' in vhost '/'"),
            (("declare_binding", "amq.direct", "q", "k" * 256), 65, "A name or a routing key is longer than 255 bytes")):
        assert ctl(t, *arguments, broker=broker, status=status) == "Error:\n%s\n" % text, arguments
    assert ctl(t, "declare_binding", "e", "q", "--destination-type", "x", broker=broker, status=64).startswith("Error (arg")


def test_an_exclusive_queue_is_bound_and_purged(t):
    only_shunt(t)
    broker = t.shuntd(loops=2)
    client = t.wire_to(broker)
    client.call(1, "queue.declare", queue="mine", exclusive=True)
    ctl(t, "declare_binding", "amq.fanout", "mine", broker=broker)
    client.publish(1, "amq.fanout", "", b"m")
    ctl(t, "purge_queue", "mine", broker=broker)
    assert client.call(1, "queue.declare", queue="mine", exclusive=True).message_count == 0
    ctl(t, "delete_binding", "amq.fanout", "mine", broker=broker)


def test_what_is_changed_is_audited(t):
    only_shunt(t)
    broker = t.shuntd()
    ctl(t, "declare_queue", "q\"1", broker=broker)
    ctl(t, "declare_queue", "q\"1", broker=broker)   # changes nothing
    ctl(t, "declare_binding", "amq.topic", "q\"1", "k", broker=broker)
    ctl(t, "purge_queue", "q\"1", broker=broker)
    ctl(t, "delete_queue", "q\"1", broker=broker)
    lines = [line.split(" audit[0]: ")[1] for line in broker.log_tail().split("\n") if " audit[0]: event=" in line and "control socket" in line]
    events = [line.split()[0] for line in lines]
    assert events == ["event=queue.created", "event=binding.created", "event=queue.purged", "event=queue.deleted"], lines
    assert all('by="uid=' in line and 'from="control socket, pid ' in line and 'vhost="/"' in line for line in lines), lines
    assert all('"q\\"1"' in line for line in lines), lines


def refusal_of_endless_input(t, megabytes, *words):
    """What the command says after it has read less than that."""
    process = subprocess.Popen([shuntctl_of(t.broker), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=dict(os.environ, SHUNT_SOCKET=t.broker.control_socket))
    try:
        for _ in range(megabytes):
            process.stdin.write(b" " * (1 << 20))
        raise AssertionError("it has read all of it")
    except BrokenPipeError:
        pass
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        error = process.stderr.read().decode()
        status = process.wait(t.limit)
    assert status == 65, (status, error)
    return error


@limit(120)
def test_input_without_end_is_not_read_for_ever(t):
    """It would take the memory of the broker's machine; the broker takes 256 MiB of definitions."""
    only_shunt(t)
    assert "at most 268435456" in refusal_of_endless_input(t, 300, "import_definitions")
    for words in (("add_user", t.name("u")), ("hash_password",)):
        assert "Password is too long" in refusal_of_endless_input(t, 10, *words)
