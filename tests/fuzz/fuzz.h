/* SPDX-License-Identifier: MIT */
/* fuzz.h - what a fuzz target defines, one in each *_fuzz.c; tests/fuzz/main.c or libFuzzer calls
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Take any bytes and return 0; a crash, a sanitizer's report or a failed assert is a finding. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
