# SPDX-License-Identifier: MIT
"""Certificates for tests, made by the openssl command: an authority, and what it has signed."""

import os
import shutil
import socket
import ssl
import subprocess
import tempfile

import pika

from . import broker

HOST = "localhost"


def available():
    try:
        subprocess.run(["openssl", "version"], stdout=subprocess.DEVNULL, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "openssl is not installed"
    return None


def _openssl(*arguments, **options):
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **options)
    assert done.returncode == 0, "openssl %s: %s" % (" ".join(arguments), done.stdout)


class TlsSocket(ssl.SSLSocket):
    """As a plain socket is, where Python's are not."""

    def shutdown(self, how):
        # that of SSLSocket would pass bytes through as they are from then on
        socket.socket.shutdown(self, how)

    def send(self, data, flags=0):
        try:
            return super().send(data, flags)
        except ssl.SSLWantWriteError:
            raise BlockingIOError from None


class Authority:
    """Its files are in `folder`: ca.pem, and NAME.pem and NAME.key of all that it signs."""

    def __init__(self, folder, name="ca", signed_by=None):
        self.folder = folder
        self.name = name
        self.file = self.path(name + ".pem")
        os.makedirs(folder, exist_ok=True)
        if signed_by:
            signed_by.sign(name, "/CN=Test Authority %s" % name, is_authority=True)
            return
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                 "-subj", "/CN=Test Authority %s/O=Shunt" % name, "-keyout", self.path(name + ".key"),
                 "-out", self.file)

    def path(self, name):
        return os.path.join(self.folder, name)

    def sign(self, name, subject, algorithm=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), days=30, password=None,
             is_authority=False, host=HOST):
        """Makes NAME.pem and NAME.key; for another host they are for no address."""
        request, extensions = self.path(name + ".csr"), self.path(name + ".ext")
        secret = ["-passout", "pass:" + password] if password else ["-nodes"]
        _openssl("req", "-newkey", *algorithm, *secret, "-subj", subject, "-keyout", self.path(name + ".key"),
                 "-out", request)
        with open(extensions, "w", encoding="ascii") as f:
            f.write("basicConstraints=critical,CA:TRUE\n" if is_authority else
                    "subjectAltName=DNS:%s%s\n" % (host, ",IP:127.0.0.1" if host == HOST else ""))
        _openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.path(self.name + ".key"),
                 "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", self.path(name + ".pem"))

    def options(self, name="server", **more):
        """Settings of shuntd (or RabbitMQ) for a server that shows this certificate."""
        options = {"certfile": self.path(name + ".pem"), "keyfile": self.path(name + ".key"), "cacertfile": self.file}
        options.update(more)
        return ["ssl_options.%s=%s" % item for item in options.items()]

    def context(self, client=None, version=None, ciphers=None):
        """What a client of Python's needs: its own certificate, if it has one, and who it trusts."""
        context = ssl.create_default_context(cafile=self.file)
        context.sslsocket_class = TlsSocket
        if client:
            context.load_cert_chain(self.path(client + ".pem"), self.path(client + ".key"))
        if version:
            context.minimum_version = context.maximum_version = version
        if ciphers:
            context.set_ciphers(ciphers)
        return context

    def kombu_options(self):
        """The same for kombu and Celery."""
        return {"ca_certs": self.file, "cert_reqs": ssl.CERT_REQUIRED, "server_hostname": HOST}


class Tls:
    """A shuntd of the test's own that listens with TLS, beside its plain port, with a client and an authority."""

    host = "127.0.0.1"

    def __init__(self, t, *options, loops=2, config=None, shown="server", header=b"", certified=HOST, **settings):
        self.t = t
        self.folder = tempfile.mkdtemp(prefix="shunt-tls-")
        t.cleanup(lambda: shutil.rmtree(self.folder, ignore_errors=True))
        self.authority = Authority(os.path.join(self.folder, "tls"))
        self.authority.sign(shown, "/CN=" + certified, host=certified)
        self.authority.sign("client", "/C=DE/O=Shunt, Inc/OU=testing/CN=client one")
        wrapper = ()
        if config is not None:
            self.config = os.path.join(self.folder, "shunt.conf")
            self.configure(config, **settings)
            wrapper = ("/bin/sh", "-c", 'shuntd=$1; shift; exec "$shuntd" -c "$0" "$@"', self.config)
            settings = None
        # the port may be taken by somebody else before shuntd has it; that is what start() tries again for
        self.port, = broker.free_ports(1)
        own = self.authority.options(shown, **settings) if settings is not None else []
        self.broker = t.shuntd("listeners.ssl.1=127.0.0.1:%d" % self.port, *own, *options, loops=loops,
                               wrapper=wrapper, header=header, authority=None)

    def configure(self, text="", shown="server", **settings):
        """What is in the configuration's file."""
        with open(self.config, "w", encoding="ascii") as f:
            f.write("\n".join(self.authority.options(shown, **settings)) + "\n" + text)

    def context(self, **options):
        return self.authority.context(**options)

    def connect(self, context=None, **options):
        """A pika BlockingConnection over TLS."""
        parameters = pika.ConnectionParameters("127.0.0.1", self.port, "/", pika.PlainCredentials("guest", "guest"),
                                               heartbeat=0, socket_timeout=10, stack_timeout=15,
                                               ssl_options=pika.SSLOptions(context or self.context(), HOST), **options)
        connection = pika.BlockingConnection(parameters)
        self.t.cleanup(lambda: connection.is_open and connection.close())
        return connection

    def raw(self):
        """A socket to the TLS port, bare."""
        s = socket.create_connection(("127.0.0.1", self.port), timeout=10 * self.t.broker.patience)
        self.t.cleanup(s.close)
        return s

    def socket(self, context=None, session=None):
        """A socket on which the handshake is done."""
        wrapped = (context or self.context()).wrap_socket(self.raw(), server_hostname=HOST, session=session)
        self.t.cleanup(wrapped.close)
        return wrapped

    def log(self):
        with open(self.broker.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, text):
        self.t.wait(lambda: text in self.log(), "%r in the log" % text)
