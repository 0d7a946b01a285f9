/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/vhosts.h"
#include "admin_fixture.h"
#include "store/disk.h"
#include "store/fields.h"

#include "../unit.h"

#define HASH "kyGY7uG7IJ8AmlSxfOKjav1EoeIKy04wvJxcDLecSkFzqUld"

/* What is there before: some of it is what `all` changes. */
static const char some[] =
	"{\"vhosts\":[{\"name\":\"v\",\"description\":\"old\"}],"
	"\"users\":[{\"name\":\"u\",\"tags\":\"old\",\"password_hash\":\"" HASH "\"}],"
	"\"permissions\":[{\"user\":\"u\",\"vhost\":\"v\",\"configure\":\"old\",\"write\":\"\",\"read\":\"\"}],"
	"\"topic_permissions\":[{\"user\":\"u\",\"vhost\":\"v\",\"exchange\":\"x\",\"write\":\"old\",\"read\":\"\"}],"
	"\"policies\":[{\"vhost\":\"v\",\"name\":\"p\",\"pattern\":\"old\",\"definition\":{\"a\":1}}],"
	"\"queues\":[{\"vhost\":\"v\",\"name\":\"q\",\"durable\":true,\"auto_delete\":false}],"
	"\"bindings\":[{\"vhost\":\"v\",\"source\":\"amq.direct\",\"destination\":\"q\",\"destination_type\":\"queue\","
	"\"routing_key\":\"old\"}]}";

static const char all[] =
	"{\"vhosts\":[{\"name\":\"v\",\"description\":\"new\"},{\"name\":\"w\",\"tags\":[\"a\",\"b\"]}],"
	"\"users\":[{\"name\":\"u\",\"tags\":\"new\",\"password_hash\":\"\"},{\"name\":\"u2\",\"tags\":[],"
	"\"limits\":{\"max-channels\":7}}],"
	"\"permissions\":[{\"user\":\"u\",\"vhost\":\"v\",\"configure\":\"new\",\"write\":\"\",\"read\":\"\"},"
	"{\"user\":\"u2\",\"vhost\":\"w\",\"configure\":\"\",\"write\":\"\",\"read\":\"\"}],"
	"\"topic_permissions\":[{\"user\":\"u\",\"vhost\":\"v\",\"exchange\":\"x\",\"write\":\"new\",\"read\":\"\"},"
	"{\"user\":\"u2\",\"vhost\":\"v\",\"exchange\":\"x\",\"write\":\"\",\"read\":\"\"}],"
	"\"parameters\":[{\"vhost\":\"w\",\"component\":\"vhost-limits\",\"name\":\"limits\",\"value\":"
	"{\"max-queues\":5}},{\"vhost\":\"v\",\"component\":\"operator_policy\",\"name\":\"o\",\"value\":"
	"{\"pattern\":\"\",\"definition\":[[\"expires\",9]]}}],"
	"\"global_parameters\":[{\"name\":\"g\",\"value\":[1]}],"
	"\"policies\":[{\"vhost\":\"v\",\"name\":\"p\",\"pattern\":\"new\",\"definition\":{\"a\":1}}],"
	"\"exchanges\":[{\"vhost\":\"v\",\"name\":\"e\",\"type\":\"direct\",\"durable\":true,\"auto_delete\":false},"
	"{\"vhost\":\"w\",\"name\":\"e\",\"type\":\"fanout\",\"durable\":true,\"auto_delete\":false}],"
	"\"queues\":[{\"vhost\":\"v\",\"name\":\"q\",\"durable\":true,\"auto_delete\":true},"
	"{\"vhost\":\"v\",\"name\":\"q2\",\"durable\":true,\"auto_delete\":false,\"arguments\":{\"x-expires\":60000}},"
	"{\"vhost\":\"w\",\"name\":\"q\",\"durable\":true,\"auto_delete\":false}],"
	"\"bindings\":[{\"vhost\":\"v\",\"source\":\"amq.direct\",\"destination\":\"q\",\"destination_type\":\"queue\","
	"\"routing_key\":\"new\"},{\"vhost\":\"v\",\"source\":\"e\",\"destination\":\"q2\",\"destination_type\":\"queue\","
	"\"routing_key\":\"k\"},{\"vhost\":\"w\",\"source\":\"e\",\"destination\":\"e\",\"destination_type\":"
	"\"exchange\",\"routing_key\":\"\"}]}";

static void begin_with_some(void)
{
	admin_begin(2);
	CU_ASSERT_EQUAL_FATAL(import_text(some), 0);
	CU_ASSERT_EQUAL(count_keys("import/"), 0);
}

/* The exports of both, which are the same each time; the caller's. Returns how many commits the import makes. */
static size_t states(char **ret_before, char **ret_after)
{
	size_t n;

	begin_with_some();
	*ret_before = export_text();
	fail_commit(0, false);
	CU_ASSERT_EQUAL_FATAL(import_text(all), 0);
	n = n_commits;
	*ret_after = export_text();
	CU_ASSERT_STRING_NOT_EQUAL(*ret_before, *ret_after);
	return n;
}

static void everything_is_imported(void)
{
	char *before, *after;

	(void)states(&before, &after);
	CU_ASSERT_PTR_NOT_NULL(strstr(after, "[\"users\",{\"hashing_algorithm\":\"rabbit_password_hashing_sha256\","
					     "\"limits\":{\"max-channels\":7},\"name\":\"u2\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(after, "\"max-queues\":5"));
	CU_ASSERT_PTR_NOT_NULL(strstr(after, "\"definition\":{\"expires\":9}"));
	/* what was there stays as it was */
	CU_ASSERT_PTR_NOT_NULL(strstr(after, "[\"queues\",{\"arguments\":{},\"auto_delete\":false,\"durable\":true,"
					     "\"name\":\"q\",\"type\":\"classic\",\"vhost\":\"v\"}]"));
	CU_ASSERT_EQUAL(count_keys("import/"), 0);
	admin_restart();
	CU_ASSERT_FALSE(import_is_pending(admin));
	assert_export(after);
	/* once more changes nothing */
	CU_ASSERT_EQUAL(import_text(all), 0);
	assert_export(after);
	mem_free(before);
	mem_free(after);
	admin_finish();
}

/* One commit fails, whichever it is: then nothing of it is there, nor after a restart. */
static void undone_when_a_commit_fails(void)
{
	char *before, *after;
	size_t n = states(&before, &after), n_undone = 0;

	admin_finish();
	CU_ASSERT_TRUE(n > 10);
	for (size_t i = 1; i <= n; i++) {
		begin_with_some();
		fail_commit(i, false);
		bool has_failed = import_text(all) != 0;

		fail_commit(0, false);
		if (has_failed)
			CU_ASSERT_EQUAL(imported.result, -EIO);
		n_undone += has_failed;
		assert_export(has_failed ? before : after);
		admin_restart();
		/* that it has ended could not be stored: it is done again, to the same end */
		if (import_is_pending(admin)) {
			CU_ASSERT_FALSE(has_failed);
			CU_ASSERT_EQUAL(import_again(), 0);
		}
		assert_export(has_failed ? before : after);
		admin_finish();
	}
	CU_ASSERT_TRUE(n_undone >= n - 2); /* all but the last ones, which cross it out */
	mem_free(before);
	mem_free(after);
}

/* Nothing is stored from some commit on, as if the process had ended there. */
static void done_again_after_a_crash(void)
{
	char *before, *after;
	size_t n = states(&before, &after), n_again = 0;

	admin_finish();
	for (size_t i = 1; i <= n; i++) {
		begin_with_some();
		fail_commit(i, true);
		(void)import_text(all);
		admin_restart();
		if (import_is_pending(admin)) {
			CU_ASSERT_EQUAL(import_again(), 0);
			assert_export(after);
			n_again++;
		} else if (i < n - 1) {
			assert_export(before);
		} else {
			assert_export(after);
		}
		CU_ASSERT_FALSE(import_is_pending(admin));
		admin_restart();
		CU_ASSERT_FALSE(import_is_pending(admin));
		/* what may be left of it in the store goes with the next one */
		CU_ASSERT_EQUAL(import_text(all), 0);
		CU_ASSERT_EQUAL(count_keys("import/"), 0);
		assert_export(after);
		admin_finish();
	}
	CU_ASSERT_TRUE(n_again > 10);
	mem_free(before);
	mem_free(after);
}

/* The exchange's type refuses a binding, when everything before it is done. */
static void undone_when_a_binding_is_refused(void)
{
	static const char bad[] = "\"routing_key\":\"bad\"";
	char *before, *after, *text = mem_strdup(all), *key;

	(void)states(&before, &after);
	admin_finish();
	begin_with_some();
	key = strstr(text, "\"routing_key\":\"new\"");
	CU_ASSERT_PTR_NOT_NULL_FATAL(key);
	memcpy(key, bad, sizeof(bad) - 1);
	CU_ASSERT_EQUAL(import_text(text), -EINVAL);
	CU_ASSERT_STRING_EQUAL(imported.reason, "bindings[0]: PRECONDITION_FAILED - bad key");
	assert_export(before);
	CU_ASSERT_EQUAL(count_keys("import/"), 0);
	mem_free(text);
	mem_free(before);
	mem_free(after);
	admin_finish();
}

/* Refused by the last step, with a crash anywhere, also while it is undone: it is given up at the
 * next start, which would be refused for ever otherwise. */
static void given_up_when_refused_after_a_crash(void)
{
	static const char bad[] = "\"routing_key\":\"bad\"";
	char *before, *after, *text = mem_strdup(all),
			      *key = strstr(text, "\"routing_key\":\"new\"");
	size_t n = states(&before, &after), n_given_up = 0;

	admin_finish();
	CU_ASSERT_PTR_NOT_NULL_FATAL(key);
	memcpy(key, bad, sizeof(bad) - 1);
	for (size_t i = 1; i <= n; i++) {
		begin_with_some();
		fail_commit(i, true);
		CU_ASSERT_NOT_EQUAL(import_text(text), 0);
		admin_restart();
		if (import_is_pending(admin)) {
			CU_ASSERT_EQUAL(import_again(), -EINVAL);
			CU_ASSERT_PTR_NOT_NULL(strstr(
				imported.reason,
				"bindings[0]: PRECONDITION_FAILED - bad key; what was done"));
			CU_ASSERT_EQUAL(count_keys("import/"), 0);
			n_given_up++;
		}
		admin_restart();
		CU_ASSERT_FALSE(import_is_pending(admin));
		admin_finish();
	}
	CU_ASSERT_TRUE(n_given_up > 10);
	mem_free(text);
	mem_free(before);
	mem_free(after);
}

/* ---- Damage ---- */

static void put_fields(const char *key, uint8_t kind, uint8_t field, struct slice bytes, uint64_t n_pieces)
{
	struct buffer value;

	buffer_init(&value);
	fields_begin(&value, kind);
	fields_put(&value, field, bytes);
	fields_put_number(&value, 4, n_pieces);
	put(slice_cstr(key), buffer_slice(&value));
	buffer_fini(&value);
}

static void put_piece(const char *key, const char *text)
{
	put_fields(key, 'I', 5, slice_cstr(text), 0);
}

/* The one file of the folder that ends so; removed. */
static void expect_copy(const char *folder, const char *ending, const char *expected)
{
	char path[300] = "", text[300] = "";
	DIR *dir = opendir(folder);
	struct dirent *entry;
	FILE *file;

	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir)) != NULL)
		if (strstr(entry->d_name, ending))
			(void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
	closedir(dir);
	file = fopen(path, "re");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	CU_ASSERT_STRING_EQUAL(text, expected);
	CU_ASSERT_EQUAL(unlink(path), 0);
}

static void remove_all(const char *folder)
{
	char path[300];
	DIR *dir = opendir(folder);
	struct dirent *entry;

	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.')
			CU_ASSERT_EQUAL(unlink(path), 0);
	}
	closedir(dir);
}

static void pending_cannot_be_read(void)
{
	put(SLICE_LITERAL("import/pending"), SLICE_LITERAL("scrambled"));
	put_piece("import/piece/00000000", "{one");
	put_piece("import/piece/00000001", "two}");
}

static void piece_cannot_be_read(void)
{
	put_fields("import/pending", 'i', 2, SLICE_LITERAL("somebody"), 2);
	put_piece("import/piece/00000000", "{one");
	put(SLICE_LITERAL("import/piece/00000001"), SLICE_LITERAL("scrambled"));
}

static void piece_is_missing(void)
{
	put_fields("import/pending", 'i', 2, SLICE_LITERAL("somebody"), 2);
	put_piece("import/piece/00000001", "two}");
}

/* It keeps nobody from starting: what there is of it is copied, and then it is pending no more. */
static void damaged_is_copied_and_given_up(void)
{
	static const struct {
		void (*damage)(void);
		const char *file, *pending;
	} cases[] = {
		{pending_cannot_be_read, "{onetwo}", "scrambled"},
		{piece_cannot_be_read, "{onescrambled", "\1i\2"},
		{piece_is_missing, "two}", "\1i\2"},
	};
	char parent[] = "/tmp/shunt-import-XXXXXX", folder[64];
	char *before;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(parent));
	(void)snprintf(folder, sizeof(folder), "%s/damaged", parent);
	damaged_folder = folder;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin_with_some();
		before = export_text();
		cases[i].damage();
		admin_restart();
		CU_ASSERT_TRUE(import_is_pending(admin));
		expect_copy(folder, ".json", cases[i].file);
		expect_copy(folder, ".pending", cases[i].pending);
		CU_ASSERT_EQUAL(import_again(), -EBADMSG);
		CU_ASSERT_TRUE(import_is_refusal(imported.result));
		CU_ASSERT_PTR_NOT_NULL(strstr(imported.reason, "it is damaged: what there is of its file is copied to /tmp/"));
		CU_ASSERT_EQUAL(count_keys("import/"), 0);
		assert_export(before);
		admin_restart();
		CU_ASSERT_FALSE(import_is_pending(admin));
		mem_free(before);
		admin_finish();
	}
	CU_ASSERT_EQUAL(rmdir(folder) | rmdir(parent), 0);
	damaged_folder = "/no/such/folder";
}

/* Nothing is given up that could not be copied. */
static void damaged_that_cannot_be_copied_refuses_the_start(void)
{
	char folder[] = "/tmp/shunt-import-XXXXXX";
	struct admin *other = NULL;
	unsigned n;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	begin_with_some();
	piece_cannot_be_read();
	disk_fault_watch();
	CU_ASSERT_EQUAL_FATAL(admin_create(broker, access_door, store, folder, &other, reason, sizeof(reason)), 0);
	n = disk_fault_count();
	CU_ASSERT_TRUE(n >= 10);
	admin_end(other);
	admin_destroy(other);
	expect_copy(folder, ".json", "{onescrambled");
	expect_copy(folder, ".pending", "\1i\2");
	for (unsigned i = 1; i <= n; i++) {
		disk_fault_at(i, ENOSPC, false);
		CU_ASSERT_EQUAL(admin_create(broker, access_door, store, folder, &other, reason, sizeof(reason)), -1);
		disk_fault_off();
		CU_ASSERT_STRING_EQUAL(reason, "cannot bring back an import of definitions that was cut off, nor copy it, as it "
					       "is damaged: No space left on device");
		CU_ASSERT_EQUAL(count_keys("import/"), 3);
		remove_all(folder);
	}
	CU_ASSERT_EQUAL(rmdir(folder), 0);
	admin_finish();
}

/* ---- Meanwhile ---- */

static bool is_deleted;

static void vhost_deleted(struct vhost_change *change)
{
	CU_ASSERT_EQUAL(change->result, 0);
	is_deleted = true;
}

static struct vhost_change deletion = {.operation = VHOST_DELETE,
				       .name = SLICE_LITERAL("v"),
				       .settings = VHOST_SETTINGS_NONE,
				       .done = vhost_deleted};

/* When the users are on their way: behind the looking, before what is in the vhost. */
static void delete_at_the_third_commit(struct store *s, struct store_commit *commit)
{
	static const struct audit_actor actor = {SLICE_LITERAL("tester"), SLICE_LITERAL("test")};

	failing_store_commit(s, commit);
	if (n_commits == 3)
		admin_change_vhost(admin, &deletion, &actor);
}

/* What the file says of it is not left for the next vhost of that name. */
static void vhost_is_deleted_meanwhile(void)
{
	static const char *const texts[] = {
		"\"permissions\":[{\"user\":\"u3\",\"vhost\":\"v\",\"configure\":\"\",\"write\":"
		"\"\",\"read\":\"\"}]",
		"\"topic_permissions\":[{\"user\":\"u3\",\"vhost\":\"v\",\"exchange\":\"x\","
		"\"write\":\"\",\"read\":\"\"}]",
		"\"policies\":[{\"vhost\":\"v\",\"name\":\"p\",\"pattern\":\"\",\"definition\":{"
		"\"a\":1}}]"};
	char text[400];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		(void)snprintf(text, sizeof(text), "{\"users\":[{\"name\":\"u3\",\"tags\":[]}],%s}",
			       texts[i]);
		begin_with_some();
		fail_commit(0, false);
		is_deleted = false;
		store_ops.commit = delete_at_the_third_commit;
		CU_ASSERT_EQUAL(import_text(text), -EINVAL);
		CU_ASSERT_PTR_NOT_NULL(
			strstr(imported.reason, "[0]: Virtual host 'v' does not exist"));
		wait_until(&is_deleted);
		CU_ASSERT_EQUAL(count_keys("permission/") + count_keys("topic-permission/") +
					count_keys("parameter/"),
				0);
		admin_finish();
	}
}

static void user_deleted(struct access_edits *edits)
{
	CU_ASSERT_EQUAL(edits->result, 0);
	is_deleted = true;
}

static struct access_edit user_deletion[2];
static struct access_edits user_deletions = {.items = user_deletion, .n = 2, .done = user_deleted};

/* When the users are there, and the queue is on its way. */
static void delete_at_the_fourth_commit(struct store *s, struct store_commit *commit)
{
	failing_store_commit(s, commit);
	if (n_commits == 4)
		access_edit(access_door, &user_deletions);
}

/* What somebody has deleted meanwhile stays so, and the rest is undone all the same. */
static void users_are_deleted_meanwhile(void)
{
	static const char text[] =
		"{\"users\":[{\"name\":\"u\",\"tags\":\"new\"},{\"name\":\"u3\",\"tags\":[]},"
		"{\"name\":\"u4\",\"tags\":[]}],\"queues\":[{\"vhost\":\"v\",\"name\":\"q3\","
		"\"durable\":true,"
		"\"auto_delete\":false}],\"bindings\":[{\"vhost\":\"v\",\"source\":\"amq.direct\","
		"\"destination\":\"q3\","
		"\"destination_type\":\"queue\",\"routing_key\":\"bad\"}]}";
	struct account_view found;

	begin_with_some();
	fail_commit(0, false);
	user_deletion[0] = (struct access_edit){.kind = ACCESS_DELETE_USER,
						.account.name = SLICE_LITERAL("u")};
	user_deletion[1] = (struct access_edit){.kind = ACCESS_DELETE_USER,
						.account.name = SLICE_LITERAL("u3")};
	is_deleted = false;
	store_ops.commit = delete_at_the_fourth_commit;
	CU_ASSERT_EQUAL(import_text(text), -EINVAL);
	CU_ASSERT_STRING_EQUAL(imported.reason, "bindings[0]: PRECONDITION_FAILED - bad key");
	CU_ASSERT_TRUE(is_deleted);
	CU_ASSERT_FALSE(access_find_account(access_door, SLICE_LITERAL("u"), &found));
	CU_ASSERT_FALSE(access_find_account(access_door, SLICE_LITERAL("u3"), &found));
	CU_ASSERT_FALSE(access_find_account(access_door, SLICE_LITERAL("u4"), &found));
	CU_ASSERT_EQUAL(count_keys("user/"), 0);
	admin_finish();
}

static bool second_is_done;

static void second_done(struct import *import)
{
	CU_ASSERT_EQUAL(import->result, -EBUSY);
	second_is_done = true;
}

static void one_at_a_time(void)
{
	struct import second = {.size = 2, .done = second_done};

	admin_begin(1);
	prepare_import();
	imported.size = sizeof(some) - 1;
	imported.text = mem_strdup(some);
	import_submit(&imported);
	second.admin = admin;
	second.text = mem_strdup("{}");
	second_is_done = false;
	import_submit(&second);
	CU_ASSERT_FALSE(second_is_done);
	wait_until(&second_is_done);
	CU_ASSERT_EQUAL(finish_import(), 0);
	admin_finish();
}

/* What is named has to be there, in the file or in the broker. */
static void references(void)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"{\"queues\":[{\"vhost\":\"no\",\"name\":\"q\",\"durable\":true,\"auto_delete\":false}]}",
		 "queues[0].vhost: Virtual host 'no' does not exist"},
		{"{\"permissions\":[{\"vhost\":\"/\",\"user\":\"no\",\"configure\":\"\",\"write\":\"\",\"read\":\"\"}]}",
		 "permissions[0].user: User 'no' does not exist"},
		{"{\"exchanges\":[{\"vhost\":\"/\",\"name\":\"e\",\"type\":\"no\",\"durable\":true,"
		 "\"auto_delete\":false}]}",
		 "exchanges[0].type: unknown exchange type 'no'"},
		{"{\"exchanges\":[{\"vhost\":\"/\",\"name\":\"e\",\"type\":\"picky\",\"durable\":true,"
		 "\"auto_delete\":false}]}",
		 "exchanges[0]: PRECONDITION_FAILED - picky"},
	};

	admin_begin(1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fail_commit(0, false);
		CU_ASSERT_EQUAL(import_text(cases[i].text), -EINVAL);
		CU_ASSERT_STRING_EQUAL(imported.reason, cases[i].says);
		CU_ASSERT_EQUAL(n_commits, 0);
	}
	admin_finish();
}

/* It ends while one is under way: that one is told so, and is done at the next start. */
static void ended_meanwhile(void)
{
	admin_begin(2);
	prepare_import();
	imported.size = sizeof(some) - 1;
	imported.text = mem_strdup(some);
	import_submit(&imported);
	admin_stop();
	CU_ASSERT_TRUE(import_is_done);
	CU_ASSERT_EQUAL(imported.result, -ECANCELED);
	buffer_fini(&imported.warnings);
	CU_ASSERT_EQUAL_FATAL(start("/"), 0);
	admin_start();
	CU_ASSERT_EQUAL(import_text(some), 0);
	admin_finish();
}

UNIT_MAIN("import", UNIT_TEST(everything_is_imported), UNIT_TEST(undone_when_a_commit_fails),
	  UNIT_TEST(done_again_after_a_crash), UNIT_TEST(undone_when_a_binding_is_refused),
	  UNIT_TEST(given_up_when_refused_after_a_crash), UNIT_TEST(damaged_is_copied_and_given_up),
	  UNIT_TEST(damaged_that_cannot_be_copied_refuses_the_start), UNIT_TEST(vhost_is_deleted_meanwhile),
	  UNIT_TEST(users_are_deleted_meanwhile), UNIT_TEST(one_at_a_time), UNIT_TEST(references),
	  UNIT_TEST(ended_meanwhile))
