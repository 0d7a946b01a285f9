/* SPDX-License-Identifier: MIT */
/* Commands with a password, which may come from the standard input. */
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "call.h"
#include "formatter.h"
#include "help.h"

/* ---- Reading it ---- */

static struct termios terminal_before; /* of the standard input */

static void terminal_restore(void)
{
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal_before);
}

/* Who breaks off gets the terminal back as it was. */
static void end_by_signal(int number)
{
	terminal_restore();
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

/* Until terminal_restore() nothing that is typed is shown. False: it is no terminal. */
static bool terminal_silence(void)
{
	struct termios silent;

	if (tcgetattr(STDIN_FILENO, &terminal_before) != 0)
		return false;
	(void)signal(SIGINT, end_by_signal);
	(void)signal(SIGTERM, end_by_signal);
	silent = terminal_before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	return true;
}

#define LINE_MAX_SIZE ((size_t)64 << 10)

/* The first line, without its end, which is CR LF in files of other systems. NULL: there is none,
 * or none that ends within the limit: an input without end must not take the machine's memory. */
static char *read_line(bool *ret_is_too_long)
{
	char *line = mem_alloc(LINE_MAX_SIZE), *end;

	*ret_is_too_long = false;
	if (fgets(line, (int)LINE_MAX_SIZE, stdin) == NULL) {
		free(line);
		return NULL;
	}
	end = strchr(line, '\n');
	if (end == NULL && strlen(line) == LINE_MAX_SIZE - 1) {
		*ret_is_too_long = true;
		explicit_bzero(line, LINE_MAX_SIZE);
		free(line);
		return NULL;
	}
	if (end != NULL && end > line && end[-1] == '\r')
		end--;
	if (end != NULL)
		*end = '\0';
	return line;
}

char *secret_read(const struct options *options)
{
	bool is_terminal = terminal_silence();
	bool with_prompt = !options_have(options, OPTION_QUIET) && !options_have(options, OPTION_SILENT);
	bool is_too_long;
	char *line;

	if (with_prompt)
		fputs("Password: ", stdout);
	if (with_prompt && !is_terminal)
		fputc('\n', stdout);
	fflush(stdout);
	line = read_line(&is_too_long);
	if (is_terminal)
		terminal_restore();
	if (with_prompt && is_terminal)
		fputc('\n', stdout); /* the one that was typed was not shown */
	if (line == NULL)
		fprintf(stderr, "Error:\nPassword is %s\n",
			is_too_long ? "too long" : "not provided via argument or stdin");
	return line;
}

void secret_free(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

/* ---- add_user, change_password, authenticate_user ---- */

int password_run(const struct command *command, const struct options *options)
{
	struct command hashed = *command;

	if (options->words[0][0] == '\0' && strcmp(command->name, "add_user") == 0) {
		help_refuse(command, options, "Bad argument: user cannot be an empty string");
		return EXIT_DATA;
	}
	if (!options_have(options, OPTION_PRE_HASHED_PASSWORD))
		return call_run(command, options);
	hashed.parameters = "user hash?";
	hashed.secret = "hash";
	return call_run(&hashed, options);
}

/* ---- hash_password ---- */

#define SALT_SIZE 4
#define DIGEST_SIZE 32

/* RabbitMQ's: base64 of a salt and the SHA-256 of salt and password. 0, or -1. */
static int hash_password(const char *password, char ret_text[4 * ((SALT_SIZE + DIGEST_SIZE + 2) / 3) + 1])
{
	unsigned char hash[SALT_SIZE + DIGEST_SIZE];
	size_t size = strlen(password), digest_size = DIGEST_SIZE;
	unsigned char *salted = mem_alloc(SALT_SIZE + size);
	int result = -1;

	if (getrandom(hash, SALT_SIZE, 0) == SALT_SIZE) {
		memcpy(salted, hash, SALT_SIZE);
		memcpy(salted + SALT_SIZE, password, size);
		if (EVP_Q_digest(NULL, "SHA256", NULL, salted, SALT_SIZE + size, hash + SALT_SIZE, &digest_size) == 1) {
			EVP_EncodeBlock((unsigned char *)ret_text, hash, sizeof(hash));
			result = 0;
		}
	}
	explicit_bzero(salted, SALT_SIZE + size);
	mem_free(salted);
	return result;
}

int hash_password_run(const struct command *command, const struct options *options)
{
	char text[4 * ((SALT_SIZE + DIGEST_SIZE + 2) / 3) + 1];
	char *line = NULL;
	const char *password = options->n_words != 0 ? options->words[0] : NULL;
	int status = EXIT_OK;

	if (password != NULL && *password == '\0') {
		help_refuse(command, options, "Bad argument: password cannot be an empty string");
		return EXIT_DATA;
	}
	if (formatter_wants_banner(options))
		puts("Will hash provided password");
	if (password == NULL)
		password = line = secret_read(options);
	if (password == NULL) {
		status = EXIT_DATA;
	} else if (hash_password(password, text) != 0) {
		fputs("Error:\nthe hash cannot be made\n", stderr);
		status = EXIT_SOFTWARE;
	} else {
		output_message(options, text);
	}
	secret_free(line);
	return status;
}
