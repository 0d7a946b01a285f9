// SPDX-License-Identifier: MIT
// amqplib.js MODULE CASE: amqplib (or an older one of another name) does what its users do.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { Proxy, event, main } = require('./cases.js');

const amqp = require(process.argv[2]);
const shunt = process.env.AMQP_KIND === 'shunt';

async function connection(t, options = '') {
  const opened = await amqp.connect(t.url + options, t.tls);
  opened.on('error', (error) => { opened.lastError = error; });
  t.after(() => opened.close().catch(() => {}));
  return opened;
}

async function channel(t) {
  return (await connection(t)).createChannel();
}

// The error with which the broker closed the channel or connection.
async function closing(emitter, act) {
  const error = event(emitter, 'error');
  await Promise.resolve(act()).catch(() => {});
  return error;
}

const cases = {
  async hello_world(t) {
    const ch = await channel(t);
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    const inbox = new t.Inbox();
    await ch.consume(queue, inbox.put, { noAck: true });
    ch.sendToQueue(queue, Buffer.from('hello'));
    const message = await inbox.next();
    assert.equal(message.content.toString(), 'hello');
    assert.equal(message.fields.routingKey, queue);
    assert.equal(message.fields.exchange, '');
    assert.equal(message.fields.redelivered, false);
    assert.equal(message.fields.deliveryTag, 1);
  },

  async server_named_queue_and_counts(t) {
    const ch = await channel(t);
    const { queue } = await ch.assertQueue('', { exclusive: true });
    assert.match(queue, /^amq\.gen-[\w-]{22}$/);
    assert.deepEqual(await ch.checkQueue(queue), { queue, messageCount: 0, consumerCount: 0 });
    for (let i = 0; i < 5; i++) ch.sendToQueue(queue, Buffer.from(`${i}`));
    await t.until(async () => (await ch.checkQueue(queue)).messageCount === 5);
    assert.equal((await ch.purgeQueue(queue)).messageCount, 5);
    assert.equal((await ch.deleteQueue(queue)).messageCount, 0);
  },

  async all_properties_come_back(t) {
    const ch = await channel(t);
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    const options = {
      contentType: 'application/json', contentEncoding: 'utf-8', deliveryMode: 2, priority: 5, correlationId: 'c1',
      replyTo: queue, expiration: '60000', messageId: 'm1', timestamp: 1700000000, type: 'greeting',
      userId: process.env.AMQP_USER, appId: 'suite',
      headers: {
        text: 'ä€', yes: true, no: false, small: 7, negative: -129, large: 2 ** 40, real: 0.5, nothing: null,
        list: [1, 'two', { three: 3 }], nested: { deeper: { deepest: 'x' } }, bytes: Buffer.from([0, 255]),
        time: { '!': 'timestamp', value: 1700000001 },
      },
    };
    ch.sendToQueue(queue, Buffer.from('{}'), options);
    const { properties } = await t.until(() => ch.get(queue, { noAck: true }));
    for (const [key, value] of Object.entries(options)) {
      if (key !== 'headers') assert.deepEqual(properties[key], value, key);
    }
    assert.deepEqual(properties.headers, options.headers);
  },

  async confirms_by_callback_and_waitForConfirms(t) {
    const ch = await (await connection(t)).createConfirmChannel();
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    let acked = 0;
    for (let i = 0; i < 2000; i++) {
      ch.sendToQueue(queue, Buffer.from(`${i}`), {}, (error) => {
        assert.equal(error, null);
        acked += 1;
      });
    }
    await ch.waitForConfirms();
    assert.equal(acked, 2000);
    assert.equal((await ch.checkQueue(queue)).messageCount, 2000);
  },

  async returns_before_confirms(t) {
    const ch = await (await connection(t)).createConfirmChannel();
    const order = [];
    ch.on('return', (message) => order.push(message));
    await new Promise((resolve) => {
      ch.publish('', t.name('nowhere'), Buffer.from('back'), { mandatory: true, messageId: 'r' }, (error) => {
        order.push(error);
        resolve();
      });
    });
    assert.equal(order.length, 2);
    assert.equal(order[0].content.toString(), 'back');
    assert.equal(order[0].fields.replyCode, 312);
    assert.equal(order[0].fields.replyText, 'NO_ROUTE');
    assert.equal(order[0].properties.messageId, 'r');
    assert.equal(order[1], null);
  },

  async acks_nacks_and_rejects(t) {
    const ch = await channel(t);
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    const inbox = new t.Inbox();
    await ch.consume(queue, inbox.put);
    for (const body of ['a', 'b', 'c', 'd', 'e', 'f']) ch.sendToQueue(queue, Buffer.from(body));
    const [a, b, c, d, e, f] = await inbox.take(6);
    ch.ack(b, true);             // a and b
    ch.nack(c, false, false);    // gone
    ch.reject(d, false);         // gone
    ch.nack(f, true, true);      // e and f come back
    assert.equal(a.content.toString() + e.content.toString(), 'ae');
    const again = await inbox.take(2);
    assert.deepEqual(again.map((m) => m.content.toString()), ['e', 'f']);
    assert.ok(again.every((m) => m.fields.redelivered));
    ch.ackAll();
    assert.equal((await ch.checkQueue(queue)).messageCount, 0);
  },

  async unacked_messages_come_back_after_channel_close(t) {
    const conn = await connection(t);
    const [one, other] = [await conn.createChannel(), await conn.createChannel()];
    const { queue } = await one.assertQueue(t.name(), { exclusive: true });
    const inbox = new t.Inbox();
    await one.consume(queue, inbox.put);
    for (let i = 0; i < 10; i++) one.sendToQueue(queue, Buffer.from(`${i}`));
    await inbox.take(10);
    await one.close();
    await other.consume(queue, inbox.put, { noAck: true });
    const again = await inbox.take(10);
    assert.equal(again.map((m) => m.content.toString()).join(''), '0123456789');
    assert.ok(again.every((m) => m.fields.redelivered));
  },

  async recover(t) {
    const ch = await channel(t);
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    const inbox = new t.Inbox();
    await ch.consume(queue, inbox.put);
    ch.sendToQueue(queue, Buffer.from('x'));
    assert.equal((await inbox.next()).fields.redelivered, false);
    await ch.recover();
    assert.equal((await inbox.next()).fields.redelivered, true);
  },

  async prefetch_per_consumer(t) {
    const ch = await channel(t);
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    const inbox = new t.Inbox();
    await ch.prefetch(3);
    await ch.consume(queue, inbox.put);
    for (let i = 0; i < 10; i++) ch.sendToQueue(queue, Buffer.from(`${i}`));
    const first = await inbox.take(3);
    await t.until(async () => (await ch.checkQueue(queue)).messageCount === 7);
    assert.equal(inbox.items.length, 0);
    ch.ack(first[2], true);
    await inbox.take(3);
    await t.until(async () => (await ch.checkQueue(queue)).messageCount === 4);
  },

  async prefetch_of_the_channel(t) {
    const ch = await channel(t);
    const inbox = new t.Inbox();
    await ch.prefetch(4, true);
    for (let q = 0; q < 3; q++) {
      const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
      await ch.consume(queue, inbox.put);
      for (let i = 0; i < 4; i++) ch.sendToQueue(queue, Buffer.from(`${i}`));
    }
    for (let round = 0; round < 3; round++) {
      const got = await inbox.take(4);
      await ch.checkExchange('amq.direct');
      assert.equal(inbox.items.length, 0);
      got.forEach((message) => ch.ack(message));
    }
  },

  async direct_fanout_topic_and_headers_exchanges(t) {
    const ch = await channel(t);
    const inbox = new t.Inbox();
    for (const [type, pattern, args, key, options] of [
      ['direct', 'red', {}, 'red', {}],
      ['fanout', '', {}, 'whatever', {}],
      ['topic', 'a.*.#', {}, 'a.b.c.d', {}],
      ['headers', '', { 'x-match': 'all', kind: 'x', size: 3 }, '', { headers: { kind: 'x', size: 3, more: 1 } }],
    ]) {
      const { exchange } = await ch.assertExchange(t.name(), type, { durable: false, autoDelete: true });
      const { queue } = await ch.assertQueue('', { exclusive: true });
      await ch.bindQueue(queue, exchange, pattern, args);
      await ch.consume(queue, inbox.put, { noAck: true });
      ch.publish(exchange, 'other', Buffer.from('wrong'), { headers: { kind: 'y' } });
      ch.publish(exchange, key, Buffer.from(type), options);
      if (type === 'fanout') assert.equal((await inbox.next()).content.toString(), 'wrong');
      const message = await inbox.next();
      assert.equal(message.content.toString(), type);
      assert.equal(message.fields.exchange, exchange);
      await ch.unbindQueue(queue, exchange, pattern, args);
    }
  },

  async exchange_to_exchange_and_alternate_exchange(t) {
    const ch = await channel(t);
    const [source, target, spare] = [t.name('x'), t.name('x'), t.name('x')];
    await ch.assertExchange(spare, 'fanout', { durable: false });
    await ch.assertExchange(source, 'topic', { durable: false, alternateExchange: spare });
    await ch.assertExchange(target, 'fanout', { durable: false });
    await ch.bindExchange(target, source, 'to.#');
    const inboxes = {};
    for (const exchange of [target, spare]) {
      const { queue } = await ch.assertQueue('', { exclusive: true });
      await ch.bindQueue(queue, exchange, '');
      inboxes[exchange] = new t.Inbox();
      await ch.consume(queue, inboxes[exchange].put, { noAck: true });
    }
    ch.publish(source, 'to.target', Buffer.from('1'));
    ch.publish(source, 'elsewhere', Buffer.from('2'));
    assert.equal((await inboxes[target].next()).content.toString(), '1');
    assert.equal((await inboxes[spare].next()).content.toString(), '2');
    await ch.unbindExchange(target, source, 'to.#');
    ch.publish(source, 'to.target', Buffer.from('3'));
    assert.equal((await inboxes[spare].next()).content.toString(), '3');
    for (const exchange of [source, target, spare]) await ch.deleteExchange(exchange);
  },

  async rpc_with_direct_reply_to(t) {
    const [client, server] = [await channel(t), await channel(t)];
    const queue = t.name('rpc');
    await server.assertQueue(queue, { exclusive: true });
    await server.consume(queue, (request) => {
      const { replyTo, correlationId } = request.properties;
      server.sendToQueue(replyTo, Buffer.from(request.content.toString().toUpperCase()), { correlationId });
    }, { noAck: true });
    const inbox = new t.Inbox();
    await client.consume('amq.rabbitmq.reply-to', inbox.put, { noAck: true });
    for (let i = 0; i < 100; i++) {
      client.sendToQueue(queue, Buffer.from(`call ${i}`), { replyTo: 'amq.rabbitmq.reply-to', correlationId: `${i}` });
    }
    const replies = await inbox.take(100);
    replies.forEach((reply, i) => {
      assert.equal(reply.content.toString(), `CALL ${i}`);
      assert.equal(reply.properties.correlationId, `${i}`);
    });
  },

  async bodies_of_all_sizes(t) {
    const ch = await channel(t);
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    const inbox = new t.Inbox();
    await ch.consume(queue, inbox.put, { noAck: true });
    for (const size of [0, 1, 4087, 4088, 4089, 131063, 131064, 131065, 1000000, 16 * 1024 * 1024]) {
      const body = crypto.randomBytes(size);
      ch.sendToQueue(queue, body);
      const message = await inbox.next();
      assert.equal(message.content.length, size);
      assert.ok(message.content.equals(body), `${size} bytes differ`);
    }
  },

  async frame_max_of_4096(t) {
    const ch = await (await connection(t, '?frameMax=4096')).createChannel();
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    const body = crypto.randomBytes(100000);
    ch.sendToQueue(queue, body);
    const message = await t.until(() => ch.get(queue, { noAck: true }));
    assert.ok(message.content.equals(body));
  },

  async get_until_empty(t) {
    const ch = await channel(t);
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    assert.equal(await ch.get(queue), false);
    ch.sendToQueue(queue, Buffer.from('1'));
    ch.sendToQueue(queue, Buffer.from('2'));
    const first = await t.until(() => ch.get(queue));
    assert.equal(first.fields.messageCount, 1);
    const second = await ch.get(queue);
    assert.equal(second.fields.messageCount, 0);
    ch.nack(first);
    ch.ack(second);
    const again = await ch.get(queue);
    assert.ok(again.content.toString() === '1' && again.fields.redelivered);
    ch.ack(again);
  },

  async channel_error_leaves_the_connection_open(t) {
    const conn = await connection(t);
    const broken = await conn.createChannel();
    const error = await closing(broken, () => broken.checkQueue(t.name('missing')));
    assert.equal(error.code, 404);
    assert.equal(error.classId, 50);
    assert.equal(error.methodId, 10);
    assert.match(error.message, /NOT_FOUND - no queue '.*missing1' in vhost '\/'/);
    const ch = await conn.createChannel();
    const queue = t.name();
    await ch.assertQueue(queue, { exclusive: true, messageTtl: 1000 });
    const other = await closing(ch, () => ch.assertQueue(queue, { exclusive: true, messageTtl: 2000 }));
    assert.equal(other.code, 406);
    assert.match(other.message, /PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue '.*'2000'.*'1000'/);
    await (await conn.createChannel()).deleteQueue(queue);
  },

  async publishing_to_a_missing_exchange_closes_the_channel(t) {
    const conn = await connection(t);
    const ch = await conn.createConfirmChannel();
    const error = await closing(ch, () => new Promise((resolve) => {
      ch.publish(t.name('missing'), 'k', Buffer.from('x'), {}, resolve);
    }));
    assert.equal(error.code, 404);
    assert.match(error.message, /NOT_FOUND - no exchange '.*' in vhost '\/'/);
    await conn.createChannel();
  },

  async double_ack_closes_the_channel(t) {
    const conn = await connection(t);
    const ch = await conn.createChannel();
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    ch.sendToQueue(queue, Buffer.from('x'));
    const message = await t.until(() => ch.get(queue));
    const error = await closing(ch, () => {
      ch.ack(message);
      ch.ack(message);
    });
    assert.equal(error.code, 406);
    assert.match(error.message, /PRECONDITION_FAILED - unknown delivery tag 1/);
  },

  async exclusive_queue_is_locked_for_others(t) {
    const [mine, theirs] = [await channel(t), await channel(t)];
    const queue = t.name();
    await mine.assertQueue(queue, { exclusive: true });
    const error = await closing(theirs, () => theirs.consume(queue, () => {}));
    assert.equal(error.code, 405);
    assert.match(error.message, /RESOURCE_LOCKED - cannot obtain exclusive access to locked queue/);
  },

  async wrong_password_is_told(t) {
    const wrong = t.url.replace(/\/\/[^@]*@/, '//guest:wrong@');
    await assert.rejects(amqp.connect(wrong, t.tls), /403.*ACCESS.REFUSED/s);
  },

  async unknown_vhost_is_told(t) {
    await assert.rejects(amqp.connect(t.url.replace(/%2F$/, 'nowhere'), t.tls), (error) => {
      assert.match(error.message, /530.*vhost nowhere not found|Socket closed|Expected ConnectionOpenOk/s);
      return true;
    });
  },

  async connection_error_is_told(t) {
    const conn = await connection(t);
    const ch = await conn.createChannel();
    ch.on('error', () => {});
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    await ch.consume(queue, () => {}, { consumerTag: 'twice' });
    const error = await closing(conn, () => ch.consume(queue, () => {}, { consumerTag: 'twice' }));
    assert.equal(error.code, 530);
    assert.match(error.message, /NOT_ALLOWED - attempt to reuse consumer tag 'twice'/);
  },

  async consumer_is_told_when_its_queue_goes(t) {
    const ch = await channel(t);
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    const inbox = new t.Inbox();
    await ch.consume(queue, inbox.put);
    await ch.deleteQueue(queue);
    assert.equal(await inbox.next(), null);
  },

  async cancel_leaves_the_rest_in_the_queue(t) {
    const ch = await channel(t);
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true });
    const { consumerTag } = await ch.consume(queue, () => assert.fail('nothing was published yet'));
    assert.match(consumerTag, /^amq\.ctag-/);
    await ch.cancel(consumerTag);
    ch.sendToQueue(queue, Buffer.from('x'));
    await t.until(async () => (await ch.checkQueue(queue)).messageCount === 1);
  },

  async heartbeats_keep_an_idle_connection(t) {
    const conn = await connection(t, '?heartbeat=1');
    let frames = 0;
    const stream = conn.connection.stream;
    const beats = new Promise((resolve) => stream.on('readable', () => {
      frames += 1;
      if (frames >= 5) resolve();
    }));
    await beats;                 // only heartbeats come on an idle connection
    const ch = await conn.createChannel();
    await ch.checkExchange('amq.topic');
  },

  async message_ttl_and_queue_expiry(t) {
    const ch = await channel(t);
    const { queue } = await ch.assertQueue(t.name(), { exclusive: true, messageTtl: 100 });
    ch.sendToQueue(queue, Buffer.from('soon gone'));
    await t.until(async () => (await ch.checkQueue(queue)).messageCount === 0);
    const { queue: brief } = await ch.assertQueue('', { expires: 100 });
    const conn = await connection(t);
    await t.until(async () => {
      const looking = await conn.createChannel();
      looking.on('error', () => {});
      return new Promise((resolve) => {
        looking.consume(brief, () => {}).then(({ consumerTag }) => looking.cancel(consumerTag), () => {});
        looking.once('close', () => resolve(true));
        setTimeout(() => looking.close().then(() => resolve(false), () => {}), 300);
      });
    });
  },

  async many_channels(t) {
    const conn = await connection(t);
    const channels = await Promise.all(Array.from({ length: 200 }, () => conn.createChannel()));
    const { queue } = await channels[0].assertQueue(t.name(), { exclusive: true });
    for (const ch of channels) ch.sendToQueue(queue, Buffer.from('x'));
    await t.until(async () => (await channels[0].checkQueue(queue)).messageCount === 200);
    await Promise.all(channels.map((ch) => ch.close()));
  },

  async flow_of_many_messages_in_order(t) {
    const [producer, consumer] = [await channel(t), await channel(t)];
    const queue = t.name();
    await producer.assertQueue(queue, { durable: false });
    await consumer.prefetch(100);
    const inbox = new t.Inbox();
    await consumer.consume(queue, (message) => {
      consumer.ack(message);
      inbox.put(Number(message.content.toString()));
    });
    for (let i = 0; i < 20000; i++) {
      if (!producer.sendToQueue(queue, Buffer.from(`${i}`), { persistent: true })) await event(producer, 'drain');
    }
    const numbers = await inbox.take(20000);
    numbers.forEach((number, i) => assert.equal(number, i));
    await producer.deleteQueue(queue);
  },

  async cut_wire_requeues_and_a_new_connection_goes_on(t) {
    const proxy = await new Proxy().start();
    t.after(() => proxy.end());
    const outside = await channel(t);
    const queue = t.name();
    await outside.assertQueue(queue, { durable: true });
    outside.sendToQueue(queue, Buffer.from('precious'), { persistent: true });
    const victim = await amqp.connect(proxy.url, t.tls);
    victim.on('error', () => {});
    const inbox = new t.Inbox();
    await (await victim.createChannel()).consume(queue, inbox.put);
    assert.equal((await inbox.next()).fields.redelivered, false);
    const closed = event(victim, 'close');
    proxy.cut();
    await closed;
    const again = await amqp.connect(proxy.url, t.tls);
    const ch = await again.createChannel();
    await ch.consume(queue, inbox.put);
    const message = await inbox.next();
    assert.equal(message.content.toString(), 'precious');
    assert.equal(message.fields.redelivered, true);
    ch.ack(message);
    await ch.close();
    await again.close();
    assert.equal((await outside.deleteQueue(queue)).messageCount, 0);
  },

  async server_properties(t) {
    const { serverProperties } = (await connection(t)).connection;
    if (shunt) assert.equal(serverProperties.product, 'Shunt');
    assert.equal(serverProperties.capabilities.publisher_confirms, true);
    assert.equal(serverProperties.capabilities.consumer_cancel_notify, true);
    assert.equal(serverProperties.capabilities.direct_reply_to, true);
  },

  async update_secret(t) {
    const conn = await connection(t);
    if (conn.updateSecret) await conn.updateSecret(Buffer.from('guest'), 'rotated');
    await conn.createChannel();
  },
};

main(cases, process.argv[3]);
