/* SPDX-License-Identifier: MIT */
/* http.c - what a scripted server that speaks HTTP and JSON needs */
#include "tests/lib/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool http_whole(const char *request)
{
	static const char length[] = "Content-Length: ";
	const char *end = strstr(request, "\r\n\r\n");
	const char *at = strstr(request, length);

	return end && (!at || strlen(end + 4) >= strtoul(at + sizeof length - 1, NULL, 10));
}

const char *http_answer(unsigned status, const char *body, char out[HTTP_ANSWER_MAX])
{
	if (status == 204)
		(void)snprintf(out, HTTP_ANSWER_MAX, "HTTP/1.1 204 X\r\n\r\n");
	else
		(void)snprintf(out, HTTP_ANSWER_MAX,
			"HTTP/1.1 %u X\r\nContent-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			status, strlen(body), body);
	return out;
}
