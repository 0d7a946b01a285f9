/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_FAKE_ENDPOINT_H
#define TESTS_UNIT_BROKER_FAKE_ENDPOINT_H

/*
 * An endpoint that writes down what it hears. It keeps the deliveries' references until
 * fake_endpoint_end().
 */

#include <CUnit/CUnit.h>

#include "base/list.h"
#include "broker/endpoint.h"
#include "broker/queue/queue.h"

#define FAKE_DELIVERIES_MAX 4096

struct fake_delivery {
	uint32_t consumer;
	struct delivery delivery;
};

struct fake_endpoint {
	struct endpoint endpoint;
	struct fake_delivery deliveries[FAKE_DELIVERIES_MAX];
	size_t n_deliveries, n_calls;
	struct publish_outcome outcomes[FAKE_DELIVERIES_MAX];
	size_t n_outcomes;
	unsigned n_cancelled, n_wants, n_returned;
	uint32_t last_cancelled, last_want;
	void (*on_deliver)(struct fake_endpoint *fake, uint32_t consumer); /* NULL: nothing more */
};

static inline struct fake_endpoint *fake_of(struct endpoint *endpoint)
{
	return container_of(endpoint, struct fake_endpoint, endpoint);
}

static inline void fake_deliver(struct endpoint *endpoint, uint32_t consumer,
				const struct delivery *deliveries, size_t count)
{
	struct fake_endpoint *fake = fake_of(endpoint);

	CU_ASSERT_FATAL(fake->n_deliveries + count <= FAKE_DELIVERIES_MAX);
	fake->n_calls++;
	for (size_t i = 0; i < count; i++)
		fake->deliveries[fake->n_deliveries++] =
			(struct fake_delivery){.consumer = consumer, .delivery = deliveries[i]};
	if (fake->on_deliver)
		fake->on_deliver(fake, consumer);
}

static inline void fake_published(struct endpoint *endpoint, const struct publish_outcome *outcomes,
				  size_t count, uint64_t taken_bytes)
{
	struct fake_endpoint *fake = fake_of(endpoint);

	CU_ASSERT_EQUAL(taken_bytes, 0);
	CU_ASSERT_FATAL(fake->n_outcomes + count <= FAKE_DELIVERIES_MAX);
	for (size_t i = 0; i < count; i++)
		fake->outcomes[fake->n_outcomes++] = outcomes[i];
}

static inline void fake_cancelled(struct endpoint *endpoint, uint32_t consumer)
{
	fake_of(endpoint)->n_cancelled++;
	fake_of(endpoint)->last_cancelled = consumer;
}

static inline void fake_want(struct endpoint *endpoint, uint32_t consumer)
{
	fake_of(endpoint)->n_wants++;
	fake_of(endpoint)->last_want = consumer;
}

static inline void fake_grants_returned(struct endpoint *endpoint, uint32_t consumer,
					uint32_t count)
{
	(void)consumer;
	fake_of(endpoint)->n_returned += count;
}

static const struct endpoint_ops fake_endpoint_ops = {
	.deliver = fake_deliver,
	.published = fake_published,
	.cancelled = fake_cancelled,
	.want = fake_want,
	.grants_returned = fake_grants_returned,
};

static inline void fake_endpoint_begin(struct fake_endpoint *fake)
{
	*fake = (struct fake_endpoint){.endpoint.ops = &fake_endpoint_ops};
	fake->endpoint.ref = slots_add(&fake->endpoint);
}

static inline void fake_endpoint_forget(struct fake_endpoint *fake)
{
	for (size_t i = 0; i < fake->n_deliveries; i++)
		message_unref(fake->deliveries[i].delivery.message);
	fake->n_deliveries = fake->n_calls = fake->n_outcomes = 0;
}

static inline void fake_endpoint_end(struct fake_endpoint *fake)
{
	slots_remove(fake->endpoint.ref);
	fake_endpoint_forget(fake);
}

#endif
