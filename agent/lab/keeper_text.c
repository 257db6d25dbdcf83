/* SPDX-License-Identifier: MIT */
/* keeper_text.c - texts of a real database's node: words in braces, files, what INFO says */
#include "agent/lab/keeper_text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"

/* The word in braces at @text, and what it stands for; NULL if it is none of them. */
static const char *word_at(const char *text, const struct keeper_words *words, size_t *ret_len)
{
	const struct {
		const char *name;
		const char *value;
	} known[] = {{"{dir}", words->dir}, {"{cluster}", words->cluster},
		{"{leader}", words->leader}, {"{name}", words->name}};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		*ret_len = strlen(known[i].name);
		if (known[i].value && strncmp(text, known[i].name, *ret_len) == 0)
			return known[i].value;
	}
	return NULL;
}

char *keeper_expand(const char *text, const struct keeper_words *words)
{
	struct buf out = {0};

	while (*text) {
		size_t plain = strcspn(text, "{");
		const char *value;
		size_t len;

		buf_add(&out, text, plain);
		text += plain;
		if (!*text)
			break;
		value = word_at(text, words, &len);
		if (value)
			buf_add(&out, value, strlen(value));
		else
			buf_u8(&out, (uint8_t)*text);
		text += value ? len : 1;
	}
	buf_u8(&out, '\0');
	return (char *)out.p;
}

char **keeper_argv(char *const *argv, const struct keeper_words *words)
{
	unsigned n = 0;
	char **ret;

	while (argv[n])
		n++;
	ret = calloc(n + 1, sizeof *ret);
	if (!ret)
		abort();
	for (unsigned i = 0; i < n; i++)
		ret[i] = keeper_expand(argv[i], words);
	return ret;
}

void keeper_argv_free(char **argv)
{
	for (char **arg = argv; arg && *arg; arg++)
		free(*arg);
	free(argv);
}

/* The folders that @path stands in. */
static int folders_make(const char *path)
{
	char folder[REAL_WORD_MAX];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		if ((size_t)(slash - path) >= sizeof folder)
			return -ENAMETOOLONG;
		(void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
		if (mkdir(folder, 0700) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int file_write(const char *path, const char *text)
{
	size_t len = strlen(text);
	int rc = folders_make(path);
	int fd;

	if (rc)
		return rc;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < len && !rc;) {
		ssize_t n = write(fd, text + done, len - done);

		rc = n < 0 ? -errno : 0;
		done += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return rc;
}

int keeper_files(
	const struct real_node *node, const struct keeper_words *words, bool first, struct err *err)
{
	for (unsigned i = 0; i < node->files; i++) {
		char *text;
		int rc;

		if (node->once[i] && !first)
			continue;
		text = keeper_expand(node->file[i].text, words);
		rc = file_write(node->file[i].path, text);
		free(text);
		if (rc)
			return err_sys(err, rc, "write %s/%s", words->dir, node->file[i].path);
	}
	return 0;
}

void keeper_info(
	struct buf *out, const struct driver_status *status, unsigned self, uint64_t memory)
{
	struct buf text = {0};

	/* Whatever a driver has put there, a role is one line. */
	buf_printf(&text, "role:%.*s\r\n", (int)strcspn(status->role, "\r\n"), status->role);
	buf_printf(&text, "leader:%d\r\nterm:%" PRIu64 "\r\nready:%d\r\n",
		status->leads ? (int)self : status->leader, status->term, status->ready);
	buf_printf(&text, "memory:%" PRIu64 "\r\n", memory);
	buf_printf(out, "$%zu\r\n", text.len);
	buf_add(out, text.p, text.len);
	buf_add(out, "\r\n", 2);
	buf_fini(&text);
}

const char *keeper_clock_print(int64_t skew_ns, char out[KEEPER_CLOCK_MAX])
{
	uint64_t by = skew_ns < 0 ? -(uint64_t)skew_ns : (uint64_t)skew_ns;

	(void)snprintf(out, KEEPER_CLOCK_MAX, "%c%" PRIu64 ".%09" PRIu64, skew_ns < 0 ? '-' : '+',
		by / (uint64_t)NS_PER_S, by % (uint64_t)NS_PER_S);
	return out;
}
