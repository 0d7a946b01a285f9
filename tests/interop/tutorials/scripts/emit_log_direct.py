#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
import sys

import pika

connection = pika.BlockingConnection(
    pika.ConnectionParameters(host='localhost'))
channel = connection.channel()

channel.exchange_declare(exchange='direct_logs', exchange_type='direct')

severity = sys.argv[1] if len(sys.argv) > 1 else 'info'
message = ' '.join(sys.argv[2:]) or 'all is well'
channel.basic_publish(
    exchange='direct_logs', routing_key=severity, body=message)
print(" [x] Logged %r:%r" % (severity, message))
connection.close()
