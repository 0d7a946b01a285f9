// SPDX-License-Identifier: MIT
// Runs one case of a client's script against the broker that the environment names. Ends with status 0 when it passed.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const { once } = require('node:events');

const LIMIT_MS = Number(process.env.AMQP_LIMIT_SECONDS) * 1000;
const url = process.env.AMQP_URL;
// whom to trust where the URL says amqps
const tls = process.env.AMQP_CA_FILE && { ca: [fs.readFileSync(process.env.AMQP_CA_FILE)] };
let count = 0;

// A name that nobody else uses.
function name(hint = 'n') {
  count += 1;
  return `${process.env.AMQP_PREFIX}.${hint}${count}`;
}

// Collects what a callback gets, and hands it out to who waits.
class Inbox {
  constructor() {
    this.items = [];
    this.waiting = [];
    this.put = (item) => {
      this.items.push(item);
      while (this.waiting.length > 0 && this.items.length >= this.waiting[0].count) {
        const { count: wanted, resolve } = this.waiting.shift();
        resolve(this.items.splice(0, wanted));
      }
    };
  }

  take(wanted) {
    if (this.waiting.length === 0 && this.items.length >= wanted) {
      return Promise.resolve(this.items.splice(0, wanted));
    }
    return new Promise((resolve) => this.waiting.push({ count: wanted, resolve }));
  }

  async next() {
    return (await this.take(1))[0];
  }
}

// A wire to the broker that can be cut.
class Proxy {
  async start() {
    this.sockets = new Set();
    this.server = net.createServer((client) => {
      const broker = net.connect(Number(process.env.AMQP_PORT), process.env.AMQP_HOST);
      for (const [one, other] of [[client, broker], [broker, client]]) {
        this.sockets.add(one);
        one.setNoDelay(true);
        one.on('error', () => {});
        one.on('close', () => {
          this.sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  get url() {
    const parsed = new URL(url);
    parsed.host = `127.0.0.1:${this.server.address().port}`;
    return parsed.href;
  }

  cut() {
    for (const socket of this.sockets) socket.destroy();
  }

  end() {
    this.cut();
    this.server.close();
  }
}

// The first argument of the next event of this name; an 'error' meanwhile is the business of its own listeners.
function event(emitter, type) {
  return new Promise((resolve) => emitter.once(type, resolve));
}

// Calls the look till it gives something true; for what the broker tells of by answers only.
async function until(look) {
  for (;;) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function main(cases, wanted) {
  const timer = setTimeout(() => {
    console.error(`${wanted} is not done after ${LIMIT_MS} ms`);
    process.exit(1);
  }, LIMIT_MS);
  const closing = [];
  const context = { url, tls, name, Inbox, until, after: (close) => closing.push(close) };
  try {
    if (!cases[wanted]) throw new Error(`no case ${wanted}`);
    await cases[wanted](context);
    for (const close of closing.reverse()) await close();
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
  clearTimeout(timer);
}

process.on('unhandledRejection', (error) => {
  console.error('unhandled:', error);
  process.exit(1);
});

module.exports = { Proxy, event, main };
