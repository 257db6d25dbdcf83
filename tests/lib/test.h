/* SPDX-License-Identifier: MIT */
/* test.h - cmocka and the headers that it wants before it, in the order that it wants */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
