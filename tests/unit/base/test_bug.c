/* SPDX-License-Identifier: MIT */
#include "base/bug.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"

/* What a child says on standard error before it ends. Returns its wait status. */
static int run_child(int value, char *ret_text, size_t size)
{
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	pid_t pid = fork();
	CU_ASSERT_TRUE_FATAL(pid >= 0);
	if (pid == 0) {
		(void)dup2(fds[1], STDERR_FILENO);
		bug_on(value > 3);
		_exit(0);
	}
	(void)close(fds[1]);
	ssize_t n = read(fds[0], ret_text, size - 1);
	ret_text[n > 0 ? n : 0] = '\0';
	(void)close(fds[0]);
	int status = 0;
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	return status;
}

static void stops_with_place_and_expression(void)
{
	char text[256];
	int status = run_child(4, text, sizeof(text));

#ifdef SHUNT_ABORT_ON_BUG
	CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
#else
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 70);
#endif
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "test_bug.c:"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "value > 3"));
}

static void goes_on_if_all_is_well(void)
{
	char text[256];
	int status = run_child(3, text, sizeof(text));

	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CU_ASSERT_STRING_EQUAL(text, "");
}

UNIT_MAIN("bug", UNIT_TEST(stops_with_place_and_expression), UNIT_TEST(goes_on_if_all_is_well))
