# SPDX-License-Identifier: MIT
"""at_port.py PORT SCRIPT [ARGUMENT...]: runs an unchanged script, whose pika takes PORT for AMQP's usual 5672.

Where the environment's AMQP_CA_FILE says whom to trust, its pika speaks TLS, to a broker that is called localhost."""

import os
import runpy
import ssl
import sys

import pika
import pika.connection

port, script = sys.argv[1:3]
pika.connection.Parameters.DEFAULT_PORT = pika.connection.Parameters.DEFAULT_SSL_PORT = int(port)
if "AMQP_CA_FILE" in os.environ:
    pika.connection.Parameters.DEFAULT_SSL_OPTIONS = pika.SSLOptions(
        ssl.create_default_context(cafile=os.environ["AMQP_CA_FILE"]), "localhost")
sys.argv = sys.argv[2:]
sys.path[0] = os.path.dirname(os.path.abspath(script))
runpy.run_path(script, run_name="__main__")
