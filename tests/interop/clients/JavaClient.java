// SPDX-License-Identifier: MIT

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcServer;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** RabbitMQ's Java client does what its users do, case by case; a line "passed NAME" for each. */
public class JavaClient {
    interface Case {
        void run(Connection connection) throws Exception;
    }

    static class Delivery {
        Envelope envelope;
        AMQP.BasicProperties properties;
        byte[] body;
    }

    /** Puts all deliveries into a queue. */
    static class Box extends DefaultConsumer {
        final BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        final BlockingQueue<String> cancelled = new LinkedBlockingQueue<>();

        Box(Channel channel) {
            super(channel);
        }

        @Override
        public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
            Delivery delivery = new Delivery();
            delivery.envelope = envelope;
            delivery.properties = properties;
            delivery.body = body;
            deliveries.add(delivery);
        }

        @Override
        public void handleCancel(String tag) {
            cancelled.add(tag);
        }

        Delivery take() throws InterruptedException {
            return JavaClient.take(deliveries);
        }
    }

    static final long LIMIT = Long.parseLong(System.getenv("AMQP_LIMIT_SECONDS"));
    static int count = 0;

    static <T> T take(BlockingQueue<T> queue) throws InterruptedException {
        T item = queue.poll(LIMIT, TimeUnit.SECONDS);
        check(item != null, "nothing came");
        return item;
    }

    static void check(boolean condition, String text) {
        if (!condition) {
            throw new IllegalStateException(text);
        }
    }

    static String name(String hint) {
        return System.getenv("AMQP_PREFIX") + "." + hint + ++count;
    }

    /** Of a factory of sockets that looks whether the certificate is AMQP_CA_FILE's, and of that host. */
    static void speakTls(ConnectionFactory factory, String file) throws Exception {
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null);
        try (InputStream in = new FileInputStream(file)) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        factory.useSslProtocol(context);
        factory.setSocketConfigurator(socket -> {
            SSLParameters parameters = ((SSLSocket) socket).getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            ((SSLSocket) socket).setSSLParameters(parameters);
        });
    }

    static ConnectionFactory factory() throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost(System.getenv("AMQP_HOST"));
        factory.setPort(Integer.parseInt(System.getenv("AMQP_PORT")));
        factory.setUsername(System.getenv("AMQP_USER"));
        factory.setPassword(System.getenv("AMQP_PASSWORD"));
        if (System.getenv("AMQP_CA_FILE") != null) {
            speakTls(factory, System.getenv("AMQP_CA_FILE"));
        }
        return factory;
    }

    static void confirmsAndConsume(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String queue = channel.queueDeclare().getQueue();
        channel.confirmSelect();
        for (int i = 0; i < 500; i++) {
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, Integer.toString(i).getBytes());
        }
        channel.waitForConfirmsOrDie(LIMIT * 1000);
        check(channel.messageCount(queue) == 500, "500 messages");
        channel.basicQos(10);
        Box box = new Box(channel);
        channel.basicConsume(queue, false, box);
        for (int i = 0; i < 500; i++) {
            Delivery delivery = box.take();
            check(new String(delivery.body).equals(Integer.toString(i)), "order");
            channel.basicAck(delivery.envelope.getDeliveryTag(), false);
        }
    }

    static void properties(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String queue = channel.queueDeclare().getQueue();
        Map<String, Object> headers = new HashMap<>();
        headers.put("int", 7);
        headers.put("long", 1L << 40);
        headers.put("yes", true);
        headers.put("float", 0.5);
        headers.put("list", Arrays.asList(1, 2, 3));
        headers.put("table", Collections.singletonMap("a", 1));
        AMQP.BasicProperties sent = new AMQP.BasicProperties.Builder().contentType("text/plain").contentEncoding("utf-8")
            .deliveryMode(2).priority(4).correlationId("c").replyTo("r").expiration("60000").messageId("m")
            .timestamp(new java.util.Date(1700000000000L)).type("kind").userId(System.getenv("AMQP_USER"))
            .appId("suite").headers(headers).build();
        Box box = new Box(channel);
        channel.basicConsume(queue, true, box);
        channel.basicPublish("", queue, sent, new byte[0]);
        AMQP.BasicProperties got = box.take().properties;
        check(got.getHeaders().equals(headers), "headers are " + got.getHeaders());
        StringBuilder one = new StringBuilder(), other = new StringBuilder();
        sent.appendPropertyDebugStringTo(one);
        got.appendPropertyDebugStringTo(other);
        check(one.toString().equals(other.toString()), "properties are " + other);
    }

    static void redelivery(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String queue = channel.queueDeclare().getQueue();
        Box box = new Box(channel);
        channel.basicConsume(queue, false, box);
        channel.basicPublish("", queue, null, "x".getBytes());
        Delivery first = box.take();
        check(!first.envelope.isRedeliver(), "redelivered at once");
        channel.basicNack(first.envelope.getDeliveryTag(), false, true);
        Delivery second = box.take();
        check(second.envelope.isRedeliver(), "not redelivered");
        channel.basicRecover(true);
        check(box.take().envelope.isRedeliver(), "not recovered");
    }

    static void returns(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        BlockingQueue<String> returned = new LinkedBlockingQueue<>();
        channel.addReturnListener((code, text, exchange, key, properties, body) ->
            returned.add(code + text + new String(body)));
        channel.basicPublish("", name("nowhere"), true, null, "back".getBytes());
        check(take(returned).equals("312NO_ROUTEback"), "another return");
    }

    static void exchanges(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String source = name("x"), target = name("x"), queue = channel.queueDeclare().getQueue();
        channel.exchangeDeclare(source, "topic", false, true, null);
        channel.exchangeDeclare(target, "fanout");
        channel.exchangeBind(target, source, "*.b");
        channel.queueBind(queue, target, "");
        Box box = new Box(channel);
        channel.basicConsume(queue, true, box);
        channel.basicPublish(source, "b", null, "wrong".getBytes());
        channel.basicPublish(source, "a.b", null, "right".getBytes());
        check(new String(box.take().body).equals("right"), "wrong message");
        channel.exchangeUnbind(target, source, "*.b");
        channel.exchangeDelete(target);
    }

    static void rpc(Connection connection) throws Exception {
        Channel serving = connection.createChannel();
        String queue = serving.queueDeclare().getQueue();
        RpcServer server = new RpcServer(serving, queue) {
            @Override
            public byte[] handleCall(byte[] request, AMQP.BasicProperties reply) {
                return new StringBuilder(new String(request)).reverse().toString().getBytes();
            }
        };
        Thread thread = new Thread(() -> {
            try {
                server.mainloop();
            } catch (IOException | ShutdownSignalException e) {
                // the connection was closed
            }
        });
        thread.setDaemon(true);
        thread.start();
        RpcClient client = new RpcClient(connection.createChannel(), "", queue, (int) LIMIT * 1000);
        for (int i = 100; i < 150; i++) {
            String answer = client.stringCall("call " + i);
            check(answer.equals(new StringBuilder("call " + i).reverse().toString()), answer);
        }
    }

    static void largeBody(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String queue = channel.queueDeclare().getQueue();
        byte[] body = new byte[3000000];
        new Random(1).nextBytes(body);
        channel.basicPublish("", queue, null, body);
        GetResponse response = null;
        while (response == null) {
            response = channel.basicGet(queue, true);
        }
        check(Arrays.equals(response.getBody(), body), "the body differs");
    }

    static void channelError(Connection connection) throws Exception {
        String missing = name("missing");
        Channel channel = connection.createChannel();
        try {
            channel.queueDeclarePassive(missing);
            throw new IllegalStateException("found");
        } catch (IOException e) {
            AMQP.Channel.Close close = (AMQP.Channel.Close) ((ShutdownSignalException) e.getCause()).getReason();
            check(close.getReplyCode() == 404 && close.getClassId() == 50 && close.getMethodId() == 10, "codes");
            check(close.getReplyText().equals("NOT_FOUND - no queue '" + missing + "' in vhost '/'"), close.getReplyText());
        }
        check(!channel.isOpen() && connection.isOpen(), "states");
        connection.createChannel().close();
    }

    static void wrongPassword(Connection connection) throws Exception {
        ConnectionFactory factory = factory();
        factory.setPassword("wrong");
        try {
            factory.newConnection();
            throw new IllegalStateException("the wrong password was right");
        } catch (AuthenticationFailureException e) {
            check(e.getMessage().startsWith("ACCESS_REFUSED - Login was refused"), e.getMessage());
        }
    }

    static void cancelNotification(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String queue = channel.queueDeclare().getQueue();
        Box box = new Box(channel);
        String tag = channel.basicConsume(queue, box);
        channel.queueDelete(queue);
        check(take(box.cancelled).equals(tag), "another tag");
    }

    static void transactions(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String queue = channel.queueDeclare().getQueue();
        channel.txSelect();
        channel.basicPublish("", queue, null, "undone".getBytes());
        channel.txRollback();
        channel.basicPublish("", queue, null, "done".getBytes());
        channel.txCommit();
        check(channel.queuePurge(queue).getMessageCount() == 1, "count");
    }

    public static void main(String[] arguments) {
        Map<String, Case> cases = new java.util.LinkedHashMap<>();
        cases.put("confirms and consume", JavaClient::confirmsAndConsume);
        cases.put("properties", JavaClient::properties);
        cases.put("redelivery", JavaClient::redelivery);
        cases.put("returns", JavaClient::returns);
        cases.put("exchanges", JavaClient::exchanges);
        cases.put("rpc", JavaClient::rpc);
        cases.put("large body", JavaClient::largeBody);
        cases.put("channel error", JavaClient::channelError);
        cases.put("wrong password", JavaClient::wrongPassword);
        cases.put("cancel notification", JavaClient::cancelNotification);
        cases.put("transactions", JavaClient::transactions);
        for (Map.Entry<String, Case> entry : cases.entrySet()) {
            try {
                Connection connection = factory().newConnection();
                entry.getValue().run(connection);
                connection.close();
            } catch (Exception e) {
                e.printStackTrace();
                System.exit(1);
            }
            System.out.println("passed " + entry.getKey());
        }
        System.out.println("all");
        System.exit(0);
    }
}
