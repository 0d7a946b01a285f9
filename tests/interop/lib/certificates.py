# SPDX-License-Identifier: MIT
"""Certificates for tests, made by the openssl command: an authority, and what it has signed."""

import os
import socket
import ssl
import subprocess

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

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.name = name
        os.makedirs(folder, exist_ok=True)
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                 "-subj", "/CN=Test Authority %s/O=Shunt" % name, "-keyout", self.path(name + ".key"),
                 "-out", self.path(name + ".pem"))
        self.file = self.path(name + ".pem")

    def path(self, name):
        return os.path.join(self.folder, name)

    def sign(self, name, subject, algorithm=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), days=30, password=None,
             is_authority=False):
        """Makes NAME.pem and NAME.key."""
        request, extensions = self.path(name + ".csr"), self.path(name + ".ext")
        secret = ["-passout", "pass:" + password] if password else ["-nodes"]
        _openssl("req", "-newkey", *algorithm, *secret, "-subj", subject, "-keyout", self.path(name + ".key"),
                 "-out", request)
        with open(extensions, "w", encoding="ascii") as f:
            f.write("basicConstraints=critical,CA:TRUE\n" if is_authority else
                    "subjectAltName=DNS:%s,IP:127.0.0.1\n" % HOST)
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
