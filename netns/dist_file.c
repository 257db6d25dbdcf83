/* SPDX-License-Identifier: MIT */
/* dist_file.c - distributions from text files: delays that were measured, and iproute2's tables */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "netns/dist.h"
#include "netns/link_state.h"

#define REPLAY "replay:"
#define WHITE " \t\r"
#define SHAPE_BITS 13 /* 8192 to the unit */

/* Return: the whole file with a NUL behind it, owned by the caller; NULL with @err. */
static char *slurp(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *text = NULL;
	size_t len = 0;

	if (fd < 0) {
		(void)err_usage(err, "%s", strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > DIST_FILE_MAX)
		(void)err_usage(err, "not a file, or larger than %u MiB", DIST_FILE_MAX >> 20);
	else
		text = malloc((size_t)st.st_size + 1);
	while (text && len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	if (text) {
		text[len] = 0;
		if (strlen(text) == len)
			return text;
		free(text);
		(void)err_usage(err, "there is a NUL byte in it: a text file is needed");
	}
	return NULL;
}

static int parse_shape(const char *word, int64_t *ret, struct err *err)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(word, &end, 10);
	if (errno || end == word || *end || value < INT16_MIN || value > INT16_MAX)
		return err_usage(
			err, "'%.32s': an integer from -32768 to 32767 is needed in a shape", word);
	*ret = value * (1 << (DIST_UNIT_BITS - SHAPE_BITS));
	return 0;
}

static int parse_delay(const char *word, int64_t *ret, struct err *err)
{
	uint64_t ns;

	if (strlen(word) > 32 || units_parse_duration(word, &ns, NULL) || ns > LINK_DELAY_NS_MAX)
		return err_usage(err, "'%.32s': a delay from 0 to %llu s like 1.5ms is needed",
			word, (unsigned long long)(LINK_DELAY_NS_MAX / NS_PER_S));
	*ret = (int64_t)ns;
	return 0;
}

/* An integer without a unit. */
static bool is_number(const char *word)
{
	size_t sign = *word == '-';

	return word[sign] && strspn(word + sign, "0123456789") == strlen(word + sign);
}

static int parse_line(char *line, struct dist_values *v, bool *decided, struct err *err)
{
	char *save = NULL;
	unsigned words = 0;

	for (char *word = strtok_r(line, WHITE, &save); word; word = strtok_r(NULL, WHITE, &save)) {
		int64_t *value = &v->value[v->count];
		int code;

		if (v->count == DIST_VALUES_MAX)
			return err_usage(err, "there are more than %u values", DIST_VALUES_MAX);
		if (!*decided)
			v->shape = is_number(word);
		*decided = true;
		if (!v->shape && ++words > 1)
			return err_usage(err, "'%.32s': one delay stands on a line", word);
		code = v->shape ? parse_shape(word, value, err) : parse_delay(word, value, err);
		if (code)
			return code;
		v->count++;
	}
	return 0;
}

static int parse_text(char *text, struct dist_values *v, unsigned *ret_line, struct err *err)
{
	bool decided = false;

	for (unsigned line = 1; *text; line++) {
		size_t len = strcspn(text, "\n");
		bool last = text[len] == 0;

		text[len] = 0;
		*ret_line = line;
		if (text[0] != '#' && parse_line(text, v, &decided, err))
			return -EINVAL;
		text += len + !last;
	}
	*ret_line = 0;
	if (v->replay && v->shape)
		return err_usage(err, "a shape cannot be replayed: delays with a unit are needed");
	if (v->count < 2)
		return err_usage(err, "there are %u values in it: 2 to %u are needed", v->count,
			DIST_VALUES_MAX);
	return 0;
}

/* The file's name without directory and ending. */
static int name_of(const char *path, bool replay, char *ret, struct err *err)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	const char *dot = strrchr(base, '.');
	size_t len = dot && dot > base ? (size_t)(dot - base) : strlen(base);
	size_t at = replay ? strlen(REPLAY) : 0;

	if (len == 0 || at + len >= DIST_NAME_MAX || memchr(base, ':', len))
		return err_usage(err, "its name without ending must have 1 to %zu bytes and no ':'",
			DIST_NAME_MAX - 1 - strlen(REPLAY));
	memcpy(ret, REPLAY, at);
	memcpy(ret + at, base, len);
	ret[at + len] = 0;
	return 0;
}

int dist_load_file(const char *path, struct err *err)
{
	struct dist_values *v = calloc(1, sizeof *v);
	char name[DIST_NAME_MAX];
	unsigned line = 0;
	char *text = NULL;
	int code;

	if (!v)
		return err_sys(err, -ENOMEM, "distribution '%s'", path);
	v->replay = strncmp(path, REPLAY, strlen(REPLAY)) == 0;
	path += v->replay ? strlen(REPLAY) : 0;
	code = name_of(path, v->replay, name, err);
	if (!code) {
		text = slurp(path, err);
		code = text ? parse_text(text, v, &line, err) : -EINVAL;
	}
	if (!code)
		code = dist_add(name, v, err);
	free(text);
	free(v);
	if (code >= 0)
		return code;
	if (line)
		(void)err_wrap(err, "%s:%u", path, line);
	else
		(void)err_wrap(err, "%s", path);
	return code;
}
