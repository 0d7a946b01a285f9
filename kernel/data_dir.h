/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_DATA_DIR_H
#define KERNEL_DATA_DIR_H

#include <stddef.h>

/*
 * Makes the directory if it is missing, and locks it for this process. Returns the descriptor that
 * holds the lock, or -1 with one line of reason (which names the pid of a shuntd that has it).
 */
int data_dir_lock(const char *path, char *ret_reason, size_t size);
void data_dir_unlock(int fd);

/* Makes the directories above a file that are missing. 0 or a negative errno. */
int data_dir_make_parents(const char *path);

#endif
