#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Each dot in a task is a second of work.
import time

import pika

connection = pika.BlockingConnection(
    pika.ConnectionParameters(host='localhost'))
channel = connection.channel()

channel.queue_declare(queue='task_queue', durable=True)
print(' [*] Ready for work. Ctrl-C ends it')


def callback(ch, method, properties, body):
    print(" [x] Began %r" % body.decode())
    time.sleep(body.count(b'.'))
    print(" [x] Finished %r" % body.decode())
    ch.basic_ack(delivery_tag=method.delivery_tag)


channel.basic_qos(prefetch_count=1)
channel.basic_consume(queue='task_queue', on_message_callback=callback)

channel.start_consuming()
