/* SPDX-License-Identifier: MIT */
/* words_fuzz.c - a link's faults in words: refused in one line, or a state that reads back the same
 */
#include <assert.h>
#include <string.h>

#include "netns/link_words.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[2 * LINK_WORDS_TEXT_MAX];
	char out[LINK_WORDS_TEXT_MAX];
	struct link_state state = {0};
	struct link_state back = {0};
	struct err err = {0};

	if (size >= sizeof text)
		size = sizeof text - 1;
	memcpy(text, data, size);
	text[size] = '\0';
	if (link_words_parse(text, &state, &err)) {
		assert(err.status == EXIT_USAGE && err.text[0]);
		assert(link_state_same(&state, &back));
		return 0;
	}
	assert(!link_words_check(&state, NULL));
	assert(!link_words_parse(link_words_print(&state, out), &back, NULL));
	assert(link_state_same(&state, &back));
	return 0;
}
