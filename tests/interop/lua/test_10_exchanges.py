# SPDX-License-Identifier: MIT
"""Exchange types that are scripts: declared, bound, published to by pika."""

import datetime
import decimal
import re

import pika

from lib.wire import Typed

from lua.scripted import client_of, serve, wait_for_log

COUNTRY = """
    exchange.register{ name = "x-country",
      description = "by the header country",
      arguments = { { name = "fallback", type = "string", choices = { "none", "all" }, default = "none" },
                    { name = "limit", type = "integer", minimum = 1, maximum = 10 } },
      bind_arguments = { { name = "weight", type = "number", minimum = 0, required = true } },
      validate = function(exchange)
        if exchange.name == "forbidden" then return false, "no exchange is called so" end
        if exchange.name == "broken" then return exchange.nothing.more end
        if exchange.name == "raised" then error("raised", 0) end
      end,
      validate_binding = function(exchange, binding)
        if binding.routing_key == "" then return false, "a country is wanted" end
      end,
      route = function(message, bindings, emit, exchange)
        local country = message.headers.country
        local list = bindings:match(country)
        if #list > 0 then emit(list)
        elseif exchange.arguments.fallback == "all" then return bindings end
      end }"""


def begin(t, text, name="types", **options):
    """A channel of a broker with this script."""
    broker = serve(t, **{name: text}, **options)
    return broker, t.connect(broker).channel()


def declare(channel, kind, *queues, exchange="e", keys=None, arguments=None, bind_arguments=None):
    channel.exchange_declare(exchange, kind, arguments=arguments)
    for i, queue in enumerate(queues):
        channel.queue_declare(queue)
        channel.queue_bind(queue, exchange, keys[i] if keys else queue, bind_arguments)


def publish(channel, headers=None, key="", body=b"m", exchange="e", **properties):
    channel.basic_publish(exchange, key, body, pika.BasicProperties(headers=headers, **properties))


def counts(channel, *queues):
    return [channel.queue_declare(queue, passive=True).method.message_count for queue in queues]


def test_by_a_header(t):
    _, channel = begin(t, COUNTRY)
    declare(channel, "x-country", "de", "fr", bind_arguments={"weight": 1})
    channel.queue_bind("fr", "e", "de", {"weight": 2})
    for country in ("de", "fr", "it", None):
        publish(channel, {"country": country} if country else None)
    assert counts(channel, "de", "fr") == [1, 2]
    channel.queue_unbind("fr", "e", "de", {"weight": 2})
    publish(channel, {"country": "de"})
    assert counts(channel, "de", "fr") == [2, 2]
    channel.queue_delete("de")
    publish(channel, {"country": "de"})
    assert counts(channel, "fr") == [2]


def test_arguments_of_the_exchange(t):
    _, channel = begin(t, COUNTRY)
    declare(channel, "x-country", "a", "b", arguments={"fallback": "all"}, bind_arguments={"weight": 1})
    publish(channel, {"country": "none of these"})
    assert counts(channel, "a", "b") == [1, 1]


def test_unroutable_is_returned_and_goes_to_the_alternate_exchange(t):
    _, channel = begin(t, COUNTRY)
    declare(channel, "fanout", "rest", exchange="others")
    declare(channel, "x-country", "a", arguments={"alternate-exchange": "others"}, bind_arguments={"weight": 1})
    publish(channel, {"country": "z"})
    assert counts(channel, "a", "rest") == [0, 1]
    channel.exchange_declare("e2", "x-country")
    channel.confirm_delivery()
    try:
        channel.basic_publish("e2", "", b"m", mandatory=True)
    except pika.exceptions.UnroutableError:
        return
    raise AssertionError("it was not returned")


def refuses(t, broker, code, text, method, *arguments, **named):
    channel = t.connect(broker).channel()
    with t.channel_closed(code, text):
        getattr(channel, method)(*arguments, **named)


def test_what_schemas_refuse(t):
    broker, channel = begin(t, COUNTRY)
    declare(channel, "x-country", "a", bind_arguments={"weight": 1})
    for arguments, text in (
            ({"fallback": "some"}, "fallback"), ({"fallback": 1}, "fallback"), ({"limit": 11}, "limit"),
            ({"limit": "1"}, "limit")):
        refuses(t, broker, 406, re.compile(text), "exchange_declare", "f", "x-country", arguments=arguments)
    for arguments in (None, {"weight": -1}, {"weight": "1"}):
        refuses(t, broker, 406, re.compile("weight"), "queue_bind", "a", "e", "k", arguments)


def test_what_the_script_refuses(t):
    broker, channel = begin(t, COUNTRY)
    declare(channel, "x-country", "a", bind_arguments={"weight": 1})
    refuses(t, broker, 406, "PRECONDITION_FAILED - no exchange is called so", "exchange_declare", "forbidden",
            "x-country")
    refuses(t, broker, 406, "PRECONDITION_FAILED - raised", "exchange_declare", "raised", "x-country")
    refuses(t, broker, 406, "PRECONDITION_FAILED - the script of exchange type 'x-country' has failed: the broker's log "
            "says how", "exchange_declare", "broken", "x-country")
    refuses(t, broker, 406, "PRECONDITION_FAILED - a country is wanted", "queue_bind", "a", "e", "", {"weight": 1})
    wait_for_log(t, broker, "an exchange has no field 'nothing'")


SEEN = """
    local function text(value, depth)
      if type(value) ~= "table" then return tostring(value) end
      local parts = {}
      for k, v in pairs(value) do parts[#parts + 1] = tostring(k) .. "=" .. text(v) end
      table.sort(parts)
      return "{" .. table.concat(parts, ",") .. "}"
    end
    exchange.register{ name = "x-seen", route = function(message, bindings)
      local found = {}
      for b in bindings:each() do
        local want = b.arguments.want
        local got = want == "body" and message:body() or want == "json" and message:json("a.2.b")
          or message.headers[want] or message[want]
        if type(got) == "table" then got = text(got) end
        if math.type(got) == "float" and want ~= "price" then got = string.format("%.4f", got) end
        if tostring(got) == b.routing_key then found[#found + 1] = b end
      end
      return found
    end }"""


def test_headers_of_all_types_properties_and_body(t):
    _, channel = begin(t, SEEN)
    channel.exchange_declare("e", "x-seen")
    wanted = {
        "text": "hello", "number": "-7", "big": str(2**40), "yes": "true", "price": "2.5",
        "when": "1700000000", "list": "{1=1,2=two,3={k=v}}", "inner": "{a={b=c}}", "body": '{"a": [1, {"b": 5}]}',
        "json": "5", "content_type": "application/json", "delivery_mode": "1", "priority": "3",
        "correlation_id": "c", "reply_to": "r", "expiration": "60000", "message_id": "i", "timestamp": "1600000000",
        "type": "t", "app_id": "a", "user_id": "guest", "user": "guest", "routing_key": "key", "exchange": "e",
        "vhost": "/", "body_size": "20",
    }
    for want, value in wanted.items():
        channel.queue_declare(want)
        channel.queue_bind(want, "e", value, {"want": want})
    when = datetime.datetime.fromtimestamp(1700000000, datetime.timezone.utc).replace(tzinfo=None)
    publish(channel, {"text": "hello", "number": -7, "big": 2**40, "yes": True, "none": None,
                      "price": decimal.Decimal("2.50"), "when": when, "list": [1, "two", {"k": "v"}],
                      "inner": {"a": {"b": "c"}}}, "key", b'{"a": [1, {"b": 5}]}',
            content_type="application/json", delivery_mode=1, priority=3, correlation_id="c", reply_to="r",
            expiration="60000", message_id="i", timestamp=1600000000, type="t", app_id="a", user_id="guest")
    got = {want: counts(channel, want)[0] for want in wanted}
    missing = [want for want, n in got.items() if n != 1]
    assert not missing, missing


def test_floats_and_other_widths(t):
    """Which pika can not write."""
    broker = serve(t, types=SEEN)
    client = client_of(t, broker)
    client.call(1, "exchange.declare", exchange="e", type="x-seen")
    wanted = {"f": (Typed("f", 0.5), "0.5000"), "d": (Typed("d", -0.25), "-0.2500"), "b": (Typed("b", -5), "-5"),
              "B": (Typed("B", 200), "200"), "s": (Typed("s", -300), "-300"), "u": (Typed("u", 60000), "60000"),
              "i": (Typed("i", 2**32 - 1), str(2**32 - 1)), "x": (Typed("x", b"by"), "by")}
    for name, (_, text) in wanted.items():
        client.call(1, "queue.declare", queue=name)
        client.call(1, "queue.bind", queue=name, exchange="e", routing_key=text, arguments={"want": name})
    client.publish(1, "e", "", b"m", {"headers": {name: value for name, (value, _) in wanted.items()}})
    got = [client.expect_quiet(1, name).message_count for name in wanted]
    assert got == [1] * len(wanted), got


def test_from_exchange_to_exchange(t):
    _, channel = begin(t, COUNTRY)
    declare(channel, "x-country", "a", exchange="from", bind_arguments={"weight": 1})
    declare(channel, "fanout", "b", exchange="to")
    channel.exchange_bind("to", "from", "a", {"weight": 1})
    publish(channel, {"country": "a"}, exchange="from")
    assert counts(channel, "a", "b") == [1, 1]
    channel.exchange_bind("from", "to", "k")
    try:
        publish(channel, {"country": "a"}, exchange="to")
        counts(channel, "a")
    except pika.exceptions.ChannelClosedByBroker as error:
        raise AssertionError("a round of exchanges: %s" % error) from error
    assert counts(channel, "a", "b") == [2, 2]


def test_a_failing_route_is_unroutable_and_the_broker_stays_up(t):
    broker, channel = begin(t, """
        exchange.register{ name = "x-bad", route = function(message, bindings, emit)
          emit(bindings)
          local what = message.routing_key
          if what == "error" then error("on purpose") end
          if what == "loop" then while true do end end
          if what == "memory" then local t = {} for i = 1, 1e9 do t[i] = { i } end end
          if what == "deep" then local function f() return 1 + f() end f() end
          if what == "value" then error(setmetatable({}, { __tostring = function() error("twice") end })) end
          if what == "type" then return 7 end
        end }""")
    declare(channel, "x-bad", "q")
    for key in ("error", "loop", "memory", "deep", "value", "type"):
        publish(channel, key=key)
    assert counts(channel, "q") == [0]
    publish(channel, key="fine")
    assert counts(channel, "q") == [1]
    wait_for_log(t, broker, "types.lua:5: on purpose")


def test_what_it_depends_on_is_remembered(t):
    broker, channel = begin(t, """
        local n = 0
        exchange.register{ name = "x-once", depends = { "headers.tenant" }, route = function(message, bindings)
          n = n + 1
          if message.headers.tenant == "bad" then error("call " .. n) end
          if n <= 2 then return bindings:match(message.headers.tenant) end
        end }""", loops=1)
    declare(channel, "x-once", "a", "b")
    for _ in range(50):
        publish(channel, {"tenant": "a"})
        publish(channel, {"tenant": "b"})
    assert counts(channel, "a", "b") == [50, 50]
    publish(channel, {"tenant": "bad"})   # a failure is not remembered
    publish(channel, {"tenant": "bad"})
    wait_for_log(t, broker, "call 4")
    channel.queue_unbind("b", "e", "b")   # forgets
    publish(channel, {"tenant": "a"})
    assert counts(channel, "a") == [50]
