// SPDX-License-Identifier: MIT

// amqp091: amqp091-go does what its users do, case by case; a line "passed NAME" for each.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var limit time.Duration
var count int

func name(hint string) string {
	count++
	return fmt.Sprintf("%s.%s%d", os.Getenv("AMQP_PREFIX"), hint, count)
}

func check(condition bool, what string, values ...interface{}) {
	if !condition {
		panic(fmt.Sprintf(what, values...))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Where the URL says amqps, AMQP_CA_FILE says whom to trust.
func dial(url string) (*amqp.Connection, error) {
	file := os.Getenv("AMQP_CA_FILE")
	if file == "" {
		return amqp.Dial(url)
	}
	text, err := os.ReadFile(file)
	must(err)
	pool := x509.NewCertPool()
	check(pool.AppendCertsFromPEM(text), "no certificate in %s", file)
	return amqp.DialTLS(url, &tls.Config{RootCAs: pool})
}

func connect() *amqp.Connection {
	connection, err := dial(os.Getenv("AMQP_URL"))
	must(err)
	return connection
}

func channel(connection *amqp.Connection) *amqp.Channel {
	ch, err := connection.Channel()
	must(err)
	return ch
}

func ownQueue(ch *amqp.Channel) string {
	queue, err := ch.QueueDeclare("", false, false, true, false, nil)
	must(err)
	return queue.Name
}

func take(deliveries <-chan amqp.Delivery) amqp.Delivery {
	select {
	case delivery, open := <-deliveries:
		check(open, "the channel is closed")
		return delivery
	case <-time.After(limit):
		panic("no delivery")
	}
}

func send(ch *amqp.Channel, exchange, key string, message amqp.Publishing) {
	must(ch.PublishWithContext(context.Background(), exchange, key, false, false, message))
}

func confirmsAndConsume(connection *amqp.Connection) {
	ch := channel(connection)
	queue := ownQueue(ch)
	must(ch.Confirm(false))
	// a DeferredConfirmation of 1.5 waits for ever for a confirm that was there before it
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, 500))
	for i := 0; i < 500; i++ {
		send(ch, "", queue, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(strconv.Itoa(i))})
	}
	for i := uint64(1); i <= 500; i++ {
		select {
		case confirm := <-confirms:
			check(confirm.Ack && confirm.DeliveryTag == i, "%v for %d", confirm, i)
		case <-time.After(limit):
			panic("no confirm")
		}
	}
	must(ch.Qos(10, 0, false))
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	must(err)
	for i := 0; i < 500; i++ {
		delivery := take(deliveries)
		check(string(delivery.Body) == strconv.Itoa(i), "%s for %d", delivery.Body, i)
		must(delivery.Ack(false))
	}
}

func properties(connection *amqp.Connection) {
	ch := channel(connection)
	queue := ownQueue(ch)
	headers := amqp.Table{"text": "ä", "byte": byte(200), "int16": int16(-3), "int32": int32(7), "int64": int64(1 << 40),
		"float": 0.5, "yes": true, "nothing": nil, "list": []interface{}{int32(1), "two"},
		"table": amqp.Table{"a": "b"}, "bytes": []byte{0, 255}, "decimal": amqp.Decimal{Scale: 2, Value: 314},
		"time": time.Unix(1700000000, 0)}
	send(ch, "", queue, amqp.Publishing{Headers: headers, ContentType: "text/plain", ContentEncoding: "utf-8",
		DeliveryMode: 2, Priority: 4, CorrelationId: "c", ReplyTo: "r", Expiration: "60000", MessageId: "m",
		Timestamp: time.Unix(1700000001, 0), Type: "kind", UserId: os.Getenv("AMQP_USER"), AppId: "suite",
		Body: []byte("x")})
	deliveries, err := ch.Consume(queue, "", true, false, false, false, nil)
	must(err)
	got := take(deliveries)
	check(got.ContentType == "text/plain" && got.ContentEncoding == "utf-8" && got.DeliveryMode == 2 &&
		got.Priority == 4 && got.CorrelationId == "c" && got.ReplyTo == "r" && got.Expiration == "60000" &&
		got.MessageId == "m" && got.Timestamp.Unix() == 1700000001 && got.Type == "kind" && got.AppId == "suite",
		"properties are %v", got)
	check(fmt.Sprint(got.Headers) == fmt.Sprint(headers), "headers are %v", got.Headers)
}

func redelivery(connection *amqp.Connection) {
	ch := channel(connection)
	queue := ownQueue(ch)
	send(ch, "", queue, amqp.Publishing{Body: []byte("x")})
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	must(err)
	first := take(deliveries)
	check(!first.Redelivered, "redelivered")
	must(first.Nack(false, true))
	second := take(deliveries)
	check(second.Redelivered, "not redelivered")
	must(second.Reject(false))
	info, err := ch.QueueInspect(queue)
	must(err)
	check(info.Messages == 0 && info.Consumers == 1, "%v", info)
}

func returns(connection *amqp.Connection) {
	ch := channel(connection)
	returned := ch.NotifyReturn(make(chan amqp.Return, 1))
	must(ch.PublishWithContext(context.Background(), "", name("nowhere"), true, false, amqp.Publishing{Body: []byte("back")}))
	select {
	case message := <-returned:
		check(message.ReplyCode == 312 && message.ReplyText == "NO_ROUTE" && string(message.Body) == "back", "%v", message)
	case <-time.After(limit):
		panic("nothing came back")
	}
}

func exchanges(connection *amqp.Connection) {
	ch := channel(connection)
	source, target := name("x"), name("x")
	must(ch.ExchangeDeclare(source, "topic", false, true, false, false, nil))
	must(ch.ExchangeDeclare(target, "headers", false, false, false, false, nil))
	must(ch.ExchangeBind(target, "a.#", source, false, nil))
	queue := ownQueue(ch)
	must(ch.QueueBind(queue, "", target, false, amqp.Table{"x-match": "all", "n": int32(1)}))
	send(ch, source, "b", amqp.Publishing{Headers: amqp.Table{"n": int32(1)}, Body: []byte("wrong")})
	send(ch, source, "a.b", amqp.Publishing{Headers: amqp.Table{"n": int32(2)}, Body: []byte("wrong")})
	send(ch, source, "a.b", amqp.Publishing{Headers: amqp.Table{"n": int64(1)}, Body: []byte("right")})
	deliveries, err := ch.Consume(queue, "", true, true, false, false, nil)
	must(err)
	check(string(take(deliveries).Body) == "right", "wrong message")
	must(ch.ExchangeUnbind(target, "a.#", source, false, nil))
	must(ch.ExchangeDelete(target, false, false))
}

func rpc(connection *amqp.Connection) {
	server, client := channel(connect()), channel(connection)
	queue := name("rpc")
	_, err := server.QueueDeclare(queue, false, true, false, false, nil)
	must(err)
	requests, err := server.Consume(queue, "", true, false, false, false, nil)
	must(err)
	go func() {
		for request := range requests {
			send(server, "", request.ReplyTo, amqp.Publishing{CorrelationId: request.CorrelationId,
				Body: bytes.ToUpper(request.Body)})
		}
	}()
	replies, err := client.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	must(err)
	for i := 0; i < 50; i++ {
		id := strconv.Itoa(i)
		send(client, "", queue, amqp.Publishing{ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: id, Body: []byte("abc" + id)})
		reply := take(replies)
		check(reply.CorrelationId == id && string(reply.Body) == "ABC"+id, "%v", reply)
	}
}

func largeBody(connection *amqp.Connection) {
	ch := channel(connection)
	queue := ownQueue(ch)
	body := make([]byte, 5000000)
	_, err := rand.Read(body)
	must(err)
	send(ch, "", queue, amqp.Publishing{Body: body})
	deliveries, err := ch.Consume(queue, "", true, false, false, false, nil)
	must(err)
	check(bytes.Equal(take(deliveries).Body, body), "the body differs")
}

func channelError(connection *amqp.Connection) {
	ch := channel(connection)
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	missing := name("missing")
	_, err := ch.QueueDeclarePassive(missing, false, false, false, false, nil)
	var problem *amqp.Error
	check(errors.As(err, &problem), "no error")
	check(problem.Code == 404 && problem.Server && problem.Recover, "%v", problem)
	check(problem.Reason == "NOT_FOUND - no queue '"+missing+"' in vhost '/'", "%v", problem)
	check((<-closed).Code == 404, "closed otherwise")
	channel(connection)
}

func connectionError(_ *amqp.Connection) {
	connection := connect()
	closed := connection.NotifyClose(make(chan *amqp.Error, 1))
	ch := channel(connection)
	queue := ownQueue(ch)
	_, err := ch.Consume(queue, "", false, false, false, false, amqp.Table{"x-priority": int32(1)})
	must(err)
	must(ch.PublishWithContext(context.Background(), "", queue, false, true, amqp.Publishing{}))
	select {
	case problem := <-closed:
		check(problem.Code == 540 && strings.HasPrefix(problem.Reason, "NOT_IMPLEMENTED - immediate=true"), "%v", problem)
	case <-time.After(limit):
		panic("still open")
	}
}

func wrongPassword(_ *amqp.Connection) {
	url := strings.Replace(os.Getenv("AMQP_URL"), ":"+os.Getenv("AMQP_PASSWORD")+"@", ":wrong@", 1)
	_, err := dial(url)
	var problem *amqp.Error
	check(errors.As(err, &problem) && problem.Code == 403, "%v", err)
}

func cancelNotification(connection *amqp.Connection) {
	ch := channel(connection)
	cancelled := ch.NotifyCancel(make(chan string, 1))
	queue := ownQueue(ch)
	_, err := ch.Consume(queue, "me", false, false, false, false, nil)
	must(err)
	_, err = ch.QueueDelete(queue, false, false, false)
	must(err)
	select {
	case tag := <-cancelled:
		check(tag == "me", "%s", tag)
	case <-time.After(limit):
		panic("not told")
	}
}

func transactions(connection *amqp.Connection) {
	ch := channel(connection)
	queue := ownQueue(ch)
	must(ch.Tx())
	send(ch, "", queue, amqp.Publishing{})
	must(ch.TxRollback())
	send(ch, "", queue, amqp.Publishing{})
	must(ch.TxCommit())
	purged, err := ch.QueuePurge(queue, false)
	must(err)
	check(purged == 1, "%d messages", purged)
}

// An end of the socket that comes with close-ok is an error to those who are about to close.
func concurrentClose(_ *amqp.Connection) {
	for round := 0; round < 20; round++ {
		connection := connect()
		results := make(chan error)
		for i := 0; i < 32; i++ {
			go func() { results <- connection.Close() }()
		}
		for i := 0; i < 32; i++ {
			var problem *amqp.Error
			err := <-results
			check(err == nil || err == amqp.ErrClosed || !errors.As(err, &problem), "%v", err)
		}
	}
}

func main() {
	seconds, err := strconv.Atoi(os.Getenv("AMQP_LIMIT_SECONDS"))
	must(err)
	limit = time.Duration(seconds) * time.Second
	for _, c := range []struct {
		name string
		run  func(*amqp.Connection)
	}{
		{"confirms and consume", confirmsAndConsume}, {"properties", properties}, {"redelivery", redelivery},
		{"returns", returns}, {"exchanges", exchanges}, {"rpc", rpc}, {"large body", largeBody},
		{"channel error", channelError}, {"connection error", connectionError}, {"wrong password", wrongPassword},
		{"cancel notification", cancelNotification}, {"transactions", transactions},
		{"concurrent close", concurrentClose},
	} {
		connection := connect()
		c.run(connection)
		must(connection.Close())
		fmt.Println("passed", c.name)
	}
	fmt.Println("all")
}
