/* SPDX-License-Identifier: MIT */
/*
 * The whole tool against a broker that does nothing but answer, and one that does something wrong.
 * With --serve PORT it is that broker, to see what the tool itself can do:
 *
 *	tests/unit/tools/test_bench --serve 5673 &  shunt-bench --port 5673
 */
#include "bench.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "../unit.h"

#include "null_broker.h"

#define ARGUMENTS_MAX 24

static char *output; /* of the last run: figures and complaints */

/* Runs the tool with these arguments (words between spaces) against the port; its exit status. */
static int bench(uint16_t port, const char *arguments)
{
	char text[512];
	char name[] = "shunt-bench";
	char *words[ARGUMENTS_MAX + 1] = {name};
	int count = 1, status;
	char *save = NULL;
	size_t size;
	FILE *stream;

	free(output);
	output = NULL;
	(void)snprintf(text, sizeof(text), "--port %u %s", port, arguments);
	for (char *word = strtok_r(text, " ", &save); word != NULL && count < ARGUMENTS_MAX;
	     word = strtok_r(NULL, " ", &save))
		words[count++] = word;
	stream = open_memstream(&output, &size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
	status = bench_main(count, words, stream, stream);
	(void)fclose(stream);
	return status;
}

static bool says(const char *text)
{
	bool found = strstr(output, text) != NULL;

	if (!found)
		(void)printf("expected \"%s\" in:\n%s", text, output);
	return found;
}

/* Status 0, nothing wrong, and all queues deleted. */
static void expect_right(const char *arguments, const char *text)
{
	struct null_broker *broker = null_broker_start(0, NULL_BROKER_RIGHT);

	CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
	CU_ASSERT_EQUAL(bench(null_broker_port(broker), arguments), 0);
	CU_ASSERT(says(text));
	CU_ASSERT_EQUAL(null_broker_queue_count(broker), 0);
	null_broker_stop(broker);
}

static void expect_wrong(enum null_broker_fault fault, const char *arguments, int status,
			 const char *text)
{
	struct null_broker *broker = null_broker_start(0, fault);

	CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
	CU_ASSERT_EQUAL(bench(null_broker_port(broker), arguments), status);
	CU_ASSERT(says(text));
	null_broker_stop(broker);
}

static void noise_is_not_in_the_figures(void)
{
	expect_right("--messages 100 --rate 1000 --noise 2 --slow 1",
		     "check         100 deliveries of 100 messages");
	CU_ASSERT(says("\nnoise         "));
	CU_ASSERT(says("\nslow          "));
	expect_wrong(NULL_BROKER_RIGHT, "--churn --noise 1", 64, "--noise");
}

static void one_producer_and_one_consumer(void)
{
	expect_right("--messages 20000",
		     "20000 deliveries of 20000 messages: none lost, doubled or reordered");
}

static void by_time_with_warmup(void)
{
	expect_right("--seconds 0.2 --warmup 0.1", "none lost, doubled or reordered");
}

static void many_of_each(void)
{
	expect_right("--messages 9001 --producers 3 --consumers 5 --queues 4",
		     "9001 deliveries of");
	expect_right("--messages 9001 --producers 5 --consumers 2 --queues 7",
		     "9001 deliveries of");
	expect_right("--messages 9001 --producers 5 --consumers 3 --queues 2 --threads 3",
		     "9001 deliveries of");
}

static void fanout_multiplies(void)
{
	expect_right("--messages 1000 --fanout 7 --producers 2",
		     "7000 deliveries of 1000 messages");
}

static void other_exchanges(void)
{
	expect_right("--messages 1000 --exchange direct --queues 3 --bindings 700",
		     "1000 deliveries of");
	expect_right("--messages 1000 --exchange topic --queues 3 --bindings 10",
		     "1000 deliveries of");
	expect_right("--messages 1000 --exchange headers --queues 3 --bindings 10",
		     "1000 deliveries of");
}

static void bodies_of_all_sizes(void)
{
	expect_right("--messages 100 --size 0", "counted only");
	expect_right("--messages 100 --size 7", "counted only");
	expect_right("--messages 100 --size 8", "none lost, doubled or reordered");
	expect_right("--messages 100 --size 15", "none lost, doubled or reordered");
	expect_right("--messages 100 --size 16", "none lost, doubled or reordered");
	expect_right("--messages 100 --size 2048", "none lost, doubled or reordered");
	expect_right("--messages 100 --size 2049", "none lost, doubled or reordered");
	expect_right("--messages 100 --size 131064", "none lost, doubled or reordered");
	expect_right("--messages 100 --size 131065", "none lost, doubled or reordered");
	expect_right("--messages 20 --size 1000000", "none lost, doubled or reordered");
}

static void confirms_and_acks(void)
{
	expect_right("--messages 5000 --confirm 1 --ack 1 --prefetch 1", "confirm ");
	expect_right("--messages 20000 --confirm 500 --ack 50 --prefetch 500 --persistent",
		     "20000 deliveries of");
}

static void a_fixed_rate_is_kept(void)
{
	expect_right("--seconds 0.3 --rate 2000 --producers 2 --confirm 10", "send lag");
}

static void fill_then_drain(void)
{
	expect_right("--fill --messages 5000 --queues 3 --consumers 2", "drain ");
}

static void without_consumers_the_queues_are_counted(void)
{
	expect_right("--messages 500 --consumers 0", "all 500 messages are in the queues");
}

static void connections_and_churn(void)
{
	expect_right("--connections 50 --hold 0", "(50 in");
	expect_right("--connections 7 --concurrency 3 --threads 3 --hold 0", "(7 in");
	expect_right("--churn --messages 30 --concurrency 4", "(30 in");
	expect_right("--churn --seconds 0.1", "cycles");
}

static void json_has_the_figures(void)
{
	expect_right("--messages 1000 --json --confirm 5", "\"confirm_latency\": {");
	CU_ASSERT(says("\"ok\": true"));
	CU_ASSERT(says("\"lost\": 0"));
	CU_ASSERT(says("\"broker\": \"Null\""));
	expect_right("--fill --messages 1000 --json", "\"drain\": {");
	expect_right("--connections 3 --hold 0 --json", "\"opened\": {");
	expect_right("--churn --messages 3 --json", "\"cycles\": {");
}

static void the_brokers_process_is_measured(void)
{
	char arguments[64];

	/* our own, as the broker is a thread of it */
	(void)snprintf(arguments, sizeof(arguments), "--messages 5000 --pid %d", (int)getpid());
	expect_right(arguments, "broker CPU");
	CU_ASSERT(says("broker RSS"));
}

static void an_unknown_process_is_an_error(void)
{
	expect_wrong(NULL_BROKER_RIGHT, "--messages 50 --pid 2147483647", 69,
		     "--pid: no such process");
}

static void what_is_lost_is_noticed(void)
{
	expect_wrong(NULL_BROKER_LOSES, "--messages 100 --timeout 0.2", 1, "1 lost");
	expect_wrong(NULL_BROKER_LOSES, "--messages 100 --timeout 0.2 --size 0", 1, "1 lost");
	expect_wrong(NULL_BROKER_LOSES, "--messages 100 --timeout 0.2 --consumers 3", 1, "1 lost");
	expect_wrong(NULL_BROKER_LOSES, "--messages 100 --timeout 0.2 --fill", 1, "1 lost");
	expect_wrong(NULL_BROKER_LOSES, "--messages 100 --timeout 0.2 --consumers 0", 1, "1 lost");
}

static void what_is_doubled_is_noticed(void)
{
	expect_wrong(NULL_BROKER_DOUBLES, "--messages 100 --consumers 0", 1, "1 doubled");
	expect_wrong(NULL_BROKER_DOUBLES, "--messages 100", 1, "1 doubled");
	expect_wrong(NULL_BROKER_DOUBLES, "--messages 10", 1, "1 doubled");
	expect_wrong(NULL_BROKER_DOUBLES, "--messages 100 --size 3", 1, "1 doubled");
	expect_wrong(NULL_BROKER_DOUBLES, "--messages 100 --fill", 1, "1 doubled");
	expect_wrong(NULL_BROKER_DOUBLES, "--seconds 0.1 --rate 1000", 1, "1 doubled");
	expect_wrong(NULL_BROKER_LOSES_AND_DOUBLES, "--messages 100", 1,
		     "1 queues with as many lost as doubled");
}

static void what_is_reordered_is_noticed(void)
{
	expect_wrong(NULL_BROKER_SWAPS, "--messages 100", 1, "1 out of order");
}

static void redelivered_is_noticed(void)
{
	expect_wrong(NULL_BROKER_MARKS_REDELIVERED, "--messages 100", 1,
		     "100 marked as redelivered");
}

static void wrong_confirms_are_noticed(void)
{
	expect_wrong(NULL_BROKER_NACKS, "--messages 100 --confirm 10", 1,
		     "100 refused (basic.nack)");
	expect_wrong(NULL_BROKER_CONFIRMS_TWICE, "--messages 100 --confirm 10", 1,
		     "confirms of nothing");
	expect_wrong(NULL_BROKER_NEVER_CONFIRMS, "--messages 100 --confirm 10 --timeout 0.2", 1,
		     "10 never confirmed");
}

static void what_the_broker_says_is_printed(void)
{
	expect_wrong(NULL_BROKER_CLOSES_CHANNEL, "--seconds 5", 69,
		     "the broker closed the channel: 406 PRECONDITION_FAILED - enough of this");
	expect_wrong(NULL_BROKER_REFUSES_LOGIN, "--messages 10", 69,
		     "the broker closed the connection: 403 ACCESS_REFUSED - go away");
	expect_wrong(NULL_BROKER_REFUSES_LOGIN, "--connections 10", 69,
		     "the broker closed the connection: 403 ACCESS_REFUSED - go away");
	expect_wrong(NULL_BROKER_TALKS_NONSENSE, "--messages 10", 69, "the broker sent a frame");
	expect_wrong(NULL_BROKER_CLOSES_SOCKET, "--seconds 5", 69, "shunt-bench: ");
}

static void nobody_there_is_an_error(void)
{
	struct null_broker *broker = null_broker_start(0, NULL_BROKER_RIGHT);
	uint16_t port;

	CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
	port = null_broker_port(broker);
	null_broker_stop(broker);
	CU_ASSERT_EQUAL(bench(port, "--messages 10"), 69);
	CU_ASSERT(says("Connection refused"));
	CU_ASSERT_EQUAL(bench(port, "--connections 10"), 69);
	CU_ASSERT_EQUAL(bench(port, "--host no-such-host.invalid"), 69);
}

static void usage_is_checked(void)
{
	static const char *const wrong[] = {"--ack 10 --prefetch 5",
					    "--bindings 5",
					    "--bindings 5 --fanout 3",
					    "--fanout 3 --queues 3",
					    "--fanout 3 --exchange topic",
					    "--fill --seconds 3",
					    "--fill --churn",
					    "--fill --consumers 0",
					    "--connections 5 --churn",
					    "--messages 1 --seconds 1",
					    "--size -1",
					    "--size 1x",
					    "--port 70000",
					    "--rate 0",
					    "--exchange nonsense",
					    "--url http://x/",
					    "--url amqp://x:y@h:port/",
					    "--url amqp://h/%zz",
					    "--tls --verify peer",
					    "--tls --keyfile x",
					    "stray"};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		int status = bench(1, wrong[i]);

		if (status != 64)
			(void)printf("status %d for %s\n", status, wrong[i]);
		CU_ASSERT_EQUAL(status, 64);
	}
	CU_ASSERT_EQUAL(bench(1, "--help"), 0);
	CU_ASSERT(says("--churn"));
	CU_ASSERT_EQUAL(bench(1, "--version"), 0);
}

static void a_url_says_where(void)
{
	struct null_broker *broker = null_broker_start(0, NULL_BROKER_RIGHT);
	char arguments[128];

	CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
	(void)snprintf(arguments, sizeof(arguments),
		       "--url amqp://some%%20one:pass%%3aword@127.0.0.1:%u/a%%2fb --messages 10",
		       null_broker_port(broker));
	CU_ASSERT_EQUAL(bench(1, arguments), 0);
	null_broker_stop(broker);
}

static int serve(const char *port)
{
	struct null_broker *broker;
	sigset_t signals;
	int signal_number;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	broker = null_broker_start((uint16_t)strtoul(port, NULL, 10), NULL_BROKER_RIGHT);
	if (broker == NULL) {
		perror("cannot listen");
		return EXIT_FAILURE;
	}
	(void)printf("serving on port %u, pid %d\n", null_broker_port(broker), (int)getpid());
	(void)fflush(stdout);
	(void)sigwait(&signals, &signal_number);
	null_broker_stop(broker);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(one_producer_and_one_consumer),
		UNIT_TEST(noise_is_not_in_the_figures),
		UNIT_TEST(by_time_with_warmup),
		UNIT_TEST(many_of_each),
		UNIT_TEST(fanout_multiplies),
		UNIT_TEST(other_exchanges),
		UNIT_TEST(bodies_of_all_sizes),
		UNIT_TEST(confirms_and_acks),
		UNIT_TEST(a_fixed_rate_is_kept),
		UNIT_TEST(fill_then_drain),
		UNIT_TEST(without_consumers_the_queues_are_counted),
		UNIT_TEST(connections_and_churn),
		UNIT_TEST(json_has_the_figures),
		UNIT_TEST(the_brokers_process_is_measured),
		UNIT_TEST(an_unknown_process_is_an_error),
		UNIT_TEST(what_is_lost_is_noticed),
		UNIT_TEST(what_is_doubled_is_noticed),
		UNIT_TEST(what_is_reordered_is_noticed),
		UNIT_TEST(redelivered_is_noticed),
		UNIT_TEST(wrong_confirms_are_noticed),
		UNIT_TEST(what_the_broker_says_is_printed),
		UNIT_TEST(nobody_there_is_an_error),
		UNIT_TEST(usage_is_checked),
		UNIT_TEST(a_url_says_where),
	};
	int status;

	if (argc == 3 && strcmp(argv[1], "--serve") == 0)
		return serve(argv[2]);
	status = unit_run("bench", tests, sizeof(tests) / sizeof(*tests));
	free(output);
	return status;
}
