<?php
// SPDX-License-Identifier: MIT
// php_amqplib.php CASE: php-amqplib does what its users do.

require_once 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPSSLConnection;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPConnectionClosedException;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Exception\AMQPTimeoutException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

$limit = (int) getenv('AMQP_LIMIT_SECONDS');
$count = 0;

function check(bool $condition, string $text = 'unexpected'): void
{
    if (!$condition) {
        throw new Exception($text);
    }
}

function equal($expected, $got): void
{
    check($expected === $got, 'expected ' . var_export($expected, true) . ', got ' . var_export($got, true));
}

function name(string $hint = 'n'): string
{
    global $count;
    return getenv('AMQP_PREFIX') . ".$hint" . ++$count;
}

function connect(?string $password = null, string $vhost = '/', int $heartbeat = 0): AMQPStreamConnection
{
    if (getenv('AMQP_CA_FILE')) {
        return new AMQPSSLConnection(
            getenv('AMQP_HOST'), getenv('AMQP_PORT'), getenv('AMQP_USER'), $password ?? getenv('AMQP_PASSWORD'), $vhost,
            ['cafile' => getenv('AMQP_CA_FILE'), 'verify_peer' => true, 'verify_peer_name' => true],
            ['connection_timeout' => 5.0, 'read_write_timeout' => $heartbeat ? 10.0 : 15.0, 'heartbeat' => $heartbeat]);
    }
    return new AMQPStreamConnection(
        getenv('AMQP_HOST'), getenv('AMQP_PORT'), getenv('AMQP_USER'), $password ?? getenv('AMQP_PASSWORD'), $vhost,
        false, 'AMQPLAIN', null, 'en_US', 5.0, $heartbeat ? 10.0 : 15.0, null, false, $heartbeat);
}

/** Until there is a message. */
function get($channel, string $queue): AMQPMessage
{
    do {
        $message = $channel->basic_get($queue, true);
    } while ($message === null);
    return $message;
}

function case_publish_with_confirms_and_consume(): void
{
    global $limit;
    $channel = connect()->channel();
    $channel->confirm_select();
    $acked = 0;
    $channel->set_ack_handler(function () use (&$acked) {
        $acked++;
    });
    [$queue] = $channel->queue_declare('', false, false, true);
    for ($i = 0; $i < 200; $i++) {
        $channel->basic_publish(new AMQPMessage("$i", ['delivery_mode' => 2]), '', $queue);
    }
    $channel->wait_for_pending_acks($limit);
    equal(200, $acked);
    $got = [];
    $channel->basic_qos(0, 10, false);
    $channel->basic_consume($queue, '', false, false, false, false, function ($message) use (&$got) {
        $got[] = $message->body;
        $message->ack();
    });
    while (count($got) < 200) {
        $channel->wait(null, false, $limit);
    }
    equal(array_map('strval', range(0, 199)), $got);
    $channel->close();
}

function case_properties(): void
{
    $channel = connect()->channel();
    [$queue] = $channel->queue_declare('', false, false, true);
    $sent = [
        'content_type' => 'text/plain', 'content_encoding' => 'utf-8', 'delivery_mode' => 2, 'priority' => 4,
        'correlation_id' => 'c', 'reply_to' => 'r', 'expiration' => '60000', 'message_id' => 'm',
        'timestamp' => 1700000000, 'type' => 'kind', 'user_id' => getenv('AMQP_USER'), 'app_id' => 'suite',
    ];
    $headers = ['text' => 'ä', 'int' => 7, 'large' => 1 << 40, 'yes' => true, 'none' => null,
        'list' => [1, 'two'], 'table' => ['a' => ['b' => 1]]];
    $channel->basic_publish(new AMQPMessage('x', $sent + ['application_headers' => new AMQPTable($headers)]), '', $queue);
    $got = get($channel, $queue);
    equal('x', $got->body);
    foreach ($sent as $key => $value) {
        check($got->get($key) == $value, "$key is " . var_export($got->get($key), true));
    }
    equal($headers, $got->get('application_headers')->getNativeData());
}

function case_rejects_and_redelivery(): void
{
    $channel = connect()->channel();
    [$queue] = $channel->queue_declare('', false, false, true);
    $channel->basic_publish(new AMQPMessage('x'), '', $queue);
    do {
        $message = $channel->basic_get($queue);
    } while ($message === null);
    check(!$message->isRedelivered());
    $message->nack(true);
    $message = $channel->basic_get($queue);
    check($message->isRedelivered());
    $message->reject(false);
    equal(null, $channel->basic_get($queue));
}

function case_exchanges(): void
{
    $channel = connect()->channel();
    foreach ([['direct', 'k', null, 'k', []], ['fanout', '', null, 'any', []], ['topic', '*.b.#', null, 'a.b.c', []],
        ['headers', '', new AMQPTable(['x-match' => 'any', 'n' => 1]), '', ['n' => 1]]] as $case) {
        [$type, $pattern, $arguments, $key, $headers] = $case;
        $exchange = name($type);
        $channel->exchange_declare($exchange, $type, false, false, true);
        [$queue] = $channel->queue_declare('', false, false, true);
        $channel->queue_bind($queue, $exchange, $pattern, false, $arguments ?? []);
        $channel->basic_publish(
            new AMQPMessage($type, ['application_headers' => new AMQPTable($headers)]), $exchange, $key);
        equal($type, get($channel, $queue)->body);
        $channel->queue_unbind($queue, $exchange, $pattern, $arguments ?? []);
    }
}

function case_exchange_to_exchange(): void
{
    $channel = connect()->channel();
    [$source, $target] = [name('x'), name('x')];
    $channel->exchange_declare($source, 'fanout', false, false, true);
    $channel->exchange_declare($target, 'fanout', false, false, false);
    $channel->exchange_bind($target, $source);
    [$queue] = $channel->queue_declare('', false, false, true);
    $channel->queue_bind($queue, $target);
    $channel->basic_publish(new AMQPMessage('through'), $source);
    equal('through', get($channel, $queue)->body);
    $channel->exchange_unbind($target, $source);
    $channel->exchange_delete($target);
}

function case_mandatory_message_returns(): void
{
    global $limit;
    $channel = connect()->channel();
    $channel->confirm_select();
    $returned = null;
    $channel->set_return_listener(function ($code, $text, $exchange, $key, $message) use (&$returned) {
        $returned = [$code, $text, $message->body];
    });
    $channel->basic_publish(new AMQPMessage('back'), '', name(), true);
    $channel->wait_for_pending_acks_returns($limit);
    equal([312, 'NO_ROUTE', 'back'], $returned);
}

function case_rpc(): void
{
    global $limit;
    $server = connect()->channel();
    $requests = name('rpc');
    $server->queue_declare($requests, false, false, false, true);
    $server->basic_consume($requests, '', false, true, false, false, function ($request) use ($server) {
        $reply = new AMQPMessage((string) (2 * (int) $request->body),
            ['correlation_id' => $request->get('correlation_id')]);
        $server->basic_publish($reply, '', $request->get('reply_to'));
    });
    $client = connect()->channel();
    $answer = null;
    $client->basic_consume('amq.rabbitmq.reply-to', '', false, true, false, false, function ($reply) use (&$answer) {
        $answer = [$reply->get('correlation_id'), $reply->body];
    });
    for ($i = 0; $i < 20; $i++) {
        $client->basic_publish(
            new AMQPMessage("$i", ['reply_to' => 'amq.rabbitmq.reply-to', 'correlation_id' => "c$i"]), '', $requests);
        $server->wait(null, false, $limit);
        $client->wait(null, false, $limit);
        equal(["c$i", (string) (2 * $i)], $answer);
    }
}

function case_large_body(): void
{
    $channel = connect()->channel();
    [$queue] = $channel->queue_declare('', false, false, true);
    $body = random_bytes(3000000);
    $channel->basic_publish(new AMQPMessage($body), '', $queue);
    check(get($channel, $queue)->body === $body);
}

function refused(int $code, string $text, callable $act): void
{
    try {
        $act();
    } catch (AMQPProtocolChannelException $e) {
        equal($code, $e->amqp_reply_code);
        check(str_starts_with($e->amqp_reply_text, $text), $e->amqp_reply_text);
        return;
    }
    throw new Exception("not refused: $text");
}

function case_channel_errors(): void
{
    $connection = connect();
    $missing = name('missing');
    refused(404, "NOT_FOUND - no queue '$missing' in vhost '/'", function () use ($connection, $missing) {
        $connection->channel()->queue_declare($missing, true);
    });
    refused(404, "NOT_FOUND - no exchange '$missing' in vhost '/'", function () use ($connection, $missing) {
        $connection->channel()->exchange_declare($missing, 'direct', true);
    });
    refused(406, "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.topic' in vhost '/': received 'fanout'",
        function () use ($connection) {
            $connection->channel()->exchange_declare('amq.topic', 'fanout', false, true, false);
        });
    refused(403, 'ACCESS_REFUSED - operation not permitted on the default exchange', function () use ($connection) {
        $channel = $connection->channel();
        [$queue] = $channel->queue_declare('', false, false, true);
        $channel->queue_bind($queue, '', 'x');
    });
    $connection->channel()->close();
}

function case_wrong_password(): void
{
    try {
        connect('wrong');
    } catch (AMQPConnectionClosedException $e) {
        check(strpos($e->getMessage(), 'ACCESS_REFUSED') !== false, $e->getMessage());
        equal(403, $e->getCode());
        return;
    }
    throw new Exception('the wrong password was right');
}

function case_transactions(): void
{
    $channel = connect()->channel();
    [$queue] = $channel->queue_declare('', false, false, true);
    $channel->tx_select();
    $channel->basic_publish(new AMQPMessage('undone'), '', $queue);
    $channel->tx_rollback();
    $channel->basic_publish(new AMQPMessage('done'), '', $queue);
    equal(null, $channel->basic_get($queue));
    $channel->tx_commit();
    equal('done', $channel->basic_get($queue)->body);
    $channel->tx_commit();
}

function case_batches(): void
{
    global $limit;
    $channel = connect()->channel();
    $channel->confirm_select();
    [$queue] = $channel->queue_declare('', false, false, true);
    for ($i = 0; $i < 5000; $i++) {
        $channel->batch_basic_publish(new AMQPMessage("$i"), '', $queue);
        if ($i % 500 === 499) {
            $channel->publish_batch();
        }
    }
    $channel->wait_for_pending_acks($limit);
    [, $messages] = $channel->queue_declare($queue, true);
    equal(5000, $messages);
    equal(5000, $channel->queue_purge($queue));
}

function case_heartbeats(): void
{
    $connection = connect(null, '/', 1);
    $channel = $connection->channel();
    [$queue] = $channel->queue_declare('', false, false, true);
    $channel->basic_consume($queue, '', false, true, false, false, function () {
    });
    $begin = microtime(true);
    // three times its interval, without a message
    while (microtime(true) - $begin < 3.5) {
        try {
            $channel->wait(null, false, 0.25);
        } catch (AMQPTimeoutException $e) {
            $connection->checkHeartBeat();
        }
    }
    $channel->queue_declare($queue, true);
}

try {
    ('case_' . $argv[1])();
} catch (Throwable $e) {
    echo get_class($e), ': ', $e->getMessage(), "\n", $e->getTraceAsString(), "\n";
    exit(1);
}
