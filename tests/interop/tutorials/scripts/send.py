#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
import pika

connection = pika.BlockingConnection(pika.ConnectionParameters('localhost'))
channel = connection.channel()

channel.queue_declare(queue='hello')

channel.basic_publish(exchange='', routing_key='hello', body='Good morning!')
print(" [x] Said 'Good morning!'")

connection.close()
