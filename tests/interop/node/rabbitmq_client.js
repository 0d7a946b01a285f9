// SPDX-License-Identifier: MIT
// rabbitmq_client.js CASE: rabbitmq-client does what its users do.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { Connection, ConsumerStatus } = require('rabbitmq-client');
const { Proxy, event, main } = require('./cases.js');

async function connection(t, options = {}) {
  const rabbit = new Connection({ url: t.url, tls: t.tls, retryLow: 10, retryHigh: 200, ...options });
  rabbit.errors = [];
  rabbit.on('error', (error) => rabbit.errors.push(error));
  t.after(() => rabbit.close());
  const failed = event(rabbit, 'error').then((error) => { throw error; });
  await Promise.race([rabbit.onConnect(15000), failed]);
  return rabbit;
}

async function consumer(t, rabbit, options, handle) {
  const sub = rabbit.createConsumer(options, handle);
  sub.errors = [];
  sub.on('error', (error) => sub.errors.push(error));
  t.after(() => sub.close());
  await event(sub, 'ready');
  return sub;
}

const cases = {
  async publisher_and_consumer(t) {
    const rabbit = await connection(t);
    const [queue, exchange] = [t.name('q'), t.name('x')];
    const inbox = new t.Inbox();
    await consumer(t, rabbit, {
      queue,
      queueOptions: { exclusive: true },
      qos: { prefetchCount: 2 },
      exchanges: [{ exchange, type: 'topic', autoDelete: true }],
      queueBindings: [{ exchange, routingKey: 'users.*' }],
    }, inbox.put);
    const publisher = rabbit.createPublisher({ confirm: true, maxAttempts: 2 });
    t.after(() => publisher.close());
    await publisher.send({ exchange, routingKey: 'users.visit' }, { id: 1, name: 'Grace' });
    await publisher.send({ exchange, routingKey: 'groups.visit' }, { id: 2 });
    await publisher.send(queue, 'straight');
    const [first, second] = await inbox.take(2);
    assert.deepEqual(first.body, { id: 1, name: 'Grace' });
    assert.equal(first.contentType, 'application/json');
    assert.equal(first.routingKey, 'users.visit');
    assert.equal(second.body, 'straight');
  },

  async confirms_of_many(t) {
    const rabbit = await connection(t);
    const queue = t.name();
    await rabbit.queueDeclare({ queue, exclusive: true });
    const publisher = rabbit.createPublisher({ confirm: true });
    t.after(() => publisher.close());
    await Promise.all(Array.from({ length: 2000 }, (_, i) => publisher.send({ routingKey: queue, durable: true }, `${i}`)));
    const { messageCount } = await rabbit.queueDeclare({ queue, passive: true });
    assert.equal(messageCount, 2000);
    assert.equal((await rabbit.queuePurge(queue)).messageCount, 2000);
  },

  async returned_messages(t) {
    const rabbit = await connection(t);
    const inbox = new t.Inbox();
    const publisher = rabbit.createPublisher({ confirm: true });
    publisher.on('basic.return', inbox.put);
    t.after(() => publisher.close());
    await publisher.send({ routingKey: t.name('nowhere'), mandatory: true, messageId: '7' }, 'back');
    const returned = await inbox.next();
    assert.equal(returned.replyCode, 312);
    assert.equal(returned.body, 'back');
    assert.equal(returned.messageId, '7');
  },

  async failing_handler_requeues(t) {
    const rabbit = await connection(t);
    const inbox = new t.Inbox();
    const queue = t.name();
    await consumer(t, rabbit, { queue, queueOptions: { exclusive: true } }, async (message) => {
      inbox.put(message);
      if (!message.redelivered) throw new Error('not yet');
    });
    const publisher = rabbit.createPublisher({ confirm: true });
    t.after(() => publisher.close());
    await publisher.send(queue, 'stubborn');
    const [first, second] = await inbox.take(2);
    assert.ok(!first.redelivered && second.redelivered);
  },

  async handler_drops(t) {
    const rabbit = await connection(t);
    const queue = t.name();
    const seen = new t.Inbox();
    const sub = await consumer(t, rabbit, { queue, queueOptions: { exclusive: true } }, async (message) => {
      seen.put(message);
      return ConsumerStatus.DROP;
    });
    const publisher = rabbit.createPublisher({ confirm: true });
    t.after(() => publisher.close());
    await publisher.send(queue, 'unwanted');
    await seen.next();
    await t.until(() => sub.stats.dropped === 1);
    await t.until(async () => (await rabbit.queueDeclare({ queue, passive: true })).messageCount === 0);
  },

  async concurrency_and_prefetch(t) {
    const rabbit = await connection(t);
    const queue = t.name();
    const [begun, gates] = [new t.Inbox(), []];
    await consumer(t, rabbit, {
      queue, queueOptions: { exclusive: true }, concurrency: 2, qos: { prefetchCount: 4 },
    }, async (message) => {
      begun.put(message.body);
      await new Promise((resolve) => gates.push(resolve));
    });
    const publisher = rabbit.createPublisher({ confirm: true });
    t.after(() => publisher.close());
    for (let i = 0; i < 8; i++) await publisher.send(queue, `${i}`);
    assert.deepEqual(await begun.take(2), ['0', '1']);
    await t.until(async () => (await rabbit.queueDeclare({ queue, passive: true })).messageCount === 4);
    for (let i = 2; i < 8; i++) {
      gates.shift()();
      assert.equal(await begun.next(), `${i}`);
    }
    gates.forEach((open) => open());
  },

  async rpc(t) {
    const rabbit = await connection(t);
    const queue = t.name('rpc');
    await consumer(t, rabbit, { queue, queueOptions: { exclusive: true } }, async (request, reply) => {
      await reply({ answer: request.body.question * 2 });
    });
    const client = rabbit.createRPCClient({ confirm: true, timeout: 15000 });
    t.after(() => client.close());
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => client.send(queue, { question: i })));
    answers.forEach((answer, i) => assert.deepEqual(answer.body, { answer: 2 * i }));
  },

  async basic_get(t) {
    const rabbit = await connection(t);
    const queue = t.name();
    await rabbit.queueDeclare({ queue, exclusive: true });
    assert.equal(await rabbit.basicGet({ queue, noAck: true }), undefined);
    const publisher = rabbit.createPublisher({ confirm: true });
    t.after(() => publisher.close());
    await publisher.send(queue, Buffer.from([1, 2, 3]));
    const message = await rabbit.basicGet({ queue, noAck: true });
    assert.ok(message.body.equals(Buffer.from([1, 2, 3])));
    assert.equal(message.messageCount, 0);
  },

  async large_bodies(t) {
    const rabbit = await connection(t);
    const queue = t.name();
    const inbox = new t.Inbox();
    await consumer(t, rabbit, { queue, queueOptions: { exclusive: true } }, inbox.put);
    const publisher = rabbit.createPublisher({ confirm: true });
    t.after(() => publisher.close());
    for (const size of [0, 1, 8184, 8185, 131064, 131065, 5000000]) {
      const body = crypto.randomBytes(size);
      await publisher.send(queue, body);
      assert.ok((await inbox.next()).body.equals(body), `${size} bytes`);
    }
  },

  async transactions(t) {
    const rabbit = await connection(t);
    const ch = await rabbit.acquire();
    t.after(() => ch.close());
    const { queue } = await ch.queueDeclare({ exclusive: true });
    await ch.txSelect();
    await ch.basicPublish(queue, 'undone');
    await ch.txRollback();
    await ch.basicPublish(queue, 'done');
    assert.equal(await ch.basicGet(queue), undefined);
    await ch.txCommit();
    const message = await ch.basicGet(queue);
    assert.equal(message.body, 'done');
    ch.basicAck({ deliveryTag: message.deliveryTag });
    await ch.txCommit();
    assert.equal((await ch.queueDeclare({ queue, passive: true })).messageCount, 0);
  },

  async channel_error_and_a_new_channel(t) {
    const rabbit = await connection(t);
    const ch = await rabbit.acquire();
    const missing = t.name('missing');
    await assert.rejects(ch.queueDeclare({ queue: missing, passive: true }), (error) => {
      assert.equal(error.code, 'NOT_FOUND');
      assert.match(error.message, new RegExp(`no queue '${missing}' in vhost '/'`));
      return true;
    });
    assert.equal(ch.active, false);
    const other = await rabbit.acquire();
    await other.queueDeclare({ exclusive: true });
    await other.close();
  },

  async publisher_recovers_from_a_missing_exchange(t) {
    const rabbit = await connection(t);
    const exchange = t.name('x');
    const publisher = rabbit.createPublisher({ confirm: true });
    t.after(() => publisher.close());
    await assert.rejects(publisher.send({ exchange, routingKey: 'k' }, 'lost'), { code: 'NOT_FOUND' });
    await rabbit.exchangeDeclare({ exchange, type: 'fanout' });
    await publisher.send({ exchange, routingKey: 'k' }, 'taken');
    await rabbit.exchangeDelete({ exchange });
  },

  async consumer_recovers_from_a_deleted_queue(t) {
    const rabbit = await connection(t);
    const queue = t.name();
    const inbox = new t.Inbox();
    const sub = await consumer(t, rabbit, { queue, queueOptions: { durable: false } }, inbox.put);
    const ready = event(sub, 'ready');
    await rabbit.queueDelete({ queue });
    await ready;                 // it was cancelled, and has declared the queue again
    assert.match(sub.errors[0].message, /cancel/i);
    const publisher = rabbit.createPublisher({ confirm: true });
    t.after(() => publisher.close());
    await publisher.send(queue, 'after');
    assert.equal((await inbox.next()).body, 'after');
    t.after(() => rabbit.queueDelete({ queue }));
  },

  async everything_recovers_from_a_cut_wire(t) {
    const proxy = await new Proxy().start();
    t.after(() => proxy.end());
    const rabbit = await connection(t, { url: proxy.url });
    const queue = t.name();
    const inbox = new t.Inbox();
    const sub = await consumer(t, rabbit, { queue, queueOptions: { durable: true } }, inbox.put);
    const publisher = rabbit.createPublisher({ confirm: true, maxAttempts: 5 });
    t.after(() => publisher.close());
    await publisher.send({ routingKey: queue, durable: true }, 'before');
    assert.equal((await inbox.next()).body, 'before');
    const ready = event(sub, 'ready');
    proxy.cut();
    await ready;
    await publisher.send({ routingKey: queue, durable: true }, 'after');
    let message = await inbox.next();
    if (message.body === 'before') {     // its ack was lost with the wire
      assert.ok(message.redelivered);
      message = await inbox.next();
    }
    assert.equal(message.body, 'after');
    assert.ok(rabbit.errors.length > 0);
    t.after(() => rabbit.queueDelete({ queue }));
  },

  async heartbeats(t) {
    const rabbit = await connection(t, { heartbeat: 1 });
    let chunks = 0;
    await new Promise((resolve) => rabbit._socket.on('data', () => {
      chunks += 1;
      if (chunks >= 5) resolve();
    }).on('readable', () => {
      chunks += 1;
      if (chunks >= 5) resolve();
    }));
    const ch = await rabbit.acquire();
    await ch.close();
    assert.deepEqual(rabbit.errors, []);
  },

  async bindings_between_exchanges(t) {
    const rabbit = await connection(t);
    const [source, destination] = [t.name('x'), t.name('x')];
    await rabbit.exchangeDeclare({ exchange: source, type: 'headers', autoDelete: false });
    await rabbit.exchangeDeclare({ exchange: destination, type: 'fanout' });
    await rabbit.exchangeBind({ source, destination, arguments: { 'x-match': 'any', colour: 'red', size: 5 } });
    const { queue } = await rabbit.queueDeclare({ exclusive: true, arguments: { 'x-message-ttl': 60000 } });
    await rabbit.queueBind({ queue, exchange: destination });
    const publisher = rabbit.createPublisher({ confirm: true });
    t.after(() => publisher.close());
    for (const headers of [{ colour: 'red' }, { colour: 'blue' }, { colour: 'blue', size: 5 }, {}]) {
      await publisher.send({ exchange: source, headers }, 'x');
    }
    assert.equal((await rabbit.queueDeclare({ queue, passive: true })).messageCount, 2);
    await rabbit.exchangeUnbind({ source, destination, arguments: { 'x-match': 'any', colour: 'red', size: 5 } });
    await publisher.send({ exchange: source, headers: { colour: 'red' } }, 'x');
    assert.equal((await rabbit.queueDeclare({ queue, passive: true })).messageCount, 2);
    await rabbit.exchangeDelete({ exchange: source });
    await rabbit.exchangeDelete({ exchange: destination });
  },

  async refused_login(t) {
    const rabbit = new Connection({ url: t.url.replace(/\/\/[^@]*@/, '//guest:wrong@'), tls: t.tls, retryLow: 60000 });
    const error = await event(rabbit, 'error');
    assert.match(`${error.code} ${error.message}`, /ACCESS_REFUSED.*Login was refused using authentication mechanism PLAIN/);
    rabbit.unsafeDestroy();
  },
};

main(cases, process.argv[2]);
