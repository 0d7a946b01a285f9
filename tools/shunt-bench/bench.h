/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_BENCH_H
#define TOOLS_SHUNT_BENCH_BENCH_H

#include <stdio.h>

/* The whole program, but for signals: returns the exit status. Figures go to `out`. */
int bench_main(int argc, char **argv, FILE *out, FILE *err);

#endif
