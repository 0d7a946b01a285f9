# SPDX-License-Identifier: MIT
"""ssl_options.*: what is wrong with them is told before anything starts, with the line and OpenSSL's reason."""

import os
import shutil
import ssl
import subprocess
import tempfile

from lib import certificates
from lib.case import Skip

available = certificates.available


class Checked:
    """Configurations, read by shuntd --check-config and no more."""

    def __init__(self, t):
        if not hasattr(t.broker, "shuntd"):
            raise Skip("needs a shuntd of its own")
        self.t = t
        self.folder = tempfile.mkdtemp(prefix="shunt-tls-")
        t.cleanup(lambda: shutil.rmtree(self.folder, ignore_errors=True))
        self.authority = certificates.Authority(self.folder)
        self.authority.sign("server", "/CN=localhost")

    def check(self, *lines):
        path = os.path.join(self.folder, "shunt.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(("listeners.ssl.default = 127.0.0.1:0", "plugins.dir = " + self.t.broker.plugins) + lines))
        done = subprocess.run(self.t.broker.wrapper + [self.t.broker.shuntd, "--check-config", "-c", path],
                              capture_output=True, text=True, timeout=self.t.limit, check=False)
        return done.returncode, done.stderr

    def refused(self, number, text, *lines):
        """`number`: of the line that is blamed, counted from the first of `lines`; None: of none."""
        status, output = self.check(*lines)
        assert status == 78, (status, output)
        where = ": " if number is None else "shunt.conf:%d: " % (number + 2)
        assert where in output and text in output, (where, text, output)

    def accepted(self, *lines):
        status, output = self.check(*lines)
        assert status == 0, (status, output)

    def own(self):
        return tuple(self.authority.options())


def test_files_are_checked(t):
    c = Checked(t)
    own = ("ssl_options.certfile = " + c.authority.path("server.pem"),
           "ssl_options.keyfile = " + c.authority.path("server.key"))
    c.accepted(*own)
    c.refused(None, "ssl_options.certfile: a certificate is needed")
    c.refused(1, "'/no/where.pem': No such file or directory", "ssl_options.certfile = /no/where.pem")
    c.refused(2, "'/no/where.key': No such file or directory", own[0], "ssl_options.keyfile = /no/where.key")
    c.refused(2, "key values mismatch", own[0], "ssl_options.keyfile = " + c.authority.path("ca.key"))
    c.refused(1, "no start line", "ssl_options.certfile = " + c.authority.path("server.csr"))
    c.refused(3, "No such file", *own, "ssl_options.cacertfile = /no/ca.pem")
    c.refused(3, "no certificate or crl found", *own, "ssl_options.cacertfile = " + c.authority.path("server.csr"))
    c.refused(3, "No such file", *own, "ssl_options.dhfile = /no/dh.pem")


def test_encrypted_key(t):
    c = Checked(t)
    c.authority.sign("locked", "/CN=localhost", password="sesame")
    own = ("ssl_options.certfile = " + c.authority.path("locked.pem"),
           "ssl_options.keyfile = " + c.authority.path("locked.key"))
    c.accepted(*own, "ssl_options.password = sesame")
    c.refused(2, "locked.key'", *own)
    c.refused(2, "locked.key'", *own, "ssl_options.password = wrong-one")
    assert "wrong-one" not in c.check(*own, "ssl_options.password = wrong-one")[1]


def test_verify(t):
    c = Checked(t)
    own = c.own()
    c.accepted(*own, "ssl_options.verify = verify_peer", "ssl_options.fail_if_no_peer_cert = true")
    c.accepted(*own, "ssl_options.verify = verify_none", "ssl_options.fail_if_no_peer_cert = false")
    c.refused(4, "verify_peer", *own, "ssl_options.fail_if_no_peer_cert = true")
    c.refused(3, "authorities", *own[:2], "ssl_options.verify = verify_peer")
    c.refused(1, "expected verify_peer or verify_none", "ssl_options.verify = true")


def test_versions_and_ciphers(t):
    c = Checked(t)
    own = c.own()
    c.accepted(*own, "ssl_options.versions.1 = tlsv1.3", "ssl_options.ciphers.1 = TLS_AES_256_GCM_SHA384")
    c.accepted(*own, "ssl_options.versions.1 = tlsv1.2", "ssl_options.ciphers.1 = ECDHE-RSA-AES256-GCM-SHA384",
               "ssl_options.ciphers.2 = TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
    c.refused(1, "what came before is broken", "ssl_options.versions.1 = tlsv1.1")
    c.refused(4, "'RC4-MD5-NOT': no such cipher", *own, "ssl_options.ciphers.1 = RC4-MD5-NOT")
    c.refused(5, "no cipher for the versions", *own, "ssl_options.versions.1 = tlsv1.3",
              "ssl_options.ciphers.1 = ECDHE-RSA-AES256-GCM-SHA384")


def test_the_rest_of_rabbitmq_s(t):
    """rabbit.schema's other names: each is accepted, or refused with its reason."""
    c = Checked(t)
    own = c.own()
    c.accepted(*own, "ssl_options.depth = 2", "ssl_options.honor_cipher_order = true",
               "ssl_options.honor_ecc_order = true", "ssl_options.secure_renegotiate = true",
               "ssl_options.client_renegotiation = false", "ssl_options.reuse_sessions = false",
               "ssl_options.bypass_pem_cache = true", "ssl_options.crl_check = false", "ssl_options.log_alert = true",
               "ssl_options.log_level = notice", "ssl_handshake_timeout = 5000")
    for line in ("client_renegotiation = true", "crl_check = peer", "cert = MII", "key.RSAPrivateKey = MII",
                 "cacerts.1 = MII", "dh = MII", "psk_identity = x"):
        c.refused(1, "is not supported", "ssl_options." + line)
    c.refused(1, "from 0 to 255", "ssl_options.depth = 256")
    c.accepted("listeners.ssl = none")
    c.refused(1, "expected none", "listeners.ssl = all")


def test_proxies(t):
    c = Checked(t)
    own = c.own()
    c.accepted(*own, "proxy_protocol = true", "proxy_protocol.trusted.1 = 10.0.0.0/8",
               "proxy_protocol.trusted.2 = 2001:db8::/32")
    c.refused(1, "10.0.0.0/8", "proxy_protocol.trusted.1 = 10.0.0.1/8")
    c.refused(1, "10.0.0.0/8", "proxy_protocol.trusted.1 = everybody")


def test_a_start_is_refused_as_the_check_is(t):
    c = Checked(t)
    done = subprocess.run(t.broker.wrapper + [t.broker.shuntd, "-o", "listeners.ssl.1=127.0.0.1:0", "-o",
                           "ssl_options.certfile=/no/where.pem", "-o", "data_dir=" + c.folder + "/data"],
                          capture_output=True, text=True, timeout=t.limit, check=False)
    assert done.returncode == 78, done
    assert "-o: ssl_options.certfile: '/no/where.pem': No such file" in done.stderr
    assert not os.path.exists(c.folder + "/data")


def test_versions_and_ciphers_are_kept_to(t):
    tls = certificates.Tls(t, "ssl_options.versions.1=tlsv1.2",
                           "ssl_options.ciphers.1=ECDHE-ECDSA-AES128-GCM-SHA256")
    s = tls.socket()
    assert (s.version(), s.cipher()[0]) == ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")
    try:
        tls.socket(tls.context(version=ssl.TLSVersion.TLSv1_3))
    except ssl.SSLError:
        return
    raise AssertionError("TLS 1.3 was spoken")


def test_quiet_log(t):
    tls = certificates.Tls(t, log_alert="false")
    s = tls.raw()
    s.sendall(b"AMQP\0\0\x09\x01")
    while s.recv(100):
        pass
    tls.connect()
    assert "TLS handshake failed" not in tls.log()
