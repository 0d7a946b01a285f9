# SPDX-License-Identifier: MIT
"""A broker whose process stood still for a while, as it does on a machine that is busy, or moved, or debugged."""

import os
import signal
import time

from lib import wire
from lib.case import Skip
from lib.runner import limit, slow


@slow
@limit(40)
def test_heartbeats_sent_meanwhile_count(t):
    """Its timers say that it is too late; the sockets of some clients have not been looked at yet by then."""
    broker = t.shuntd(loops=1)
    if broker.wrapper:
        raise Skip("the process is not the broker's")
    clients = []
    for _ in range(100):
        clients.append(t.wire_to(broker, heartbeat=1))
        for client in clients:
            client.send_frame(wire.HEARTBEAT, 0)
    os.kill(broker.process.pid, signal.SIGSTOP)
    try:
        time.sleep(3)   # more than two heartbeats and a quarter
        for client in clients:
            client.send_frame(wire.HEARTBEAT, 0)
    finally:
        os.kill(broker.process.pid, signal.SIGCONT)
    for client in clients:
        client.call(1, "basic.qos", prefetch_count=1)
