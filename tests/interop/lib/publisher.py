# SPDX-License-Identifier: MIT
"""Load, while something else happens that must lose nothing."""

import threading


class Publisher(threading.Thread):
    """Publishes to e with confirms, keys by turns; each body is a number of its own."""

    def __init__(self, t, broker, first):
        super().__init__()
        self.client = t.wire_to(broker)
        self.client.call(1, "confirm.select")
        self.numbers = first
        self.sent = {"a": [], "b": []}
        self.over = threading.Event()
        self.problem = None

    def run(self):
        try:
            n = 0
            while not self.over.is_set():
                for _ in range(50):
                    key = "ab"[n % 2]
                    self.client.publish(1, "e", key, b"%d" % (self.numbers + n), mandatory=True)
                    self.sent[key].append(self.numbers + n)
                    n += 1
                confirmed = 0
                while confirmed < n:
                    ack = self.client.read_method("basic.ack", channel=1)
                    confirmed = ack.delivery_tag if ack.multiple else max(confirmed, ack.delivery_tag)
        except Exception as error:   # pylint: disable=broad-except
            self.problem = error
