# SPDX-License-Identifier: MIT
# bunny.rb CASE: Ruby's bunny does what its users do.

require "bunny"
require "securerandom"

LIMIT = ENV["AMQP_LIMIT_SECONDS"].to_i
CASES = {}

def scenario(name, &block)
  CASES[name] = block
end

def check(condition, text = "unexpected")
  raise text unless condition
end

def equal(expected, got)
  raise "expected #{expected.inspect}, got #{got.inspect}" unless expected == got
end

def raises(kind)
  yield
rescue kind => e
  e
else
  raise "no #{kind}"
end

@count = 0
def name(hint = "n")
  @count += 1
  "#{ENV["AMQP_PREFIX"]}.#{hint}#{@count}"
end

# Whom to trust where TLS is spoken.
TLS = if ENV["AMQP_CA_FILE"]
        { tls: true, verify_peer: true, tls_ca_certificates: [ENV["AMQP_CA_FILE"]], tls_silence_warnings: true }
      else
        {}
      end

def connect(**options)
  connection = Bunny.new({
    host: ENV["AMQP_HOST"], port: ENV["AMQP_PORT"].to_i, user: ENV["AMQP_USER"], password: ENV["AMQP_PASSWORD"],
    log_level: Logger::FATAL, continuation_timeout: LIMIT * 1000
  }.merge(TLS, options))
  connection.start
end

# The next thing of a queue that a callback fills.
def take(box)
  Timeout.timeout(LIMIT) { box.pop }
end

scenario "publish_with_confirms_and_consume" do
  ch = connect.create_channel
  ch.confirm_select
  q = ch.queue("", exclusive: true)
  check q.name =~ /\Aamq\.gen-/
  200.times { |i| ch.default_exchange.publish(i.to_s, routing_key: q.name, persistent: true) }
  check ch.wait_for_confirms
  equal 200, q.message_count
  check ch.nacked_set.empty?
  box = Queue.new
  q.subscribe(manual_ack: true) do |info, _properties, body|
    ch.ack(info.delivery_tag)
    box << body
  end
  equal((0...200).map(&:to_s), Array.new(200) { take(box) })
end

scenario "properties" do
  ch = connect.create_channel
  q = ch.queue("", exclusive: true)
  sent = {
    content_type: "text/plain", content_encoding: "utf-8", priority: 4, correlation_id: "c", reply_to: "r",
    expiration: "60000", message_id: "m", type: "kind", user_id: ENV["AMQP_USER"], app_id: "suite", delivery_mode: 2,
    timestamp: 1_700_000_000,
    headers: { "text" => "ä".b, "int" => 1, "long" => 2**40, "float" => 0.5, "yes" => true, "no" => false,
               "list" => [1, "two"], "table" => { "a" => { "b" => 1 } }, "time" => Time.at(1_700_000_001) }
  }
  ch.default_exchange.publish("x", routing_key: q.name, **sent)
  info, got, body = nil
  info, got, body = q.pop until body
  equal "x", body
  check !info.redelivered?
  sent.each { |key, value| equal value, key == :timestamp ? got[key].to_i : got[key] }
end

scenario "acks_nacks_and_redelivery" do
  ch = connect.create_channel
  ch.prefetch(3)
  q = ch.queue("", exclusive: true)
  box = Queue.new
  q.subscribe(manual_ack: true) { |info, _, body| box << [info, body] }
  5.times { |i| q.publish(i.to_s) }
  first = Array.new(3) { take(box) }
  equal %w[0 1 2], first.map(&:last)
  check box.empty?
  ch.nack(first[2][0].delivery_tag, false, true)
  info, body = take(box)
  equal ["2", true], [body, info.redelivered?]
  ch.ack(first[0][0].delivery_tag)
  ch.reject(first[1][0].delivery_tag, false)
  rest = [take(box), take(box)]
  equal %w[3 4], rest.map(&:last)
  ch.ack(rest.last[0].delivery_tag, true)
  equal 0, q.message_count
end

scenario "exchanges_of_all_types" do
  ch = connect.create_channel
  [[:direct, { routing_key: "k" }, { routing_key: "k" }], [:fanout, {}, { routing_key: "any" }],
   [:topic, { routing_key: "a.#" }, { routing_key: "a.b.c" }],
   [:headers, { arguments: { "x-match" => "all", "n" => 1 } }, { headers: { "n" => 1 } }]].each do |type, binding, message|
    x = ch.exchange(name(type.to_s), type: type, auto_delete: true)
    q = ch.queue("", exclusive: true).bind(x, **binding)
    x.publish("wrong", routing_key: "wrong") unless type == :fanout
    x.publish(type.to_s, **message)
    body = nil
    _, _, body = q.pop until body
    equal type.to_s, body
    q.unbind(x, **binding)
  end
end

scenario "exchange_to_exchange" do
  ch = connect.create_channel
  source = ch.fanout(name("x"), auto_delete: true)
  target = ch.topic(name("x"))
  target.bind(source)
  q = ch.queue("", exclusive: true).bind(target, routing_key: "#")
  source.publish("through", routing_key: "a.b")
  body = nil
  _, _, body = q.pop until body
  equal "through", body
  target.unbind(source)
  target.delete
end

scenario "mandatory_message_returns" do
  ch = connect.create_channel
  box = Queue.new
  x = ch.default_exchange
  x.on_return { |info, _properties, body| box << [info.reply_code, info.reply_text, body] }
  x.publish("back", routing_key: name, mandatory: true)
  equal [312, "NO_ROUTE", "back"], take(box)
end

scenario "rpc" do
  server = connect.create_channel
  requests = server.queue(name("rpc"), exclusive: false, auto_delete: true)
  requests.subscribe do |_, properties, body|
    server.default_exchange.publish((body.to_i * 2).to_s, routing_key: properties.reply_to,
                                    correlation_id: properties.correlation_id)
  end
  client = connect.create_channel
  box = Queue.new
  client.basic_consume("amq.rabbitmq.reply-to", "", true) { |_, properties, body| box << [properties.correlation_id, body] }
  20.times do |i|
    client.default_exchange.publish(i.to_s, routing_key: requests.name, reply_to: "amq.rabbitmq.reply-to",
                                    correlation_id: "c#{i}")
  end
  equal((0...20).map { |i| ["c#{i}", (2 * i).to_s] }, Array.new(20) { take(box) })
end

scenario "large_body" do
  ch = connect.create_channel
  q = ch.queue("", exclusive: true)
  sent = SecureRandom.random_bytes(3_000_000)
  q.publish(sent)
  body = nil
  _, _, body = q.pop until body
  check body == sent
end

scenario "channel_errors" do
  connection = connect
  missing = name("missing")
  error = raises(Bunny::NotFound) { connection.create_channel.queue(missing, passive: true) }
  equal "NOT_FOUND - no queue '#{missing}' in vhost '/'", error.message
  ch = connection.create_channel
  q = ch.queue(name, auto_delete: true)
  error = raises(Bunny::PreconditionFailed) { connection.create_channel.queue(q.name, durable: true, auto_delete: true) }
  check error.message.start_with?("PRECONDITION_FAILED - inequivalent arg 'durable' for queue '#{q.name}' in vhost '/': " \
                                  "received 'true' but current is 'false'"), error.message
  other = connect.create_channel
  mine = ch.queue(name, exclusive: true)
  error = raises(Bunny::ResourceLocked) { other.queue(mine.name, exclusive: true) }
  check error.message.start_with?("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue"), error.message
  error = raises(Bunny::AccessRefused) { connection.create_channel.queue("amq.reserved") }
  equal "ACCESS_REFUSED - queue name 'amq.reserved' contains reserved prefix 'amq.*'", error.message
  q.delete
end

scenario "wrong_password" do
  error = raises(Bunny::AuthenticationFailureError) { connect(password: "wrong", recover_from_connection_close: false) }
  check error.message.start_with?("Authentication with RabbitMQ failed"), error.message
end

scenario "unknown_vhost" do
  raises(Bunny::Exception) { connect(vhost: "nowhere", automatically_recover: false) }
end

scenario "consumer_cancellation" do
  ch = connect.create_channel
  q = ch.queue(name, auto_delete: true)
  box = Queue.new
  consumer = Bunny::Consumer.new(ch, q)
  consumer.on_cancellation { |cancel| box << cancel.consumer_tag }
  q.subscribe_with(consumer)
  connect.create_channel.queue_delete(q.name)
  equal consumer.consumer_tag, take(box)
end

scenario "transactions" do
  ch = connect.create_channel
  q = ch.queue("", exclusive: true)
  ch.tx_select
  q.publish("undone")
  ch.tx_rollback
  q.publish("done")
  equal 0, q.message_count
  ch.tx_commit
  equal 1, q.message_count
  equal "done", q.pop.last
end

scenario "queue_arguments" do
  ch = connect.create_channel
  q = ch.queue("", exclusive: true, arguments: { "x-message-ttl" => 50, "x-expires" => 60_000 })
  q.publish("brief")
  Timeout.timeout(LIMIT) { Thread.pass until q.message_count.zero? }
end

scenario "heartbeats" do
  connection = connect(heartbeat: 1)
  equal 1, connection.heartbeat
  box = Queue.new
  connection.transport.define_singleton_method(:read_next_frame) do |*arguments|
    frame = super(*arguments)
    box << frame if frame.is_a?(AMQ::Protocol::HeartbeatFrame)
    frame
  end
  3.times { take(box) }
  connection.create_channel.queue("", exclusive: true)
end

Timeout.timeout(LIMIT + 1) { CASES.fetch(ARGV[0]).call }
exit! 0
