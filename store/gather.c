/* SPDX-License-Identifier: MIT */
/* gather.c - the replies to several requests of one command, made into one */
#include "store/gather.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct part {
	uint8_t *p; /* owned; NULL: no value */
	uint32_t len;
};

struct gather {
	struct list at; /* in net->gathers */
	const struct replica *replica;
	uint32_t place;
	struct net_answer answer;
	uint32_t parts;
	uint32_t waiting;
	uint32_t done;  /* answered, not refused */
	uint32_t vague; /* refused, but may take effect */
	uint64_t count; /* the sum of what these say */
	size_t bytes;   /* of values */
	bool too_large;
	bool write;
	struct buf refusal; /* the first */
	struct token token; /* what the session has seen when all are there */
	struct part part[];
};

struct gather *gather_open(struct net_client *c, uint32_t place, const struct net_answer *answer,
	bool write, uint32_t parts)
{
	struct gather *g = calloc(1, sizeof *g + parts * sizeof *g->part);

	assert(g && parts > 0 && parts <= RESP_ARGS_MAX);
	list_init(&g->at);
	list_push(&c->net->gathers, &g->at);
	g->replica = c->net->replica;
	g->place = place;
	g->write = write;
	g->answer = *answer;
	g->parts = g->waiting = parts;
	return g;
}

static void gather_close(struct gather *g)
{
	for (uint32_t i = 0; i < g->parts; i++)
		free(g->part[i].p);
	buf_fini(&g->refusal);
	list_del(&g->at);
	free(g);
}

void gather_fini_all(struct list *gathers)
{
	while (!list_empty(gathers))
		gather_close(list_entry(gathers->next, struct gather, at));
}

static void keep(
	struct gather *g, struct net_client *c, struct part *part, const struct proto_bytes *value)
{
	if (g->too_large || g->bytes + value->len > GATHER_BYTES_MAX ||
		stream_queued(&c->stream) + c->waiting + value->len > NET_OUT_HARD_MAX) {
		g->too_large = true;
		return;
	}
	part->p = malloc(value->len + 1);
	assert(part->p);
	if (value->len > 0)
		memcpy(part->p, value->p, value->len);
	part->len = value->len;
	g->bytes += value->len;
	c->waiting += value->len;
	c->net->waiting += value->len;
}

void gather_seek(struct gather *g, struct net_client *c, struct proto_bytes value)
{
	keep(g, c, &g->part[0], &value);
}

static bool lists(const struct proto_reply *reply, const struct part *part)
{
	for (uint32_t i = 0; i < reply->listed && part->p; i++)
		if (reply->list[i].len == part->len &&
			(part->len == 0 || !memcmp(reply->list[i].p, part->p, part->len)))
			return true;
	return false;
}

/* What one reply that is no refusal adds to the sum. */
static uint64_t says(
	const struct gather *g, const struct part *part, const struct proto_reply *reply)
{
	if (g->answer.shape == SHAPE_THERE)
		return reply->status != PROTO_NIL;
	if (g->answer.shape == SHAPE_COUNTED)
		return (uint64_t)reply->number;
	if (g->answer.shape == SHAPE_MEMBER)
		return lists(reply, part);
	return reply->status == PROTO_OK;
}

static void take(
	struct gather *g, struct net_client *c, uint32_t i, const struct proto_reply *reply)
{
	g->done++;
	g->count += says(g, &g->part[i], reply);
	if (reply->token)
		token_join(&g->token, reply->token);
	if (c && g->answer.shape == SHAPE_VALUE && reply->status == PROTO_OK)
		keep(g, c, &g->part[i], &reply->value);
}

static void write_refusal(struct gather *g, struct buf *out)
{
	const char *why = (const char *)g->refusal.p + 1;
	int len = (int)g->refusal.len - 3; /* without the sign and the line's end */

	/* Reads have no effect, and a write that was refused everywhere has none either. */
	if (!g->write || (g->done == 0 && g->vague == 0))
		buf_add(out, g->refusal.p, g->refusal.len);
	else
		resp_error(out, "UNCERTAIN %u of %u %s are done; first refusal: %.*s", g->done,
			g->parts, g->answer.shape == SHAPE_COUNTED ? "members" : "keys", len, why);
}

static void write_whole(struct gather *g, struct buf *out)
{
	if (g->refusal.len > 0) {
		write_refusal(g, out);
		return;
	}
	if (g->too_large) {
		resp_error(out, "ERR the values are longer than %u bytes together, ask for fewer",
			GATHER_BYTES_MAX);
		return;
	}
	if (g->answer.session)
		resp_array(out, 2);
	if (g->answer.shape != SHAPE_OK && g->answer.shape != SHAPE_VALUE) {
		resp_integer(out, (int64_t)g->count);
	} else if (g->answer.shape == SHAPE_OK) {
		resp_status(out, "OK");
	} else {
		resp_array(out, g->parts);
		for (uint32_t i = 0; i < g->parts; i++) {
			const struct part *part = &g->part[i];

			if (part->p)
				resp_bulk(out, (struct proto_bytes){part->p, part->len});
			else
				resp_nil(out, g->answer.resp3);
		}
	}
	if (g->answer.session)
		commands_token(out, &g->token);
}

void gather_take(
	struct gather *g, struct net_client *c, uint32_t i, const struct proto_reply *reply)
{
	assert(i < g->parts && g->waiting > 0);
	switch (reply->status) {
	case PROTO_OK:
	case PROTO_NIL:
	case PROTO_UNMET:
		take(g, c, i, reply);
		break;
	case PROTO_WRONG:
		if (commands_there((enum commands_shape)g->answer.shape)) {
			take(g, c, i, reply);
			break;
		}
		/* fall through */
	case PROTO_UNAVAILABLE:
	case PROTO_UNCERTAIN:
	case PROTO_UNSUPPORTED:
	case PROTO_UNFIT:
	case PROTO_STATUS_NR:
		g->vague += reply->status == PROTO_UNCERTAIN;
		if (g->refusal.len == 0)
			commands_reply(&g->refusal, g->replica, &g->answer, reply);
		break;
	}
	if (--g->waiting > 0)
		return;
	if (c) {
		c->waiting -= g->bytes;
		c->net->waiting -= g->bytes;
		write_whole(g, net_begin(c, g->place));
		net_end(c, g->place);
	}
	gather_close(g);
}
