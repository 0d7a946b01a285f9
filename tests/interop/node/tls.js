// SPDX-License-Identifier: MIT
// tls.js PORT VERSION FOLDER: amqplib over this version of TLS, with the certificates of ../lib/certificates.py.
const fs = require('node:fs');
const amqp = require('amqplib');
const [port, version, folder] = process.argv.slice(2);
(async () => {
  const connection = await amqp.connect({ protocol: 'amqps', hostname: 'localhost', port: Number(port) }, {
    ca: [fs.readFileSync(folder + '/ca.pem')], cert: fs.readFileSync(folder + '/client.pem'),
    key: fs.readFileSync(folder + '/client.key'), minVersion: version, maxVersion: version, servername: 'localhost',
    lookup: (name, options, done) => options.all ? done(null, [{ address: '127.0.0.1', family: 4 }])
      : done(null, '127.0.0.1', 4),
  });
  const channel = await connection.createConfirmChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  for (const size of [1, 20000, 1000000]) {
    const body = Buffer.alloc(size, 'x');
    channel.sendToQueue(queue, body);
    await channel.waitForConfirms();
    const message = await channel.get(queue, { noAck: true });
    if (!message.content.equals(body)) throw new Error('another body');
  }
  console.log('all came back over ' + connection.connection.stream.getProtocol());
  await connection.close();
})().catch((error) => { console.log(error.stack); process.exit(1); });
