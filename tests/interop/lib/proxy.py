# SPDX-License-Identifier: MIT
"""A wire to the broker that can be cut."""

import socket
import threading


class Proxy:
    """Listens on .port of 127.0.0.1 and passes bytes on, until cut() resets all that is connected."""

    def __init__(self, t, broker=None):
        broker = broker or t.broker
        self.target = (broker.host, broker.port)
        self.host, self.user, self.password = "127.0.0.1", broker.user, broker.password
        self._sockets = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server((self.host, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        t.cleanup(self.end)

    def _accept(self):
        while True:
            try:
                client = self._listener.accept()[0]
                broker = socket.create_connection(self.target)
            except OSError:
                return
            with self._lock:
                self._sockets |= {client, broker}
            for source, target in ((client, broker), (broker, client)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def end(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
