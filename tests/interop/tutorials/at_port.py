# SPDX-License-Identifier: MIT
"""at_port.py PORT SCRIPT [ARGUMENT...]: runs an unchanged script, whose pika takes PORT for AMQP's usual 5672."""

import os
import runpy
import sys

import pika.connection

port, script = sys.argv[1:3]
pika.connection.Parameters.DEFAULT_PORT = int(port)
sys.argv = sys.argv[2:]
sys.path[0] = os.path.dirname(os.path.abspath(script))
runpy.run_path(script, run_name="__main__")
