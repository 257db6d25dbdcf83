/* SPDX-License-Identifier: MIT */
/* watch_fuzz.c - what a lab tells `pacelab watch`: whatever was read can be drawn, and fits */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cmd/watch_draw.h"
#include "tests/fuzz/fuzz.h"

static void draw(const struct watch_lab *lab, struct look look)
{
	const struct watch_picture picture = {.view = lab, .before = lab, .now_ns = lab->t_ns};
	struct canvas canvas;
	const char *text;
	unsigned lines = 0;

	canvas_init(&canvas, &look);
	watch_draw(&canvas, &picture);
	for (text = canvas_text(&canvas); *text; lines++) {
		size_t len = strcspn(text, "\n");

		assert(text[len] == '\n' && term_width(text, len) < look.columns);
		text += len + 1;
	}
	assert(lines <= look.rows);
	canvas_fini(&canvas);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct watch_lab lab;
	char *json = calloc(1, size + 1);
	struct err err;

	assert(json);
	if (size > 0)
		memcpy(json, data, size);
	if (watch_read(json, &lab, &err) == 0) {
		draw(&lab, (struct look){.columns = 80, .rows = 24, .utf8 = true});
		draw(&lab, (struct look){.columns = 37, .rows = 17, .colour = true});
		draw(&lab, (struct look){.columns = 200, .rows = 300});
	}
	free(json);
	return 0;
}
