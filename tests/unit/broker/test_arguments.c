/* SPDX-License-Identifier: MIT */
#include "broker/change/arguments.h"

#include "../unit.h"
#include "arguments_fixture.h"

#define QUEUE SLICE_LITERAL("q")
#define VHOST SLICE_LITERAL("/")

static struct queue_options options;
static struct amqp_error error;

static int read_as(struct slice arguments, bool durable)
{
	options = (struct queue_options){.durable = durable};
	error.code = 0;
	error.text[0] = '\0';
	int r = arguments_read_queue(arguments, QUEUE, VHOST, &options, &error);

	CU_ASSERT_EQUAL(r != 0, error.code != 0);
	return error.code;
}

static int read_classic(struct slice arguments)
{
	return read_as(arguments, false);
}

/* As RabbitMQ answers, tried against 3.10.8; texts in 4.x are the same. */
#define REFUSED(code_, text_)                                                                      \
	do {                                                                                       \
		CU_ASSERT_EQUAL(error.code, (code_));                                              \
		CU_ASSERT_STRING_EQUAL(error.text, (text_));                                       \
	} while (0)
#define INVALID "PRECONDITION_FAILED - invalid arg "
#define FOR	" for queue 'q' in vhost '/'"

static void no_arguments(void)
{
	CU_ASSERT_EQUAL(read_classic(arguments_none()), 0);
	CU_ASSERT_EQUAL(options.message_ttl_ms, UINT64_MAX);
	CU_ASSERT_EQUAL(options.expires_ms, 0);
	CU_ASSERT_EQUAL(options.delivery_limit, 0);
	CU_ASSERT_FALSE(options.quorum);
}

static void times(void)
{
	arguments_none();
	arguments_add_int("x-expires", 1000);
	CU_ASSERT_EQUAL(read_classic(arguments_add_int("x-message-ttl", 0)), 0);
	CU_ASSERT_EQUAL(options.expires_ms, 1000);
	CU_ASSERT_EQUAL(options.message_ttl_ms, 0);
	CU_ASSERT_EQUAL(read_classic(ARGUMENTS_INT("x-message-ttl", 315360000000)), 0);
	CU_ASSERT_EQUAL(options.message_ttl_ms, 315360000000);
	arguments_fini();
}

static void bad_times(void)
{
	read_classic(ARGUMENTS_INT("x-expires", 0));
	REFUSED(406, INVALID "'x-expires'" FOR ": {value_zero,0}");
	read_classic(ARGUMENTS_INT("x-expires", -1));
	REFUSED(406, INVALID "'x-expires'" FOR ": {value_negative,-1}");
	read_classic(ARGUMENTS_STRING("x-expires", "a"));
	REFUSED(406, INVALID "'x-expires'" FOR ": \"expected integer, got longstr\"");
	read_classic(ARGUMENTS_BOOL("x-expires", true));
	REFUSED(406, INVALID "'x-expires'" FOR ": \"expected integer, got bool\"");
	read_classic(ARGUMENTS_INT("x-message-ttl", 315360000001));
	REFUSED(406, INVALID "'x-message-ttl'" FOR ": {value_too_large,315360000001}");
	read_classic(ARGUMENTS_INT("x-message-ttl", -1));
	REFUSED(406, INVALID "'x-message-ttl'" FOR ": {value_negative,-1}");
	arguments_fini();
}

static void queue_types(void)
{
	CU_ASSERT_EQUAL(read_classic(ARGUMENTS_STRING("x-queue-type", "classic")), 0);
	CU_ASSERT_FALSE(options.quorum);
	CU_ASSERT_EQUAL(read_as(ARGUMENTS_STRING("x-queue-type", "quorum"), true), 0);
	CU_ASSERT_TRUE(options.quorum);
	read_classic(ARGUMENTS_STRING("x-queue-type", "foo"));
	REFUSED(406, INVALID "'x-queue-type'" FOR ": \"unsupported queue type 'foo'\"");
	read_classic(ARGUMENTS_INT("x-queue-type", 3));
	REFUSED(406, INVALID "'x-queue-type'" FOR ": {unacceptable_type,signedint}");
	read_as(ARGUMENTS_STRING("x-queue-type", "stream"), true);
	REFUSED(540, "NOT_IMPLEMENTED - argument 'x-queue-type' of 'stream'" FOR);
	arguments_fini();
}

static void quorum_properties(void)
{
	struct slice quorum = ARGUMENTS_STRING("x-queue-type", "quorum");

	read_as(quorum, false);
	REFUSED(406, "PRECONDITION_FAILED - invalid property 'non-durable'" FOR);

	options = (struct queue_options){.owner = 1};
	CU_ASSERT_NOT_EQUAL(arguments_read_queue(quorum, QUEUE, VHOST, &options, &error), 0);
	REFUSED(406, "PRECONDITION_FAILED - invalid property 'exclusive-owner'" FOR);

	options = (struct queue_options){.owner = 1, .auto_delete = true};
	CU_ASSERT_NOT_EQUAL(arguments_read_queue(quorum, QUEUE, VHOST, &options, &error), 0);
	REFUSED(406, "PRECONDITION_FAILED - invalid property 'auto-delete'" FOR);
	arguments_fini();
}

static void delivery_limit(void)
{
	arguments_none();
	arguments_add_string("x-queue-type", "quorum");
	CU_ASSERT_EQUAL(read_as(arguments_add_int("x-delivery-limit", 3), true), 0);
	CU_ASSERT_EQUAL(options.delivery_limit, 3);

	ARGUMENTS_INT("x-delivery-limit", -1);
	CU_ASSERT_EQUAL(read_as(arguments_add_string("x-queue-type", "quorum"), true), 0);
	CU_ASSERT_EQUAL(options.delivery_limit, 0);

	ARGUMENTS_INT("x-delivery-limit", 0);
	CU_ASSERT_EQUAL(read_as(arguments_add_string("x-queue-type", "quorum"), true), 540);

	read_classic(ARGUMENTS_INT("x-delivery-limit", 3));
	REFUSED(406, INVALID "'x-delivery-limit'" FOR " of queue type rabbit_classic_queue");
	arguments_fini();
}

static void of_other_types(void)
{
	read_classic(ARGUMENTS_STRING("x-max-age", "1h"));
	REFUSED(406, INVALID "'x-max-age'" FOR " of queue type rabbit_classic_queue");
	ARGUMENTS_STRING("x-queue-type", "quorum");
	read_as(arguments_add_int("x-max-priority", 3), true);
	REFUSED(406, INVALID "'x-max-priority'" FOR " of queue type rabbit_quorum_queue");
	arguments_fini();
}

static void accepted_without_effect(void)
{
	CU_ASSERT_EQUAL(read_classic(ARGUMENTS_STRING("x-queue-mode", "lazy")), 0);
	CU_ASSERT_EQUAL(read_classic(ARGUMENTS_INT("x-queue-version", 2)), 0);
	CU_ASSERT_EQUAL(read_classic(ARGUMENTS_STRING("x-queue-master-locator", "min-masters")), 0);
	CU_ASSERT_EQUAL(read_classic(ARGUMENTS_STRING("x-queue-leader-locator", "balanced")), 0);
	CU_ASSERT_EQUAL(read_classic(ARGUMENTS_STRING("x-ha-policy", "all")), 0);
	CU_ASSERT_EQUAL(read_classic(ARGUMENTS_STRING("my-own", "thing")), 0);
	read_classic(ARGUMENTS_STRING("x-queue-mode", "foo"));
	REFUSED(406, INVALID "'x-queue-mode'" FOR ": \"unsupported queue mode 'foo'\"");
	read_classic(ARGUMENTS_INT("x-queue-version", 3));
	REFUSED(406, INVALID "'x-queue-version'" FOR ": \"unsupported queue version '3'\"");
	arguments_fini();
}

static void not_built(void)
{
	static const char *const integers[] = {"x-max-length", "x-max-length-bytes",
					       "x-max-priority"};

	for (size_t i = 0; i < 3; i++) {
		char text[200];

		(void)snprintf(text, sizeof(text), "NOT_IMPLEMENTED - argument '%s'" FOR,
			       integers[i]);
		read_classic(ARGUMENTS_INT(integers[i], 5));
		REFUSED(540, text);
	}
	CU_ASSERT_EQUAL(read_classic(ARGUMENTS_STRING("x-dead-letter-exchange", "")), 540);
	CU_ASSERT_EQUAL(read_classic(ARGUMENTS_STRING("x-overflow", "drop-head")), 540);
	CU_ASSERT_EQUAL(read_classic(ARGUMENTS_BOOL("x-single-active-consumer", true)), 540);
	CU_ASSERT_EQUAL(read_classic(ARGUMENTS_BOOL("x-single-active-consumer", false)), 0);
	arguments_fini();
}

static void wrong_comes_before_not_built(void)
{
	read_classic(ARGUMENTS_STRING("x-dead-letter-routing-key", "k"));
	REFUSED(406, INVALID "'x-dead-letter-routing-key'" FOR ": routing_key_but_no_dlx_defined");
	read_classic(ARGUMENTS_STRING("x-overflow", "foo"));
	REFUSED(406, INVALID "'x-overflow'" FOR ": invalid_overflow");
	read_classic(ARGUMENTS_INT("x-max-priority", 256));
	REFUSED(406, INVALID "'x-max-priority'" FOR ": {max_value_exceeded,256}");
	read_classic(ARGUMENTS_INT("x-max-length", -1));
	REFUSED(406, INVALID "'x-max-length'" FOR ": {value_negative,-1}");
	arguments_none();
	arguments_add_int("x-max-length", 1);
	CU_ASSERT_EQUAL(read_classic(arguments_add_int("x-expires", 0)), 406);
	arguments_fini();
}

static int compare(struct slice current, struct slice received)
{
	error.code = 0;
	return arguments_compare_queue(current, received, QUEUE, VHOST, &error) != 0 ? error.code
										     : 0;
}

#define INEQUIVALENT "PRECONDITION_FAILED - inequivalent arg "

static void equivalence(void)
{
	struct buffer other;
	struct slice a, b;

	buffer_init(&other);
	buffer_append_slice(&other, ARGUMENTS_INT("x-message-ttl", 1000));
	a = buffer_slice(&other);
	CU_ASSERT_EQUAL(compare(a, a), 0);

	b = ARGUMENTS_INT("x-message-ttl", 2000);
	compare(a, b);
	REFUSED(406, INEQUIVALENT "'x-message-ttl'" FOR
				  ": received the value '2000' of type 'signedint' but current is "
				  "the value '1000' of type 'signedint'");
	compare(a, SLICE_EMPTY);
	REFUSED(406,
		INEQUIVALENT "'x-message-ttl'" FOR
			     ": received none but current is the value '1000' of type 'signedint'");
	compare(SLICE_EMPTY, a);
	REFUSED(406,
		INEQUIVALENT "'x-message-ttl'" FOR
			     ": received the value '1000' of type 'signedint' but current is none");

	struct amqp_value value = {.type = AMQP_VALUE_LONG, .integer = 1000};

	arguments_none();
	CU_ASSERT_EQUAL(compare(a, arguments_add("x-message-ttl", &value)), 0);
	buffer_fini(&other);
	arguments_fini();
}

static void equivalence_of_types(void)
{
	struct slice classic = ARGUMENTS_STRING("x-queue-type", "classic");

	CU_ASSERT_EQUAL(compare(SLICE_EMPTY, classic), 0);
	CU_ASSERT_EQUAL(compare(classic, SLICE_EMPTY), 0);

	struct slice quorum = ARGUMENTS_STRING("x-queue-type", "quorum");

	compare(SLICE_EMPTY, quorum);
	REFUSED(406,
		INEQUIVALENT "'x-queue-type'" FOR
			     ": received the value 'quorum' of type 'longstr' but current is none");
	compare(quorum, SLICE_EMPTY);
	REFUSED(406,
		INEQUIVALENT "'x-queue-type'" FOR
			     ": received none but current is the value 'quorum' of type 'longstr'");
	/* What the type does not know makes no difference. */
	CU_ASSERT_EQUAL(compare(SLICE_EMPTY, ARGUMENTS_STRING("x-foo", "a")), 0);
	CU_ASSERT_EQUAL(compare(SLICE_EMPTY, ARGUMENTS_INT("x-delivery-limit", 2)), 0);
	CU_ASSERT_EQUAL(compare(SLICE_EMPTY, ARGUMENTS_STRING("x-queue-mode", "lazy")), 406);
	arguments_fini();
}

static void exchanges(void)
{
	struct slice name = SLICE_LITERAL("e");

	CU_ASSERT_EQUAL(arguments_check_exchange(SLICE_EMPTY, name, VHOST, &error), 0);
	CU_ASSERT_EQUAL(arguments_check_exchange(ARGUMENTS_STRING("alternate-exchange", "a"), name,
						 VHOST, &error),
			0);
	CU_ASSERT_TRUE(slice_equal(arguments_alternate_exchange(buffer_slice(&arguments_buffer)),
				   SLICE_LITERAL("a")));
	CU_ASSERT_NOT_EQUAL(arguments_compare_exchange(SLICE_EMPTY, buffer_slice(&arguments_buffer),
						       name, VHOST, &error),
			    0);
	REFUSED(406, INEQUIVALENT "'alternate-exchange' for exchange 'e' in vhost '/': received "
				  "the value 'a' of type "
				  "'longstr' but current is none");
	CU_ASSERT_NOT_EQUAL(arguments_check_exchange(ARGUMENTS_INT("alternate-exchange", 3), name,
						     VHOST, &error),
			    0);
	REFUSED(406, "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' "
		     "in exchange 'e' in vhost "
		     "'/'");
	CU_ASSERT_EQUAL(arguments_alternate_exchange(buffer_slice(&arguments_buffer)).size, 0);
	arguments_fini();
}

UNIT_MAIN("arguments", UNIT_TEST(no_arguments), UNIT_TEST(times), UNIT_TEST(bad_times),
	  UNIT_TEST(queue_types), UNIT_TEST(quorum_properties), UNIT_TEST(delivery_limit),
	  UNIT_TEST(of_other_types), UNIT_TEST(accepted_without_effect), UNIT_TEST(not_built),
	  UNIT_TEST(wrong_comes_before_not_built), UNIT_TEST(equivalence),
	  UNIT_TEST(equivalence_of_types), UNIT_TEST(exchanges))
