# SPDX-License-Identifier: MIT
"""rabbitmq-c's command line tools, as shell scripts use them."""

import os
import shutil
import socket

from lib import certificates
from lib.process import Program, output_of

TOOLS = ("declare-queue", "publish", "get", "consume", "delete-queue")


def available():
    missing = [tool for tool in TOOLS if not shutil.which("amqp-" + tool)]
    return "amqp-tools are not installed" if missing else None


def where(t, **parts):
    """Options that say where the broker is; with TLS by its name, as rabbitmq-c finds no addresses in a certificate."""
    if t.broker.authority is None:
        return ["--url=" + t.broker.url(**parts)]
    return ["--url=" + t.broker.url(certificates.HOST, **parts), "--cacert=" + t.broker.authority.file]


def tool(t, name, *arguments, **options):
    return output_of(t, "amqp-" + name, *where(t), *arguments, **options)


def test_declare_publish_get_delete(t):
    queue = t.name("q")
    assert tool(t, "declare-queue", "-d", "-q", queue) == queue + "\n"
    tool(t, "publish", "-r", queue, "-p", "-b", "one")
    tool(t, "publish", "-r", queue, text="two\nlines")
    assert tool(t, "get", "-q", queue) == "one"
    assert tool(t, "get", "-q", queue) == "two\nlines"
    assert tool(t, "get", "-q", queue, status=2) == ""
    tool(t, "publish", "-r", queue, "-b", "three")
    assert tool(t, "delete-queue", "-q", queue) == "1\n"


def test_declare_tells_the_servers_name(t):
    name = t.owns(tool(t, "declare-queue", "-q", "").strip())
    assert name.startswith("amq.gen-")
    assert tool(t, "delete-queue", "-q", name) == "0\n"


def test_properties_and_headers(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    tool(t, "publish", "-r", queue, "-p", "-C", "text/plain", "-E", "gzip", "-t", "back", "-H", "colour: red",
         "-H", "size: 3", "-b", "x")
    _, properties, body = t.get(channel, queue)
    assert body == b"x" and properties.delivery_mode == 2
    assert (properties.content_type, properties.content_encoding, properties.reply_to) == ("text/plain", "gzip", "back")
    assert {key: value.strip() for key, value in properties.headers.items()} == {"colour": "red", "size": "3"}


def test_each_line_a_message(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    tool(t, "publish", "-l", "-r", queue, text="".join("line %d\n" % n for n in range(500)))
    t.wait_counts(channel, queue, 500)
    assert t.bodies(channel, queue) == [b"line %d\n" % n for n in range(500)]


def test_consume_runs_a_command_for_each_message(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    for number in range(5):
        channel.basic_publish("", queue, b"%d;" % number)
    assert tool(t, "consume", "-q", queue, "-c", "3", "cat") == "0;1;2;"
    t.wait_counts(channel, queue, 2, 0)
    assert t.bodies(channel, queue) == [b"3;", b"4;"]


def test_failing_command_leaves_the_message(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    channel.basic_publish("", queue, b"precious")
    program = Program(t, ["amqp-consume", *where(t), "-q", queue, "-p", "1", "-c", "1", "--",
                          "sh", "-c", "echo seen; exit 1"])
    program.wait_line("^seen$")
    program.kill()
    t.wait_counts(channel, queue, 1)
    assert t.get(channel, queue)[0].redelivered


def test_consume_binds_an_exclusive_queue(t):
    channel = t.channel()
    exchange = t.exchange(channel, "topic")
    program = Program(t, ["amqp-consume", *where(t), "-x", "-e", exchange, "-r", "a.#", "-c", "2", "--", "sh", "-c",
                          "cat; echo"])
    channel.confirm_delivery()
    t.wait(lambda: published(channel, exchange, "a.b", b"first"), "the binding")
    channel.basic_publish(exchange, "a.c", b"second")
    assert program.wait_end()[-2:] == ["first", "second"]


def published(channel, exchange, key, body):
    """Whether the message found a queue."""
    from pika.exceptions import UnroutableError
    try:
        channel.basic_publish(exchange, key, body, mandatory=True)
        return True
    except UnroutableError:
        return False


def test_no_ack_takes_messages_as_they_are_sent(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    for _ in range(3):
        channel.basic_publish("", queue, b"x")
    assert tool(t, "consume", "-A", "-q", queue, "-c", "1", "cat") == "x"
    t.wait_counts(channel, queue, 0, 0)


def test_body_of_many_frames(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    body = os.urandom(1 << 20)
    tool(t, "publish", "-r", queue, text=body)
    assert t.get(channel, queue)[2] == body


def test_delete_in_use_is_refused(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    t.consume(channel, queue)
    output = tool(t, "delete-queue", "--if-unused", "-q", queue, status=1)
    assert "406" in output and "PRECONDITION_FAILED - queue '%s' in vhost '/' in use" % queue in output, output


def test_delete_of_a_queue_with_messages_is_refused(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    channel.basic_publish("", queue, b"x")
    t.wait_counts(channel, queue, 1)
    output = tool(t, "delete-queue", "--if-empty", "-q", queue, status=1)
    assert "406" in output and "not empty" in output


def test_get_from_a_missing_queue_says_why(t):
    name = t.name("missing")
    output = tool(t, "get", "-q", name, status=1)
    assert "404" in output and "NOT_FOUND - no queue '%s' in vhost '/'" % name in output


def test_wrong_password_says_why(t):
    output = output_of(t, "amqp-get", *where(t, password="wrong"), "-q", "q", status=1)
    assert "ACCESS_REFUSED" in output and "403" in output


def test_unknown_vhost_says_why(t):
    output = output_of(t, "amqp-get", *where(t, vhost="nowhere"), "-q", "q", status=1)
    assert "530" in output and "vhost nowhere not found" in output, output


def test_nobody_there(t):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        output = output_of(t, "amqp-get", *where(t, port=listener.getsockname()[1]), "-q", "q", status=1)
    assert "opening socket" in output or "socket error" in output


def test_distrust(t):
    t.distrust()
    assert tool(t, "get", "-q", "q", status=1) == "opening socket to localhost:%d\n" % t.broker.port
