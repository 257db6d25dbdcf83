/* SPDX-License-Identifier: MIT */
/* http.h - what a scripted server that speaks HTTP and JSON needs, see server.h */
#ifndef TESTS_HTTP_H
#define TESTS_HTTP_H

#include <stdbool.h>

#define HTTP_ANSWER_MAX 1024

/* http_whole() - head and body of @request have come; for struct server. */
bool http_whole(const char *request);

/* http_answer() - the answer of @status with @body, in @out. */
const char *http_answer(unsigned status, const char *body, char out[HTTP_ANSWER_MAX]);

#endif
