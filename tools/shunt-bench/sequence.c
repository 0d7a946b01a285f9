/* SPDX-License-Identifier: MIT */
#include "sequence.h"

void sequence_merge(struct sequence *sequence, const struct sequence *other)
{
	if (other->next > sequence->next)
		sequence->next = other->next;
	sequence->count += other->count;
	sequence->hash += other->hash;
	sequence->backward += other->backward;
}

void sequence_judge(const struct sequence *sequence, uint64_t published, struct faults *faults)
{
	uint64_t hash = 0;
	uint64_t doubled = 0;

	if (sequence->count < published) {
		faults->lost += published - sequence->count;
	} else if (sequence->count > published) {
		doubled = sequence->count - published;
	} else {
		for (uint64_t i = 0; i < published; i++)
			hash += sequence_mix(i + 1);
		if (hash != sequence->hash)
			faults->mixed++;
	}
	faults->doubled += doubled;
	/* one that came twice came backward, too */
	if (sequence->backward > doubled)
		faults->reordered += sequence->backward - doubled;
}

bool faults_any(const struct faults *faults)
{
	return (faults->lost | faults->doubled | faults->reordered | faults->mixed |
		faults->redelivered | faults->foreign | faults->nacked | faults->unconfirmed |
		faults->confirmed_wrongly | faults->returned) != 0;
}
