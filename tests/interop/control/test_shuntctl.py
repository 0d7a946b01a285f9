# SPDX-License-Identifier: MIT
"""The commands of shuntctl. What they have of rabbitmqctl is checked against rabbitmqctl and RabbitMQ too."""

import csv
import io
import json
import os
import re
import resource
import subprocess

from lib import broker as brokers
from lib.case import Skip
from lib.runner import limit, slow
from lib.shuntctl import ctl, only_shunt, shuntctl_of, start_ctl


def rows_of(t, output):
    """The lines that speak of this test's things."""
    return [line for line in output.split("\n") if t.prefix in line]


def one_row(t, output):
    rows = rows_of(t, output)
    assert len(rows) == 1, output
    return rows[0]


# of the cipher suites of TLS 1.3, as RabbitMQ names them: ssl_key_exchange, ssl_cipher, ssl_hash
TLS13_COLUMNS = {
    "TLS_AES_256_GCM_SHA384": ("any", "aes_256_gcm", "aead"),
    "TLS_AES_128_GCM_SHA256": ("any", "aes_128_gcm", "aead"),
    "TLS_CHACHA20_POLY1305_SHA256": ("any", "chacha20_poly1305", "aead"),
}


# --- list_queues


@limit(60)
def test_list_queues(t):
    channel = t.channel()
    queue = t.queue(channel)
    for body in "abc":
        channel.basic_publish("", queue, body)
    t.wait_counts(channel, queue, 3)
    lines = ctl(t, "list_queues").split("\n")
    assert lines[:3] == ["Timeout: 60.0 seconds ...", "Listing queues for vhost / ...", "name\tmessages"], lines
    assert one_row(t, "\n".join(lines)) == queue + "\t3"
    assert lines[-1] == ""
    assert ctl(t, "list_queues", "-t", "5").startswith("Timeout: 5.0 seconds ...\n")


@limit(60)
def test_quiet_and_silent(t):
    queue = t.queue(t.channel())
    assert ctl(t, "-q", "list_queues").split("\n")[0] == "name\tmessages"
    assert ctl(t, "list_queues", "--quiet", "--vhost=/").split("\n")[0] == "name\tmessages"
    for options in (["-s"], ["--silent"], ["-qs"], ["-q", "--no-table-headers"]):
        output = ctl(t, "list_queues", *options)
        assert "name\tmessages" not in output and "Listing" not in output, output
        assert one_row(t, output) == queue + "\t0"


@limit(60)
def test_columns_of_queues(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False, durable=True,
                    arguments={"x-message-ttl": 60000, "foo": 'b"ar', "n": None, "t": {"a": 1, "b": [1, "x", True]}})
    t.consume(channel, queue)
    columns = "messages name durable auto_delete exclusive policy consumers state type owner_pid arguments"
    row = one_row(t, ctl(t, "list_queues", "-q", *columns.split()))
    assert row == ("0\t" + queue + "\ttrue\tfalse\tfalse\t\t1\trunning\tclassic\t\t"
                   '[{"x-message-ttl",60000},{"foo","b\\"ar"},{"n",undefined},{"t",[{"a",1},{"b",[1,"x",true]}]}]'), row
    assert one_row(t, ctl(t, "list_queues", "-q", "name,messages", "name")) == queue + "\t0"


@limit(60)
def test_exclusive_queue_and_its_owner(t):
    channel = t.channel()
    queue = t.queue(channel)
    t.consume(channel, queue, exclusive=True, consumer_tag="tag of " + t.prefix)
    row = one_row(t, ctl(t, "list_queues", "-q", "name", "exclusive", "owner_pid", "exclusive_consumer_tag"))
    name, exclusive, owner, tag = row.split("\t")
    assert (name, exclusive, tag) == (queue, "true", "tag of " + t.prefix)
    # the connection of that pid is ours
    local_port = str(channel.connection._impl._transport._sock.getsockname()[1])
    connections = ctl(t, "list_connections", "-q", "pid", "peer_port").split("\n")
    assert owner + "\t" + local_port in connections, (owner, local_port, connections)


@limit(60)
def test_formatter_json(t):
    channel = t.channel()
    plain, queue = t.queue(channel), t.queue(channel, arguments={"x-expires": 60000, "s": "é", "t": {"b": True}})
    output = ctl(t, "list_queues", "--formatter", "json", "name", "messages", "durable", "arguments")
    lines = output.split("\n")
    assert (lines[0], lines[-2], lines[-1]) == ("[", "]", ""), output
    found = {row["name"]: row for row in json.loads(output)}
    assert found[plain] == {"name": plain, "messages": 0, "durable": False, "arguments": []}
    assert found[queue]["arguments"] == [["x-expires", "signedint", 60000], ["s", "longstr", "é"],
                                         ["t", "table", [["b", "bool", True]]]]
    row = [line for line in lines if plain in line][0]
    assert row.lstrip(",") == '{"name":"%s","messages":0,"durable":false,"arguments":[]}' % plain, row


@limit(60)
def test_formatter_csv(t):
    channel = t.channel()
    queue = t.queue(channel, queue=t.name('with "quotes", ü'), arguments={"s": "t"})
    for options in ([], ["-q"], ["-s"]):
        output = ctl(t, "list_queues", "--formatter=csv", "name", "messages", "arguments", *options)
        assert output.startswith('"name","messages","arguments"\n'), output
        assert [row for row in csv.reader(io.StringIO(output)) if t.prefix in row[0]] == [[queue, "0", '[{"s","t"}]']]


def test_formatter_pretty_table(t):
    broker = t.shuntd(loops=1)  # lists go loop by loop, and these queues may be on two
    client = t.wire_to(broker)
    client.call(1, "queue.declare", queue="ü", durable=True)
    client.call(1, "queue.declare", queue="a\tb\x1b[31m")
    assert ctl(t, "list_queues", "--formatter", "pretty_table", "-q", "name", "messages", broker=broker) == """\
┌────────────────┬──────────┐
│ name           │ messages │
├────────────────┼──────────┤
│ ü              │ 0        │
├────────────────┼──────────┤
│ a\\011b\\033[31m │ 0        │
└────────────────┴──────────┘
"""


def test_numbers_and_texts_in_arguments(t):
    """Every type of a table, as rabbitmqctl shows it."""
    broker = t.shuntd()
    client = t.wire_to(broker)
    raw = (b"\x01fd\x3f\xf8\0\0\0\0\0\0" b"\x01hd" + bytes.fromhex("46293e5939a08cea") + b"\x01gf\x40\0\0\0"
           b"\x01dD\x02\0\0\0\x7d" b"\x01tT\0\0\0\0\x5e\x0b\xe1\0" b"\x01nb\xfb" b"\x01lL\0\0\x01\0\0\0\0\0"
           b"\x01eF\0\0\0\0" b"\x01AA\0\0\0\x0a" b"I\0\0\0\x01I\0\0\0\x02" b"\x01xx\0\0\0\x02ab"
           b"\x01Nd\x7f\xf8\0\0\0\0\0\0" b"\x01SS\0\0\0\x02\xff\0" b"\x01vV")
    client.call(1, "queue.declare", queue="q", arguments=raw)
    assert ctl(t, "list_queues", "-s", "arguments", broker=broker) == (
        '[{"f",1.5},{"h",1.0e30},{"g",2.0},{"d",{2,125}},{"t",1577836800},{"n",-5},{"l",1099511627776},{"e",[]},'
        '{"A",[1,2]},{"x",<<"ab">>},{"N",nan},{"S","\\\\xFF\\000"},{"v",undefined}]\n')
    rows = json.loads(ctl(t, "list_queues", "-s", "--formatter", "json", "arguments", broker=broker))
    assert rows[0]["arguments"] == [
        ["f", "double", 1.5], ["h", "double", 1e30], ["g", "float", 2.0], ["d", "decimal", [2, 125]],
        ["t", "timestamp", 1577836800], ["n", "byte", -5], ["l", "long", 2 ** 40], ["e", "table", []],
        ["A", "array", [["signedint", 1], ["signedint", 2]]], ["x", "binary", "ab"], ["N", "double", "nan"],
        ["S", "longstr", "\\xFF\0"], ["v", "void", "undefined"]]


# --- The other lists


@limit(60)
def test_list_exchanges(t):
    exchange = t.exchange(t.channel(), "topic", durable=True, arguments={"alternate-exchange": "amq.fanout"})
    lines = ctl(t, "list_exchanges").split("\n")
    assert lines[:2] == ["Listing exchanges for vhost / ...", "name\ttype"], lines
    standard = {"\tdirect", "amq.direct\tdirect", "amq.fanout\tfanout", "amq.topic\ttopic", "amq.headers\theaders",
                "amq.match\theaders", "amq.rabbitmq.trace\ttopic"}
    assert standard <= set(lines), lines
    output = ctl(t, "list_exchanges", "-q", "name", "durable", "auto_delete", "internal", "policy", "arguments")
    assert one_row(t, output) == exchange + '\ttrue\tfalse\tfalse\t\t[{"alternate-exchange","amq.fanout"}]'
    assert "amq.rabbitmq.trace\ttrue\tfalse\ttrue\t\t[]" in output.split("\n")


@limit(60)
def test_list_bindings(t):
    channel = t.channel()
    queue, source, other = t.queue(channel), t.exchange(channel, "headers"), t.exchange(channel, "topic")
    channel.queue_bind(queue, source, "", {"x-match": "any", "h": 5})
    channel.exchange_bind(source, other, "a.#")
    output = ctl(t, "list_bindings")
    lines = output.split("\n")
    assert lines[:2] == ["Listing bindings for vhost /...",
                         "source_name\tsource_kind\tdestination_name\tdestination_kind\trouting_key\targuments"], lines
    assert sorted(rows_of(t, output)) == sorted([
        "\texchange\t%s\tqueue\t%s\t[]" % (queue, queue),
        '%s\texchange\t%s\tqueue\t\t[{"h",5},{"x-match","any"}]' % (source, queue),
        "%s\texchange\t%s\texchange\ta.#\t[]" % (other, source)])
    assert sorted(rows_of(t, ctl(t, "list_bindings", "-q", "destination_name", "routing_key"))) == sorted([
        "%s\t%s" % (queue, queue), queue + "\t", source + "\ta.#"])


@limit(60)
def test_list_connections(t):
    connection = t.connect(client_properties={"connection_name": t.prefix})
    connection.channel()
    connection.channel()
    lines = ctl(t, "list_connections").split("\n")
    assert lines[:2] == ["Listing connections ...", "user\tpeer_host\tpeer_port\tstate"], lines
    port = connection._impl._transport._sock.getsockname()[1]
    assert "guest\t127.0.0.1\t%d\trunning" % port in lines
    columns = ("name port host peer_port channels protocol auth_mechanism user vhost timeout frame_max channel_max ssl "
               "state client_properties").split()
    row = one_row(t, ctl(t, "list_connections", "-q", *columns)).split("\t")
    assert row[:-1] == ["127.0.0.1:%d -> 127.0.0.1:%d" % (port, t.broker.port), str(t.broker.port), "127.0.0.1",
                        str(port), "2", "{0,9,1}", "PLAIN", "guest", "/", "0", "131072", "2047",
                        "true" if t.broker.tls else "false", "running"]
    assert '{"connection_name","%s"}' % t.prefix in row[-1] and '{"basic.nack",true}' in row[-1]
    found = [row for row in json.loads(ctl(t, "list_connections", "--formatter", "json", "peer_port", "host", "protocol"))
             if row["peer_port"] == port]
    assert found == [{"peer_port": port, "host": [127, 0, 0, 1], "protocol": [0, 9, 1]}]


def test_tls_of_a_connection(t):
    """As what the client has agreed on; nothing where it is plain."""
    connection = t.connect(client_properties={"connection_name": t.prefix})
    columns = "ssl ssl_protocol ssl_key_exchange ssl_cipher ssl_hash peer_cert_subject client_properties".split()
    *row, _ = one_row(t, ctl(t, "list_connections", "-q", *columns)).split("\t")
    if t.broker.tls is None:
        assert row == ["false", "", "", "", "", ""], row
        return
    name, protocol, _ = connection._impl._transport._sock.cipher()
    assert row == ["true", protocol.lower(), *TLS13_COLUMNS[name], ""], (row, name)


@limit(60)
def test_list_consumers(t):
    channel = t.channel()
    first, second = t.queue(channel), t.queue(channel)
    channel.basic_qos(prefetch_count=2)
    t.consume(channel, first, consumer_tag="one of " + t.prefix)
    t.consume(channel, second, consumer_tag="two of " + t.prefix, auto_ack=True, arguments={"x-priority": 7, "s": "t"})
    lines = ctl(t, "list_consumers").split("\n")
    assert lines[:2] == ["Listing consumers in vhost / ...", "queue_name\tchannel_pid\tconsumer_tag\tack_required\t"
                         "prefetch_count\tactive\targuments"], lines
    rows = sorted(row.split("\t") for row in rows_of(t, "\n".join(lines)))
    pids = {row.pop(1) for row in rows}
    prefetches = [row.pop(3) for row in rows]
    assert prefetches[0] == "2" and len(pids) == 1 and re.match("^<.*>$", pids.pop()), lines
    assert rows == [[first, "one of " + t.prefix, "true", "true", "[]"],
                    [second, "two of " + t.prefix, "false", "true", '[{"x-priority",7},{"s","t"}]']], rows
    rows = rows_of(t, ctl(t, "list_consumers", "-q", "queue_name", "active"))
    assert sorted(rows) == [first + "\ttrue", second + "\ttrue"], rows


def test_empty_lists(t):
    broker = t.shuntd()
    assert ctl(t, "list_queues", broker=broker) == "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\n"
    assert ctl(t, "list_bindings", broker=broker) == "Listing bindings for vhost /...\n"
    assert ctl(t, "list_connections", broker=broker) == "Listing connections ...\n"
    assert ctl(t, "list_consumers", "-q", broker=broker) == ""
    assert ctl(t, "list_queues", "--formatter", "json", broker=broker) == "[\n]\n"
    assert ctl(t, "list_queues", "--formatter", "csv", broker=broker) == ""
    assert ctl(t, "list_queues", "-q", "--formatter", "pretty_table", broker=broker) == ""


def test_every_column_of_help(t):
    """What help names the broker knows, and shows in as many fields."""
    broker = t.shuntd()
    connection = t.wire_to(broker)
    connection.call(1, "queue.declare", queue="q")
    connection.call(1, "basic.consume", queue="q", consumer_tag="c")
    for command in ("list_queues", "list_exchanges", "list_bindings", "list_connections", "list_consumers"):
        text = ctl(t, "help", command, broker=broker)
        columns = re.search("must be one of (.*)\n", text).group(1).split(", ")
        rows = json.loads(ctl(t, command, "--formatter", "json", *columns, broker=broker))
        assert rows and all(sorted(row) == columns for row in rows), (command, columns, rows)


@slow
@limit(60)
def test_many_rows_on_all_loops(t):
    """Lists are made in slices: all of them come, each once, in any number of loops."""
    broker = t.shuntd(loops=3)
    client = t.wire_to(broker)
    names = ["%05d" % i for i in range(3000)]
    for name in names:
        client.send(1, "queue.declare", queue=name, nowait=True)
    client.call(1, "queue.declare", queue=names[0])
    assert sorted(ctl(t, "list_queues", "-s", "name", broker=broker).split()) == names
    rows = [row.split("\t") for row in ctl(t, "list_bindings", "-s", "source_name", "routing_key", broker=broker).split("\n")]
    assert sorted(row[1] for row in rows if len(row) == 2) == names


# --- What is refused


REFUSED = [
    (64, ["list_queues", "nosuch"], "Error (argument validation): Info key(s) nosuch are not supported\n"),
    (64, ["list_queues", "name", "z", "a"], "Error (argument validation): Info key(s) a,z are not supported\n"),
    (64, ["list_bindings", "name"], "Error (argument validation): Info key(s) name are not supported\n"),
    (64, ["list_queues", "--nosuch"], "Error (argument validation): Invalid options for this command:\n--nosuch : \n"
     "Arguments given:\n\tlist_queues --nosuch\n"),
    (64, ["list_queues", "-t", "abc"], "Error (argument validation): Invalid options for this command:\n-t : abc\n"),
    (64, ["list_queues", "-p"], "Error (argument validation): Invalid options for this command:\n-p : \n"),
    (64, ["list_queues", "--formatter", "csv", "--no-table-headers"],
     "Error (argument validation): Invalid options for this command:\n--no-table-headers : \n"),
    (64, ["ping", "more"], "Error (argument validation): too many arguments.\nArguments given:\n\tping more\n"),
    (64, ["nosuch"], "\nCommand 'nosuch' not found."),
    (64, ["list_que"], "Did you mean 'list_queues'?"),
    (64, [], "Usage"),
    (75, ["list_queues", "-t", "0"], "timed out. Timeout value used: 0\n"),
    (69, ["ping", "-t", "0"], "Error:\nFailed to connect and authenticate to "),
]


@limit(120)
def test_exit_statuses_and_their_texts(t):
    for status, arguments, text in REFUSED:
        done = start_ctl(t, *arguments)
        assert done.returncode == status and text in done.stderr, (arguments, done)
        assert done.stdout == "" or arguments[0] == "ping", (arguments, done)


def test_unknown_vhost(t):
    only_shunt(t)
    for command in ("list_queues", "list_exchanges", "list_bindings", "list_consumers"):
        assert ctl(t, command, "-p", "no such", status=65) == "Error:\nVirtual host 'no such' does not exist\n"


@limit(60)
def test_no_broker(t):
    name = ["--socket", "/no/such/socket"] if isinstance(t.broker, brokers.ShuntBroker) else ["-n", "nosuch@localhost"]
    for command in ("list_queues", "status", "stop"):
        assert "Error: unable to perform an operation on node '" in ctl(t, command, *name, status=69)
    ctl(t, "ping", *name, status=69)


def test_help_and_version(t):
    only_shunt(t)
    general = ctl(t, "help")
    assert general == ctl(t, "--help") and "   list_queues " in general
    assert ctl(t, "help", "stop") == ctl(t, "stop", "--help")
    assert re.match(r"^\d+\.\d+\.\d+\n$", ctl(t, "version"))
    assert ctl(t, "--version") == ctl(t, "version")


def test_output_that_cannot_be_written(t):
    only_shunt(t)
    with open("/dev/full", "wb") as full:
        assert start_ctl(t, "list_exchanges", stdout=full).returncode == 74


def test_socket_by_option_and_environment(t):
    only_shunt(t)
    broker = t.broker
    command = [shuntctl_of(broker), "ping", "-q"]
    for more, environment in ((["--socket", broker.control_socket], {"SHUNT_SOCKET": "/no/such/socket"}),
                              (["--socket=" + broker.control_socket], {}),
                              ([], {"SHUNT_SOCKET": broker.control_socket})):
        done = subprocess.run(command + more, env=environment, stdout=subprocess.PIPE, timeout=t.limit, check=False)
        assert (done.returncode, done.stdout) == (0, b"Ping succeeded\n"), (more, environment, done)


# --- The node


@limit(60)
def test_ping(t):
    output = ctl(t, "ping")
    assert output.startswith("Will ping ") and output.endswith("Timeout: 60000 ms.\nPing succeeded\n"), output
    assert ctl(t, "ping", "-q") == "Ping succeeded\n"
    assert ctl(t, "ping", "--formatter", "json") == '{"message":"Ping succeeded"}\n'


@limit(60)
def test_status(t):
    lines = ctl(t, "status").split("\n")
    assert re.match("^Status of node [^ ]+ ...$", lines[0]), lines
    titles = [re.sub("\x1b[^m]*m", "", line) for line in lines]
    for title in ("Runtime", "Plugins", "Data directory", "Config files", "Log file(s)", "Alarms", "Memory",
                  "File Descriptors", "Free Disk Space", "Totals", "Listeners") + (("Event Loops",) if t.shunt else ()):
        assert titles[titles.index(title) + 1] == "", (title, lines)
    interfaces = [line for line in lines if line.startswith("Interface: ") and "protocol: amqp" in line]
    begin = "Interface: 127.0.0.1, port: %d, protocol: " % t.broker.port
    own, = [line[len(begin):] for line in interfaces if line.startswith(begin)]
    if t.broker.tls is None:
        assert own.startswith("amqp, purpose: AMQP 0-9-1") and "TLS" not in own, own
    else:
        assert own.startswith("amqp/ssl, purpose: AMQP 0-9-1") and own.endswith(" over TLS"), own
        assert len(interfaces) == 1, interfaces   # so whoever gets in has spoken it
    status = json.loads(ctl(t, "status", "--formatter", "json"))
    for key in ("pid os uptime active_plugins data_directory config_files log_files alarms listeners memory totals "
                "product_name product_version disk_free disk_free_limit file_descriptors vm_memory_high_watermark_limit").split():
        assert key in status, (key, status)
    assert {"virtual_host_count", "connection_count", "queue_count"} <= set(status["totals"])


def test_status_of_what_is_there(t):
    broker = t.shuntd("heartbeat=5", loops=2)
    client, other = t.wire_to(broker), t.wire_to(broker)
    client.call(1, "queue.declare", queue="q")
    other.call(1, "basic.consume", queue="q")
    status = json.loads(ctl(t, "status", "--formatter", "json", broker=broker))
    assert (status["product_name"], status["pid"], status["loops"]) == ("Shunt", broker.process.pid, 2)
    totals = status["totals"]
    assert [totals[kind + "_count"] for kind in ("connection", "channel", "queue", "consumer", "virtual_host")] == \
        [2, 2, 1, 1, 1], totals
    assert status["active_plugins"] == ["exchange-direct", "exchange-fanout", "exchange-topic", "exchange-headers",
                                        "exchange-consistent-hash", "exchange-random", "exchange-recent-history",
                                        "exchange-modulus-hash"]
    loops = status["event_loops"]
    assert [loop["loop"] for loop in loops] == [0, 1]
    for loop in loops:
        assert 0 < loop["longest_turn_since_asked_us"] <= loop["longest_turn_us"] <= loop["busy_us"], loop
        assert list(loop["turns_by_us"])[:3] == ["0", "64", "128"] and sum(loop["turns_by_us"].values()) > 0, loop
    again = json.loads(ctl(t, "status", "--formatter", "json", broker=broker))["event_loops"]
    assert again[0]["busy_us"] > loops[0]["busy_us"], (loops, again)
    assert [l["port"] for l in status["listeners"] if l["interface"] == "127.0.0.1"] == [broker.port]
    text = ctl(t, "status", "-q", "--unit", "bytes", broker=broker)
    assert "OS PID: %d\n" % broker.process.pid in text and "Queue count: 1\n" in text and "\n(none)\n" in text


def test_status_shows_the_memory_alarm(t):
    broker = t.shuntd("vm_memory_high_watermark.absolute=100kB")
    client = t.wire_to(broker)
    client.call(1, "queue.declare", queue="q")
    client.publish(1, "", "q", bytes(200000))
    t.wait(lambda: "Memory alarm on node " in ctl(t, "status", broker=broker), "the alarm")
    alarms = json.loads(ctl(t, "status", "--formatter", "json", broker=broker))["alarms"]
    assert [(alarm["resource"], alarm["type"]) for alarm in alarms] == [("memory", "resource_limit")], alarms


def test_status_shows_the_disk_alarm(t):
    broker = t.shuntd("disk_free_limit.absolute=1000000GB", "vm_memory_high_watermark.absolute=1")
    t.wire_to(broker)   # a connection is more than a byte
    t.wait(lambda: re.search("\nFree disk space alarm on node [^ ]+\nMemory alarm on node ",
                             ctl(t, "status", broker=broker)), "both alarms")
    status = json.loads(ctl(t, "status", "--formatter", "json", broker=broker))
    assert [(alarm["resource"], alarm["type"]) for alarm in status["alarms"]] == \
        [("disk", "resource_limit"), ("memory", "resource_limit")], status["alarms"]
    assert status["disk_free_limit"] == 10 ** 15 and 0 < status["disk_free"] < 10 ** 15, status
    text = ctl(t, "status", "-q", "--unit", "gb", broker=broker)
    assert "Low free disk space watermark: 1000000.0 gb\nFree disk space: " in text, text


def test_stop_waits_for_the_end(t):
    broker = t.shuntd()
    client = t.wire_to(broker)
    broker.was_told_to_end = True
    running = subprocess.Popen([shuntctl_of(broker), "stop", "--socket", broker.control_socket],
                               stdout=subprocess.PIPE, encoding="utf-8")
    client.expect_connection_close(320, re.compile("^CONNECTION_FORCED - "))
    client.close_socket()
    output, _ = running.communicate(timeout=t.limit)
    # it is not reaped yet, but it has ended
    with open("/proc/%d/stat" % broker.process.pid, encoding="utf-8") as f:
        assert f.read().rsplit(")", 1)[1].split()[0] == "Z"
    assert broker.process.wait(t.limit) == 0
    assert re.match("^Stopping and halting node [^ ]+ ...\n$", output) and running.returncode == 0, output
    assert not os.path.exists(broker.control_socket)
    assert 'event=broker.stopped by="uid=' in broker.log_tail()
    ctl(t, "stop", broker=broker, status=69)
    assert ctl(t, "stop", "--idempotent", "-q", broker=broker) == ""


def test_stop_gives_up_waiting(t):
    """With --timeout; the broker ends all the same."""
    broker = t.shuntd()
    t.wire_to(broker)   # does not answer connection.close
    broker.was_told_to_end = True
    assert "operation stop on node" in ctl(t, "stop", "-t", "1", broker=broker, status=75)
    assert broker.process.wait(30 * t.broker.patience) == 0


# --- Its cost


def test_it_is_quick(t):
    """Ten milliseconds of CPU at most."""
    only_shunt(t)
    if t.broker.patience > 1:
        raise Skip("not with sanitizers")
    ctl(t, "list_queues")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(10):
        ctl(t, "list_queues", "-s")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds / 10 < 0.010, seconds / 10
