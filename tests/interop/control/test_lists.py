# SPDX-License-Identifier: MIT
"""list_channels, the columns of all lists, and lists within lists: many channels, many consumers."""

import json
import re
import socket

import pika

from lib.runner import limit
from lib.shuntctl import ctl, only_shunt

# as `rabbitmqctl help` of 3.10 names them
COLUMNS = {
    "list_queues": "arguments auto_delete consumer_capacity consumer_utilisation consumers disk_reads disk_writes durable "
                   "exclusive exclusive_consumer_pid exclusive_consumer_tag head_message_timestamp leader members memory "
                   "message_bytes message_bytes_persistent message_bytes_ram message_bytes_ready "
                   "message_bytes_unacknowledged messages messages_persistent messages_ram messages_ready "
                   "messages_ready_ram messages_unacknowledged messages_unacknowledged_ram name online owner_pid pid "
                   "policy slave_pids state synchronised_slave_pids type",
    "list_exchanges": "arguments auto_delete durable internal name policy type",
    "list_bindings": "arguments destination_kind destination_name routing_key source_kind source_name",
    "list_connections": "auth_mechanism channel_max channels client_properties connected_at frame_max host name "
                        "peer_cert_issuer peer_cert_subject peer_cert_validity peer_host peer_port pid port protocol "
                        "recv_cnt recv_oct send_cnt send_oct send_pend ssl ssl_cipher ssl_hash ssl_key_exchange "
                        "ssl_protocol state timeout user vhost",
    "list_channels": "acks_uncommitted confirm connection consumer_count global_prefetch_count messages_unacknowledged "
                     "messages_uncommitted messages_unconfirmed name number pid prefetch_count transactional user vhost",
    "list_consumers": "ack_required active activity_status arguments channel_pid consumer_tag prefetch_count queue_name",
}


def rows(t, *arguments, broker=None):
    return json.loads(ctl(t, *arguments, "--formatter", "json", broker=broker))


def own_channels(t, channel):
    """By number, of the channel's connection."""
    sock = channel.connection._impl._transport._sock
    begin = "%s:%d -> " % sock.getsockname()[:2]
    return {row["number"]: row for row in rows(t, "list_channels", *COLUMNS["list_channels"].split())
            if row["name"].startswith(begin)}


@limit(60)
def test_every_column_of_rabbitmqctl(t):
    channel = t.channel()
    queue = t.queue(channel, durable=True, exclusive=False)
    t.consume(channel, queue)
    for command, columns in COLUMNS.items():
        found = rows(t, command, *columns.split())
        assert found and all(sorted(row) == columns.split() for row in found), (command, found)


@limit(60)
def test_columns_with_the_same_values(t):
    """What does not depend on the broker's inside."""
    channel = t.channel()
    queue = t.queue(channel, durable=True, exclusive=False)
    for body, mode in (("a" * 10, 2), ("b" * 20, 1), ("c" * 30, 2)):
        channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=mode, timestamp=1700000000))
    t.wait_counts(channel, queue, 3)
    t.get(channel, queue, auto_ack=False)
    columns = ("name messages messages_ready messages_unacknowledged message_bytes message_bytes_ready "
               "message_bytes_unacknowledged messages_persistent message_bytes_persistent consumers consumer_capacity "
               "consumer_utilisation leader members online slave_pids policy head_message_timestamp state type")

    def settled():
        found[:] = [row for row in rows(t, "list_queues", *columns.split()) if row["name"] == queue]
        return found[0]["messages_unacknowledged"] == 1
    found = []
    t.wait(settled, "the message to be taken")
    assert found == [{
        "name": queue, "messages": 3, "messages_ready": 2, "messages_unacknowledged": 1, "message_bytes": 60,
        "message_bytes_ready": 50, "message_bytes_unacknowledged": 10, "messages_persistent": 2,
        "message_bytes_persistent": 40, "consumers": 0, "consumer_capacity": 0, "consumer_utilisation": 0, "leader": "",
        "members": "", "online": "", "slave_pids": "", "policy": "", "head_message_timestamp": 1700000000,
        "state": "running", "type": "classic"}], found
    for column in ("vhost", "messages_paged_out") if t.rabbit3 else ("nosuch",):
        assert "Info key(s) %s are not supported" % column in ctl(t, "list_queues", column, status=64)


@limit(60)
def test_list_channels(t):
    plain, tx, confirm = t.channel(), t.channel(), t.channel()
    queue, other = t.queue(plain), t.queue(plain)
    tx.tx_select()
    tx.basic_qos(prefetch_count=5)
    tx.basic_publish("", queue, "1")
    tx.basic_publish("", queue, "2")
    confirm.confirm_delivery()
    confirm.basic_publish("", queue, "3")
    t.get(confirm, queue, auto_ack=False)
    confirm.basic_qos(prefetch_count=7, global_qos=True)
    t.consume(confirm, other)
    found = own_channels(t, plain)
    assert sorted(found) == [1, 2, 3], found
    for number, expected in ((1, {}), (2, {"transactional": True, "messages_uncommitted": 2, "prefetch_count": 5}),
                             (3, {"confirm": True, "consumer_count": 1, "messages_unacknowledged": 1,
                                  "global_prefetch_count": 7})):
        row = {"number": number, "user": t.broker.user, "vhost": t.broker.vhost, "transactional": False, "confirm": False,
               "consumer_count": 0, "messages_unacknowledged": 0, "messages_uncommitted": 0, "acks_uncommitted": 0,
               "messages_unconfirmed": 0, "prefetch_count": 0, "global_prefetch_count": 0}
        row.update(expected)
        assert {key: found[number][key] for key in row} == row, (found[number], row)
        assert re.search(r" \(%d\)$" % number, found[number]["name"]), found[number]
    lines = ctl(t, "list_channels").split("\n")
    assert lines[:2] == ["Listing channels ...", "pid\tuser\tconsumer_count\tmessages_unacknowledged"], lines


@limit(60)
def test_acknowledged_in_a_transaction(t):
    channel = t.channel()
    queue = t.queue(channel)
    channel.basic_publish("", queue, "1")
    t.wait_counts(channel, queue, 1)
    channel.tx_select()
    method, _, _ = t.get(channel, queue, auto_ack=False)
    row = own_channels(t, channel)[1]
    assert (row["messages_unacknowledged"], row["acks_uncommitted"]) == (1, 0), row
    channel.basic_ack(method.delivery_tag)
    channel.basic_qos(prefetch_count=1)   # behind the acknowledgement
    row = own_channels(t, channel)[1]
    assert (row["messages_unacknowledged"], row["acks_uncommitted"]) == (0, 1), row
    channel.tx_commit()
    row = own_channels(t, channel)[1]
    assert (row["messages_unacknowledged"], row["acks_uncommitted"]) == (0, 0), row


@limit(60)
def test_the_connection_and_channel_of_a_consumer(t):
    """Pids of the lists belong together."""
    channel = t.channel()
    queue = t.queue(channel)
    t.consume(channel, queue)
    columns = {"list_consumers": ("queue_name", "channel_pid"), "list_channels": ("pid", "connection", "name"),
               "list_connections": ("pid", "name")}
    found = {command: [line.split("\t") for line in ctl(t, command, "-s", *names).split("\n")]
             for command, names in columns.items()}
    consumer = [row for row in found["list_consumers"] if row[0] == queue]
    own = [row for row in found["list_channels"] if row[0] == consumer[0][1]]
    connection = [row for row in found["list_connections"] if row[0] == own[0][1]]
    assert len(consumer) == len(own) == len(connection) == 1, found
    assert own[0][2].startswith(connection[0][1] + " ("), found


# --- Lists within lists


@limit(60)
def test_many_channels_on_few_connections(t):
    """More than are listed at a time, with gaps, on connections of both loops."""
    only_shunt(t)
    broker = t.shuntd(loops=2)
    clients = [t.wire_to(broker) for _ in range(4)]
    expected = set()
    for i, client in enumerate(clients):
        for number in range(2, 300, 1 + i):
            client.open_channel(number)
        expected.update((i, number) for number in [1] + list(range(2, 300, 1 + i)))
    clients[0].call(100, "channel.close", reply_code=200, reply_text="")
    expected.remove((0, 100))
    connections = {row["pid"]: row["peer_port"] for row in rows(t, "list_connections", "pid", "peer_port", broker=broker)}
    ports = {client.socket.getsockname()[1]: i for i, client in enumerate(clients)}
    found = [(ports[connections[row["connection"]]], row["number"])
             for row in rows(t, "list_channels", "connection", "number", broker=broker)]
    assert len(found) == len(expected) and set(found) == expected, (len(found), len(expected))


@limit(60)
def test_many_consumers_of_one_queue(t):
    only_shunt(t)
    broker = t.shuntd(loops=2)
    client = t.wire_to(broker)
    for queue, count in (("a", 3), ("b", 500), ("c", 0), ("d", 70)):
        client.call(1, "queue.declare", queue=queue)
        for i in range(count):
            client.send(1, "basic.consume", queue=queue, consumer_tag="%s%d" % (queue, i), nowait=True)
    client.expect_quiet(1)
    found = [row["consumer_tag"] for row in rows(t, "list_consumers", "consumer_tag", broker=broker)]
    assert len(found) == 573 and len(set(found)) == 573, len(found)


@limit(60)
def test_queues_that_go_while_they_are_listed(t):
    """Those that stay are listed once each, and the list ends."""
    only_shunt(t)
    broker = t.shuntd(loops=2)
    client = t.wire_to(broker)
    for i in range(3000):
        client.send(1, "queue.declare", queue="q%d" % i, nowait=True)
    client.expect_quiet(1)
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(t.limit)
        control.connect(broker.control_socket)
        control.sendall(b'{"command":"list_queues","vhost":"/","columns":["name"]}\n')
        lines = control.makefile("rb")
        found = [lines.readline() for _ in range(10)]
        for i in range(0, 3000, 2):
            client.send(1, "queue.delete", queue="q%d" % i, nowait=True)
        client.expect_quiet(1)
        while not found[-1].startswith(b'{"ok"'):
            found.append(lines.readline())
    names = [json.loads(line)[0] for line in found[1:-1]]
    assert len(names) == len(set(names)) and {"q%d" % i for i in range(1, 3000, 2)} <= set(names), len(names)


@limit(60)
def test_clients_that_go_in_the_middle(t):
    """And one that never reads: nobody else waits for it."""
    only_shunt(t)
    broker = t.shuntd(loops=2)
    client = t.wire_to(broker)
    for i in range(2000):
        client.send(1, "queue.declare", queue="queue with a name of some length %d" % i, nowait=True)
    client.expect_quiet(1)
    request = b'{"command":"list_queues","vhost":"/","columns":["name","arguments","pid","state","type"]}\n'
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(broker.control_socket)
        deaf.sendall(request)
        for i in range(20):
            with socket.socket(socket.AF_UNIX) as control:
                control.settimeout(t.limit)
                control.connect(broker.control_socket)
                control.sendall(request)
                for _ in range(i):
                    assert control.recv(1000)
        assert len(rows(t, "list_queues", broker=broker)) == 2000
