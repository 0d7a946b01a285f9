/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_STORE_CONTRACT_H
#define TESTS_UNIT_STORE_CONTRACT_H

/*
 * What every engine behind the store's door must do, as tests over kernel/store/store.h alone. A
 * test program calls contract_use() with the engine's create function and runs CONTRACT_TESTS. Each
 * test creates a pool of loops and an empty store, and destroys both.
 */

#include "store/store.h"

/* create(n_logs) gives an empty store, on a pool of n_logs loops. */
void contract_use(struct store *(*create)(unsigned n_logs));

void contract_appends_complete_in_order(void);
void contract_nothing_completes_inside_the_call(void);
void contract_wrong_epoch_is_fenced(void);
void contract_another_leader_is_told(void);
void contract_failed_append_leaves_nothing(void);
void contract_elided_message_is_not_kept(void);
void contract_elide_concerns_one_queue(void);
void contract_settle_frees_the_body(void);
void contract_body_without_queue_is_freed(void);
void contract_read_gives_bodies_in_order(void);
void contract_read_after_settle_fails(void);
void contract_recover_in_order(void);
void contract_recover_marks_redelivered(void);
void contract_purge_up_to_a_number(void);
void contract_purge_of_everything(void);
void contract_expire_is_a_settle(void);
void contract_highest_number_is_known(void);
void contract_lazy_append_completes(void);
void contract_transient_is_read_and_not_recovered(void);
void contract_barrier_comes_after_appends(void);
void contract_logs_are_separate(void);
void contract_compact_loses_nothing(void);
void contract_backlog_comes_and_goes(void);
void contract_behaves_as_a_model(void);
void contract_commit_compares_revisions(void);
void contract_commit_is_all_or_nothing(void);
void contract_load_by_prefix_in_order(void);
void contract_watch_sees_later_commits(void);
void contract_watch_from_every_loop(void);
void contract_unwatch_in_the_callback(void);
void contract_unwatch_another_in_the_callback(void);
void contract_ids_are_unique(void);
void contract_destroy_completes_everything(void);
void contract_destroy_with_notices_under_way(void);

/* clang-format off */
#define CONTRACT_TESTS \
	UNIT_TEST(contract_appends_complete_in_order), \
	UNIT_TEST(contract_nothing_completes_inside_the_call), \
	UNIT_TEST(contract_wrong_epoch_is_fenced), \
	UNIT_TEST(contract_another_leader_is_told), \
	UNIT_TEST(contract_failed_append_leaves_nothing), \
	UNIT_TEST(contract_elided_message_is_not_kept), \
	UNIT_TEST(contract_elide_concerns_one_queue), \
	UNIT_TEST(contract_settle_frees_the_body), \
	UNIT_TEST(contract_body_without_queue_is_freed), \
	UNIT_TEST(contract_read_gives_bodies_in_order), \
	UNIT_TEST(contract_read_after_settle_fails), \
	UNIT_TEST(contract_recover_in_order), \
	UNIT_TEST(contract_recover_marks_redelivered), \
	UNIT_TEST(contract_purge_up_to_a_number), \
	UNIT_TEST(contract_purge_of_everything), \
	UNIT_TEST(contract_expire_is_a_settle), \
	UNIT_TEST(contract_highest_number_is_known), \
	UNIT_TEST(contract_lazy_append_completes), \
	UNIT_TEST(contract_transient_is_read_and_not_recovered), \
	UNIT_TEST(contract_barrier_comes_after_appends), \
	UNIT_TEST(contract_logs_are_separate), \
	UNIT_TEST(contract_compact_loses_nothing), \
	UNIT_TEST(contract_backlog_comes_and_goes), \
	UNIT_TEST(contract_behaves_as_a_model), \
	UNIT_TEST(contract_commit_compares_revisions), \
	UNIT_TEST(contract_commit_is_all_or_nothing), \
	UNIT_TEST(contract_load_by_prefix_in_order), \
	UNIT_TEST(contract_watch_sees_later_commits), \
	UNIT_TEST(contract_watch_from_every_loop), \
	UNIT_TEST(contract_unwatch_in_the_callback), \
	UNIT_TEST(contract_unwatch_another_in_the_callback), \
	UNIT_TEST(contract_ids_are_unique), \
	UNIT_TEST(contract_destroy_completes_everything), \
	UNIT_TEST(contract_destroy_with_notices_under_way)
/* clang-format on */

#endif
