#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Publishes with confirms in two ways: one by one, and as a stream whose confirms arrive meanwhile.
import pika
from pika.exceptions import NackError, UnroutableError

MESSAGE_COUNT = 1000


def create_connection():
    return pika.BlockingConnection(pika.ConnectionParameters(host='localhost'))


def publish_messages_individually():
    connection = create_connection()
    channel = connection.channel()
    queue = channel.queue_declare(queue='', exclusive=True).method.queue

    channel.confirm_delivery()
    confirmed = 0
    for number in range(MESSAGE_COUNT):
        try:
            channel.basic_publish(exchange='', routing_key=queue, body=str(number), mandatory=True)
            confirmed += 1
        except (UnroutableError, NackError) as error:
            print(" [!] %s was not taken: %r" % (number, error))
    in_queue = channel.queue_declare(queue=queue, passive=True, exclusive=True).method.message_count
    print(" [x] one by one: %d confirmed, %d in the queue" % (confirmed, in_queue))

    try:
        channel.basic_publish(exchange='', routing_key='no.such.queue', body='lost?', mandatory=True)
        print(" [!] routed to nowhere")
    except UnroutableError as error:
        print(" [x] came back: %r" % error.messages[0].body.decode())
    connection.close()


class AsynchronousPublisher(object):

    def __init__(self):
        self.outstanding = {}
        self.confirmed = 0
        self.nacked = 0
        self.channel = None
        self.queue = None
        self.connection = pika.SelectConnection(
            pika.ConnectionParameters(host='localhost'),
            on_open_callback=self.on_connection_open,
            on_close_callback=self.on_connection_closed)

    def on_connection_open(self, connection):
        connection.channel(on_open_callback=self.on_channel_open)

    def on_channel_open(self, channel):
        self.channel = channel
        channel.queue_declare(queue='', exclusive=True, callback=self.on_queue)

    def on_queue(self, frame):
        self.queue = frame.method.queue
        self.channel.confirm_delivery(self.on_confirm, callback=self.publish_all)

    def publish_all(self, _frame):
        for number in range(1, MESSAGE_COUNT + 1):
            self.outstanding[number] = str(number)
            self.channel.basic_publish('', self.queue, str(number))

    def on_confirm(self, frame):
        method = frame.method
        tags = [tag for tag in self.outstanding if tag <= method.delivery_tag] if method.multiple \
            else [method.delivery_tag]
        for tag in tags:
            del self.outstanding[tag]
        if isinstance(method, pika.spec.Basic.Ack):
            self.confirmed += len(tags)
        else:
            self.nacked += len(tags)
        if not self.outstanding:
            self.channel.queue_purge(self.queue, callback=self.on_purged)

    def on_purged(self, frame):
        print(" [x] as a stream: %d confirmed, %d refused, %d in the queue" % (
            self.confirmed, self.nacked, frame.method.message_count))
        self.connection.close()

    def on_connection_closed(self, connection, _reason):
        connection.ioloop.stop()

    def run(self):
        self.connection.ioloop.start()


publish_messages_individually()
AsynchronousPublisher().run()
