#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# emit_log_header.py MESSAGE [NAME=VALUE...]
import sys

import pika

connection = pika.BlockingConnection(
    pika.ConnectionParameters(host='localhost'))
channel = connection.channel()

channel.exchange_declare(exchange='header_logs', exchange_type='headers')

if len(sys.argv) < 2:
    sys.stderr.write("Usage: %s message [name=value]...\n" % sys.argv[0])
    sys.exit(1)

message = sys.argv[1]
headers = dict(item.split('=', 1) for item in sys.argv[2:])
channel.basic_publish(
    exchange='header_logs',
    routing_key='',
    body=message,
    properties=pika.BasicProperties(headers=headers))
print(" [x] Logged %r with %r" % (message, headers))
connection.close()
