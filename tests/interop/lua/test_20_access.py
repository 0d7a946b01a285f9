# SPDX-License-Identifier: MIT
"""Access policies that are scripts: logins, permissions with a reason, answers that are remembered."""

import time

import pika
import pika.exceptions

from lib.shuntctl import ctl
from lib.wire import Closed

from lua.scripted import client_of, counts, serve, wait_for_log

LOGIN = """
    function access.authenticate(user, password, peer, mechanism)
      local want = settings.password[user]
      if want == nil then return "next" end
      if crypto.equal(crypto.sha256(password), want) then
        return "allow", { tags = { "policymaker" } }
      end
      return "deny", "no such password, from " .. peer.host
    end
    function access.authorize(question)
      if question.user ~= "alice" then return "next" end
      return "allow"
    end
"""
# of "opensesame"
ALICE = "script.login.password.alice=d9fb92e3bbe65be1f1aad4a82eef4567f7a1ebe2cd110c8049b9698be7a70c88"


def pika_of(t, broker, user="guest", password="guest"):
    connection = pika.BlockingConnection(pika.ConnectionParameters(
        broker.host, broker.port, "/", pika.PlainCredentials(user, password), heartbeat=0, ssl_options=ssl_of(broker)))
    t.cleanup(lambda: connection.is_open and connection.close())
    return connection


def ssl_of(broker):
    return pika.SSLOptions(broker.tls, "localhost") if broker.tls is not None else None


def login_is_refused(t, broker, **options):
    try:
        t.wire_to(broker, **options)
    except (Closed, AssertionError) as error:
        return str(error)
    raise AssertionError("got in")


def test_a_login_by_a_script(t):
    broker = serve(t, ALICE, login=LOGIN)
    client = client_of(t, broker, "q", user="alice", password="opensesame")
    client.publish(1, "", "q", b"m")
    assert client.get(1, "q").body == b"m"
    login_is_refused(t, broker, user="alice", password="opensesami")
    wait_for_log(t, broker, "no such password, from 127.0.0.1")
    assert "opensesam" not in broker.log_tail(1000)
    # others are asked behind it: the broker's own users
    client_of(t, broker, "mine")
    login_is_refused(t, broker, user="nobody", password="x")


def test_a_login_script_that_fails_lets_nobody_in(t):
    broker = serve(t, login="function access.authenticate(user)\n if user == 'bad' then error('oops') end\nend")
    login_is_refused(t, broker, user="bad", password="guest")
    wait_for_log(t, broker, "login.lua:2: oops")
    wait_for_log(t, broker, "the policy 'login' failed")
    client_of(t, broker, "q")


TAGGED = """
    function access.authorize(question)
      if question.operation ~= "write" then return "next" end
      for _, tag in ipairs(question.tags) do
        if tag == "publisher" then return "allow" end
      end
      return "deny", "only publishers"
    end
"""


def test_a_script_is_told_the_tags_that_a_user_has_now(t):
    broker = serve(t, tagged=TAGGED)
    ctl(t, "set_user_tags", "guest", "publisher", broker=broker)
    client = client_of(t, broker, "q")
    client.publish(1, "", "q", b"m")
    assert client.get(1, "q").body == b"m"
    ctl(t, "set_user_tags", "guest", "reader", broker=broker)
    client.publish(1, "", "q", b"m")
    client.expect_channel_close(1, 403)


HOURS = """
    settings.require{ exchange = "string", from = "integer", to = "integer" }

    function access.authorize(question)
      if question.operation == "write" and question.name == settings.exchange then
        local hour = os.date("!*t").hour
        if hour >= settings.from and hour < settings.to then
          return "deny", string.format("closed from %02d:00 to %02d:00", settings.from, settings.to)
        end
      end
      return "next"
    end
"""


def hours(exchange, first, last):
    return ["script.hours.exchange=" + exchange, "script.hours.from=%d" % first, "script.hours.to=%d" % last]


def test_publishing_is_refused_between_two_hours_and_the_client_is_told_why(t):
    broker = serve(t, *hours("orders", 0, 24), hours=HOURS)
    channel = pika_of(t, broker).channel()
    channel.exchange_declare("orders", "fanout")
    channel.exchange_declare("others", "fanout")
    channel.queue_declare("q")
    channel.queue_bind("q", "orders")
    channel.queue_bind("q", "others")
    channel.basic_publish("others", "", b"m")
    assert t.get(channel, "q")[2] == b"m"
    channel.basic_publish("orders", "", b"m")
    with t.channel_closed(403, "ACCESS_REFUSED - write access to exchange 'orders' in vhost '/' refused for user "
                               "'guest': closed from 00:00 to 24:00"):
        channel.queue_declare("q", passive=True)


def test_publishing_is_allowed_outside_of_these_hours(t):
    hour = time.gmtime(time.time() + 60).tm_hour
    # two hours that are not now, nor soon
    first = (hour + 12) % 24 if (hour + 12) % 24 < 22 else 10
    broker = serve(t, *hours("orders", first, first + 2), hours=HOURS)
    channel = pika_of(t, broker).channel()
    channel.exchange_declare("orders", "fanout")
    channel.queue_declare("q")
    channel.queue_bind("q", "orders")
    channel.basic_publish("orders", "", b"m")
    assert t.get(channel, "q")[2] == b"m"


QUESTIONS = """
    function access.authorize(q)
      if q.user == "guest" and q.name ~= "log" and q.name ~= "amq.default" then
        log.info("asked", q.operation, q.resource, q.vhost, q.name, q.routing_key, q.peer.host)
      end
      return "allow", nil, %s
    end
"""


def asked(broker, text):
    return broker.log_tail(1000).count("asked " + text)


def test_all_that_is_asked(t):
    broker = serve(t, ask=QUESTIONS % "0")
    client = client_of(t, broker)
    client.call(1, "exchange.declare", exchange="x", type="topic")
    client.call(1, "queue.declare", queue="q")
    client.call(1, "queue.bind", queue="q", exchange="x", routing_key="a.#")
    client.publish(1, "x", "a.b", b"m")
    assert client.get(1, "q").body == b"m"
    for line in ("connect vhost /", "configure exchange / x", "configure queue / q", "write queue / q", "read exchange / x",
                 "read_topic exchange / x a.#", "write exchange / x", "write_topic exchange / x a.b", "read queue / q"):
        wait_for_log(t, broker, "asked " + line)


def test_an_answer_is_remembered_as_long_as_the_script_says(t):
    for seconds, times in (("0", 20), ("3600", 1)):
        broker = serve(t, ask=QUESTIONS % seconds, loops=1)
        client = client_of(t, broker, "q")
        client.call(1, "exchange.declare", exchange="x", type="fanout")
        client.call(1, "queue.bind", queue="q", exchange="x")
        for _ in range(20):
            client.publish(1, "x", "", b"m")
        assert client.expect_quiet(1, "q").message_count == 20
        t.wait(lambda: asked(broker, "write exchange / x") >= times, "%d questions" % times)
        assert asked(broker, "write exchange / x") == times, (seconds, asked(broker, "write exchange / x"))


def test_a_script_may_say_that_its_answers_have_changed(t):
    broker = serve(t, policy="""
        access.depends = { "operation", "name" }
        function access.authorize(q)
          if q.operation == "write" and q.name == "x" and shared.get("closed") > 0 then
            return "deny", "closed"
          end
          return "next"
        end
        function hook.publish(message)
          if message.routing_key == "close" then
            shared.set("closed", 1)
            access.changed()
          end
        end""")
    client = client_of(t, broker, "q")
    client.call(1, "exchange.declare", exchange="x", type="fanout")
    client.call(1, "queue.bind", queue="q", exchange="x")
    for _ in range(3):
        client.publish(1, "x", "", b"m")
    client.publish(1, "x", "close", b"m")
    client.publish(1, "x", "", b"m")
    client.expect_channel_close(1, 403, "ACCESS_REFUSED - write access to exchange 'x' in vhost '/' refused for user "
                                        "'guest': closed", "basic.publish")
    client.open_channel(2)
    assert counts(client, "q", channel=2) == [4]


def test_a_policy_that_fails_denies_without_a_reason(t):
    broker = serve(t, policy="""
        function access.authorize(q)
          if q.name == "bad" then error("the secret") end
          if q.name == "loop" then while true do pcall(error) end end
          if q.name == "wrong" then return true end
          return "next"
        end""")
    for name in ("bad", "loop", "wrong"):
        channel = pika_of(t, broker).channel()
        with t.channel_closed(403, "ACCESS_REFUSED - configure access to queue '%s' in vhost '/' refused for user 'guest'"
                              % name):
            channel.queue_declare(name)
    wait_for_log(t, broker, "policy.lua:3: the secret")
    client_of(t, broker, "good")


def test_on_error_pass_asks_the_next_one(t):
    broker = serve(t, "script.policy.on_error.authorize=pass", policy="function access.authorize(q) error('x') end")
    client_of(t, broker, "q")
