# SPDX-License-Identifier: MIT
"""amqp091-go. The cases are in amqp091.go, all of one program: compiling it for the first time takes a while."""

import os
import shutil
import tempfile

from lib.process import distrust, output_of
from lib.runner import limit, slow

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "amqp091.go")
GO = "/usr/bin/go"   # Debian's: its packages are in a GOPATH, for a Go of their time
GOPATH = "/usr/share/gocode"


def available():
    if not os.path.exists(GO) or not os.path.isdir(GOPATH + "/src/github.com/rabbitmq/amqp091-go"):
        return "golang-go and golang-github-rabbitmq-amqp091-go-dev are not installed"
    return None


def compiled(t):
    folder = tempfile.mkdtemp(prefix="shunt-go-")
    t.cleanup(lambda: shutil.rmtree(folder))
    program = os.path.join(folder, "amqp091")
    # the library of a Go without cgo would have to be compiled first
    output_of(t, GO, "build", "-o", program, SOURCE, limit=120, GOPATH=GOPATH, GO111MODULE="off", GOFLAGS="",
              CGO_ENABLED="1", GOTOOLCHAIN="local")
    return program


@slow
@limit(150)
def test_amqp091_go(t):
    program = compiled(t)
    assert output_of(t, program, limit=25, AMQP_LIMIT_SECONDS="15").endswith("all\n")
    if t.broker.authority:
        distrust(t, program)
