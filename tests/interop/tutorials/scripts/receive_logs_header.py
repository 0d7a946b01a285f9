#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# receive_logs_header.py all|any [NAME=VALUE...]
import sys

import pika

connection = pika.BlockingConnection(
    pika.ConnectionParameters(host='localhost'))
channel = connection.channel()

channel.exchange_declare(exchange='header_logs', exchange_type='headers')

result = channel.queue_declare('', exclusive=True)
queue_name = result.method.queue

if len(sys.argv) < 2:
    sys.stderr.write("Usage: %s all|any [name=value]...\n" % sys.argv[0])
    sys.exit(1)

arguments = dict(item.split('=', 1) for item in sys.argv[2:])
arguments['x-match'] = sys.argv[1]
channel.queue_bind(
    exchange='header_logs', queue=queue_name, routing_key='', arguments=arguments)

print(' [*] Reading the log. Ctrl-C ends it')


def callback(ch, method, properties, body):
    print(" [x] %r with %r" % (body.decode(), sorted(properties.headers.items())))


channel.basic_consume(
    queue=queue_name, on_message_callback=callback, auto_ack=True)

channel.start_consuming()
