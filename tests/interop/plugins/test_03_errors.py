# SPDX-License-Identifier: MIT
"""What a plugin refuses is the exception that the client gets: its code, its text, the method that failed."""

import os
import re

from lib import sdk

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "x_refuse.c")
CHANNEL_CODES = {403: "ACCESS_REFUSED", 404: "NOT_FOUND", 406: "PRECONDITION_FAILED"}
CONNECTION_CODES = {506: "RESOURCE_ERROR", 530: "NOT_ALLOWED", 540: "NOT_IMPLEMENTED", 541: "INTERNAL_ERROR"}


def serve(t):
    """A broker with the plugin, an exchange of it that refuses nothing by itself, and a queue."""
    broker = t.shuntd("plugin=exchange-direct", "plugin=" + sdk.build(t, SOURCE))
    client = t.wire_to(broker)
    client.call(1, "exchange.declare", exchange="e", type="x-refuse")
    client.call(1, "queue.declare", queue="q")
    return broker, client


def ask(client, where, method=None, **arguments):
    """Sends what the plugin is to refuse; returns the method's name."""
    arguments["fails"] = where
    if where in ("validate", "create"):
        client.send(1, "exchange.declare", exchange="new", type="x-refuse", arguments=arguments)
        return "exchange.declare"
    if method == "exchange.bind":
        client.send(1, method, destination="amq.direct", source="e", arguments=arguments)
        return method
    client.send(1, "queue.bind", queue="q", exchange="e", routing_key="k", arguments=arguments)
    return "queue.bind"


def channel_codes(t, where, method=None):
    _, client = serve(t)
    for code, name in CHANNEL_CODES.items():
        text = "no %s for you: 100%%" % where
        method_name = ask(client, where, method, code=code, text=text)
        client.expect_channel_close(1, code, "%s - %s" % (name, text), method_name)
        client.open_channel(1)
    # nothing of it is there
    client.send(1, "exchange.declare", exchange="new", passive=True)
    client.expect_channel_close(1, 404, "NOT_FOUND - no exchange 'new' in vhost '/'", "exchange.declare")
    client.open_channel(1)
    client.call(1, "exchange.delete", exchange="e", if_unused=True)


def test_validate_closes_the_channel(t):
    channel_codes(t, "validate")


def test_create_closes_the_channel(t):
    channel_codes(t, "create")


def test_validate_binding_closes_the_channel(t):
    channel_codes(t, "validate_binding")


def test_bind_closes_the_channel(t):
    channel_codes(t, "bind")


def test_binding_to_an_exchange_closes_the_channel(t):
    channel_codes(t, "validate_binding", "exchange.bind")
    channel_codes(t, "bind", "exchange.bind")


def test_hard_codes_close_the_connection(t):
    broker, client = serve(t)
    for where in ("validate", "create", "validate_binding", "bind"):
        for code, name in CONNECTION_CODES.items():
            other = t.wire_to(broker)
            method = ask(other, where, code=code, text="the end")
            other.expect_connection_close(code, "%s - the end" % name, method)
            other.close_socket()
    client.call(1, "exchange.delete", exchange="e", if_unused=True)


def test_no_code_and_nonsense_codes_are_541(t):
    broker, client = serve(t)
    for arguments in ({}, {"code": 0}, {"code": 1}, {"code": 200}, {"code": 65535}):
        other = t.wire_to(broker)
        method = ask(other, "validate", text="what code?", **arguments)
        other.expect_connection_close(541, "INTERNAL_ERROR - exchange type 'x-refuse' failed", method)
        other.close_socket()
    client.expect_quiet(1)
    log = broker.log_tail(100)
    assert re.search(r" W exchange\[\d\]: plugin gave no usable reply code: plugin=x-refuse type=x-refuse code=65535$",
                     log, re.MULTILINE), log


def test_text_is_cut_to_what_amqp_carries(t):
    """Also one that fills the room it has and does not end."""
    _, client = serve(t)
    for arguments in ({"text": "x" * 253}, {"text": "x", "endless": True}):
        method = ask(client, "validate_binding", code=406, **arguments)
        close = client.read_method("channel.close", channel=1)
        assert re.match("PRECONDITION_FAILED - x{200,}", close.reply_text), close
        assert len(close.reply_text) <= 255 and close.reply_code == 406, close
        assert (close.class_id, close.method_id) == (50, 20), (close, method)
        client.send(1, "channel.close-ok")
        client.open_channel(1)


def test_no_text(t):
    _, client = serve(t)
    method = ask(client, "validate", code=406)
    client.expect_channel_close(1, 406, re.compile("^PRECONDITION_FAILED - ?$"), method)


def test_nowait_gets_the_exception_too(t):
    _, client = serve(t)
    client.send(1, "exchange.declare", exchange="new", type="x-refuse", nowait=True,
                arguments={"fails": "validate", "code": 406, "text": "no"})
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - no", "exchange.declare")
    client.open_channel(1)
    client.send(1, "queue.bind", queue="q", exchange="e", nowait=True,
                arguments={"fails": "bind", "code": 406, "text": "no"})
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - no", "queue.bind")


def test_refused_binding_may_come_again(t):
    """A durable one too: it has left nothing behind."""
    _, client = serve(t)
    client.call(1, "exchange.declare", exchange="d", type="x-refuse", durable=True)
    client.call(1, "queue.declare", queue="dq", durable=True)
    for _ in range(3):
        client.send(1, "queue.bind", queue="dq", exchange="d",
                    arguments={"fails": "bind", "code": 406, "text": "not now"})
        client.expect_channel_close(1, 406, "PRECONDITION_FAILED - not now", "queue.bind")
        client.open_channel(1)
    client.call(1, "queue.bind", queue="dq", exchange="d", arguments={"fails": "nothing"})
    client.call(1, "queue.unbind", queue="dq", exchange="d", arguments={"fails": "nothing"})
    client.call(1, "exchange.delete", exchange="d", if_unused=True)
