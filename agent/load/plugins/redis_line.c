/* SPDX-License-Identifier: MIT */
/* redis_line.c - a connection of the driver for Redis, questions over it, and what INFO answers */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/load/plugins/redis_internal.h"

const char *const redis_ask_replication[] = {"INFO", "replication", NULL};

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void redis_aim(struct redis_line *l, uint32_t addr_be, uint16_t port)
{
	resp_link_hang_up(&l->link);
	l->link.addr = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = addr_be, .sin_port = htons(port)};
	l->asked = false;
}

void redis_hang_up(struct redis_line *l)
{
	resp_link_hang_up(&l->link);
	l->asked = false;
}

/* Has what is under way lasted too long? */
static bool late(const struct redis_line *l)
{
	return (l->asked || l->link.state == RESP_LINK_CONNECTING) && clock_now_ns() >= l->until_ns;
}

/* An attempt that takes too long is begun again: the kernel waits ever longer between two SYNs. */
bool redis_be_open(struct redis_line *l, uint64_t deadline_ns)
{
	if (late(l))
		redis_hang_up(l);
	if (l->link.state == RESP_LINK_CLOSED)
		l->until_ns = clock_now_ns() + REDIS_PATIENCE_NS;
	return resp_link_open(&l->link, deadline_ns);
}

static void add_word(struct buf *out, const void *p, size_t len)
{
	buf_printf(out, "$%zu\r\n", len);
	buf_add(out, p, len);
	buf_add(out, "\r\n", 2);
}

void redis_add_request(
	struct buf *out, unsigned words, const char *const word[], const struct buf *text)
{
	buf_printf(out, "*%u\r\n", words + (text ? 1 : 0));
	for (unsigned i = 0; i < words; i++)
		add_word(out, word[i], strlen(word[i]));
	if (text)
		add_word(out, text->p, text->len);
}

int redis_parse(const struct buf *in, size_t at, struct resp_answer *ret)
{
	return in->len > at ? resp_answer_parse((const char *)in->p + at, in->len - at, ret) : 0;
}

/* Return: whether the whole question is on its way. */
static bool put_question(
	struct redis *r, struct redis_line *l, const char *const word[], uint64_t deadline_ns)
{
	unsigned words = 0;

	while (word[words])
		words++;
	r->out.len = 0;
	redis_add_request(&r->out, words, word, NULL);
	l->link.in.len = 0;
	l->until_ns = clock_now_ns() + REDIS_PATIENCE_NS;
	(void)resp_link_send(&l->link, r->out.p, r->out.len, deadline_ns, &l->asked);
	return l->asked;
}

int redis_question(struct redis *r, struct redis_line *l, const char *const word[],
	uint64_t deadline_ns, struct resp_answer *ret)
{
	if (late(l))
		return -ETIMEDOUT;
	if (l->link.state == RESP_LINK_CLOSED)
		l->until_ns = clock_now_ns() + REDIS_PATIENCE_NS;
	if (!resp_link_open(&l->link, earlier(deadline_ns, l->until_ns))) {
		if (l->link.state == RESP_LINK_CLOSED)
			return -ECONNREFUSED;
		return late(l) ? -ETIMEDOUT : 0;
	}
	if (!l->asked && !put_question(r, l, word, deadline_ns))
		return -ECONNRESET;
	for (;;) {
		int used = redis_parse(&l->link.in, 0, ret);
		ssize_t n;

		if (used != 0) {
			l->asked = false;
			return used > 0 && (size_t)used == l->link.in.len ? 1 : -EBADMSG;
		}
		n = resp_link_receive(&l->link, earlier(deadline_ns, l->until_ns));
		if (n == -EAGAIN)
			return late(l) ? -ETIMEDOUT : 0;
		if (n <= 0)
			return -ECONNRESET;
	}
}

const char *redis_field(const struct resp_answer *info, const char *name, char out[REDIS_TEXT_MAX])
{
	const char *p = info->text, *end = p + info->len;
	size_t len = strlen(name);

	out[0] = '\0';
	while (p < end) {
		const char *next = memchr(p, '\n', (size_t)(end - p));
		size_t line = (size_t)((next ? next : end) - p);

		if (line > len && p[len] == ':' && memcmp(p, name, len) == 0) {
			(void)snprintf(
				out, REDIS_TEXT_MAX, "%.*s", (int)(line - len - 1), p + len + 1);
			out[strcspn(out, "\r")] = '\0';
			break;
		}
		p = next ? next + 1 : end;
	}
	return out;
}

bool redis_is(const struct resp_answer *info, const char *name, const char *value)
{
	char text[REDIS_TEXT_MAX];

	return strcmp(redis_field(info, name, text), value) == 0;
}

uint64_t redis_number(const struct resp_answer *info, const char *name)
{
	char text[REDIS_TEXT_MAX];
	uint64_t n = 0;

	(void)redis_field(info, name, text);
	return common_number(text, strlen(text), &n) ? n : 0;
}

bool redis_parse_addr(const char *addr, const char *port, uint32_t *ret_addr, uint16_t *ret_port)
{
	uint64_t n;

	if (inet_pton(AF_INET, addr, ret_addr) != 1 || !common_number(port, strlen(port), &n) ||
		n == 0 || n > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)n;
	return true;
}

bool redis_begins(const struct resp_answer *answer, const char *word)
{
	size_t len = strlen(word);

	return answer->len >= len && memcmp(answer->text, word, len) == 0 &&
	       (answer->len == len || answer->text[len] == ' ');
}
