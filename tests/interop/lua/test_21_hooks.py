# SPDX-License-Identifier: MIT
"""Message hooks that are scripts."""

from lua.scripted import client_of, counts, serve, wait_for_log

CHANGES = """
    function hook.publish(message, context)
      local h = message.headers
      if h.key then message.routing_key = h.key end
      if h.to then message.exchange = h.to end
      if h.body then message:set_body(message:body() .. h.body) end
      if h.stamp then
        message.app_id, message.priority = context.user, 7
        h.by, h.count, h.gone = context.peer.host, #message.routing_key, nil
      end
      return h.say
    end
"""


def send(client, queue, content=b"m", properties=None, **headers):
    client.publish(1, "", queue, content, dict(properties or {}, headers=headers))


def test_what_a_script_changes(t):
    client = client_of(t, serve(t, hooks=CHANGES), "q", "other")
    send(client, "q", key="other")
    assert counts(client, "q", "other") == [0, 1]
    assert client.get(1, "other").method.routing_key == "other"
    send(client, "q", b"body", {"message_id": "i"}, body="+", stamp=True, gone="x", stays=[1, "two"])
    message = client.get(1, "q")
    assert message.body == b"body+", message.body
    properties = message.properties
    assert (properties["app_id"], properties["priority"], properties["message_id"]) == ("guest", 7, "i"), properties
    headers = properties["headers"]
    assert (headers["by"], headers["count"], headers["stays"]) == ("127.0.0.1", 1, [1, "two"]), headers
    assert "gone" not in headers, headers


def test_unchanged_messages_are_as_they_came(t):
    client = client_of(t, serve(t, hooks=CHANGES), "q")
    send(client, "q", b"m", {"content_type": "a/b", "timestamp": 1700000000}, x={"deep": [True, None, -5]})
    message = client.get(1, "q")
    assert message.properties == {"content_type": "a/b", "timestamp": 1700000000,
                                  "headers": {"x": {"deep": [True, None, -5]}}}, message.properties


def test_to_another_exchange(t):
    client = client_of(t, serve(t, hooks=CHANGES), "q", "audit")
    client.call(1, "exchange.declare", exchange="audits", type="fanout")
    client.call(1, "queue.bind", queue="audit", exchange="audits")
    send(client, "q", to="audits")
    assert counts(client, "q", "audit") == [0, 1]
    assert client.get(1, "audit").method.exchange == "audits"


def test_dropped_and_refused(t):
    broker = serve(t, hooks="""
        function hook.publish(message, context)
          return message.headers.say, message.headers.why
        end""")
    client = client_of(t, broker, "q", confirms=True)
    send(client, "q", say="drop")
    assert client.read_method("basic.ack", channel=1).delivery_tag == 1
    assert counts(client, "q") == [0]
    send(client, "q", say="refuse", why="not on Sundays")
    client.expect_channel_close(1, 403, "ACCESS_REFUSED - not on Sundays", "basic.publish")
    client.open_channel(2)
    client.publish(2, "", "q", b"m", {"headers": {"say": "refuse"}})
    client.expect_channel_close(2, 403, "ACCESS_REFUSED - refused by 'hooks'", "basic.publish")


def test_nacked(t):
    broker = serve(t, hooks="function hook.publish(m) return m.headers.say end")
    client = client_of(t, broker, "q", confirms=True)
    for n in range(1, 31):
        send(client, "q", say="nack" if n % 3 == 0 else "pass")
    outcome = {}
    while len(outcome) < 30:
        method = client.read_method("basic.ack", "basic.nack", channel=1)
        tags = [i for i in range(1, method.delivery_tag + 1) if i not in outcome] if method.multiple else [method.delivery_tag]
        outcome.update({i: method.name for i in tags})
    assert [n for n in outcome if outcome[n] == "basic.nack"] == list(range(3, 31, 3)), outcome
    assert counts(client, "q") == [20]


def test_the_reason_of_a_nack_is_in_the_log(t):
    broker = serve(t, hooks="function hook.publish() return 'nack', 'over quota' end")
    client = client_of(t, broker, "q", confirms=True)
    send(client, "q")
    assert client.read_method("basic.ack", "basic.nack", channel=1).name == "basic.nack"
    wait_for_log(t, broker, """hook 'hooks' has nacked a message: user="guest" vhost='/' reason="over quota\"""")


def test_a_hook_that_fails_nacks_and_says_where(t):
    broker = serve(t, hooks="""
        function hook.publish(message)
          message.headers.changed = true
          if message.headers.bad then error("oops") end
        end""")
    client = client_of(t, broker, "q", confirms=True)
    send(client, "q", bad=True)
    assert client.read_method("basic.ack", "basic.nack", channel=1).name == "basic.nack"
    wait_for_log(t, broker, "hooks.lua:4: oops")
    send(client, "q")
    assert client.read_method("basic.ack", "basic.nack", channel=1).name == "basic.ack"
    assert client.get(1, "q").properties["headers"] == {"changed": True}


def test_a_hook_that_fails_may_pass_what_came(t):
    broker = serve(t, "script.hooks.on_error.publish=pass", hooks="""
        function hook.publish(message)
          message.headers.changed = true
          error("oops")
        end""")
    client = client_of(t, broker, "q")
    send(client, "q", a=1)
    assert client.get(1, "q").properties["headers"] == {"a": 1}


REDACTION = """
    function hook.deliver(message, context)
      if context.queue == "internal" then return end
      message.headers.card = nil
      message.headers.queue = context.queue
      if message.headers.secret then return "reject" end
      if message.headers.late then return "drop" end
    end
"""


def test_redaction_on_its_way_out(t):
    client = client_of(t, serve(t, redact=REDACTION), "q", "internal")
    for queue in ("q", "internal"):
        send(client, queue, card="4711", name="n")
    assert client.get(1, "internal").properties["headers"] == {"card": "4711", "name": "n"}
    client.call(1, "basic.consume", queue="q", no_ack=True)
    assert client.read_message().properties["headers"] == {"name": "n", "queue": "q"}


def test_rejected_and_dropped_on_the_way_out(t):
    client = client_of(t, serve(t, redact=REDACTION), "q")
    send(client, "q", b"secret", secret=True)
    send(client, "q", b"late", late=True)
    send(client, "q", b"good")
    client.call(1, "basic.consume", queue="q")
    message = client.read_message()
    assert message.body == b"good"
    client.send(1, "basic.nack", delivery_tag=message.method.delivery_tag, requeue=True)
    assert client.read_message().body == b"good"
    # neither of the others comes again
    assert counts(client, "q") == [0]


def test_a_redaction_that_fails_may_not_pass(t):
    for option, expected in (("pass", [0, 1]), ("deny", [0, 0])):
        broker = serve(t, "script.redact.on_error.deliver=" + option, redact="""
            function hook.deliver(message, context) error("oops") end""")
        client = client_of(t, broker, "q")
        send(client, "q", b"m")
        got = client.get(1, "q")
        assert [counts(client, "q")[0], got is not None] == expected, (option, got)
