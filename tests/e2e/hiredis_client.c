/* SPDX-License-Identifier: MIT */
/* hiredis_client.c - a program that uses the store through hiredis: HOST; prints what went wrong */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT 6379
#define PIPELINE 1000
#define BIG (1 << 20)

static void check(int right, const char *what, const redisReply *r)
{
	if (right)
		return;
	printf("%s: %s\n", what, r ? (r->str ? r->str : "another type") : "no reply");
	exit(1);
}

/* A value with every byte there is, and one as long as values get. */
static void values(redisContext *c)
{
	char *bytes = malloc(BIG);
	redisReply *r;

	for (int i = 0; i < BIG; i++)
		bytes[i] = (char)i;
	for (size_t len = 256; len <= BIG; len *= 4096) {
		r = redisCommand(c, "SET hiredis:value %b", bytes, len);
		check(r && r->type == REDIS_REPLY_STATUS && !strcmp(r->str, "OK"), "SET", r);
		freeReplyObject(r);
		r = redisCommand(c, "GET hiredis:value");
		check(r && r->type == REDIS_REPLY_STRING && r->len == len &&
				!memcmp(r->str, bytes, len),
			"GET", r);
		freeReplyObject(r);
	}
	free(bytes);
}

static void pipeline(redisContext *c)
{
	void *reply;

	for (int i = 1; i <= PIPELINE; i++)
		(void)redisAppendCommand(c, "INCR hiredis:count");
	for (int i = 1; i <= PIPELINE; i++) {
		const redisReply *r;

		check(redisGetReply(c, &reply) == REDIS_OK, "INCR", NULL);
		r = reply;
		check(r->type == REDIS_REPLY_INTEGER && r->integer == i, "INCR", r);
		freeReplyObject(reply);
	}
}

static void types(redisContext *c)
{
	redisReply *r = redisCommand(c, "GET hiredis:none");

	check(r && r->type == REDIS_REPLY_NIL, "GET of nothing", r);
	freeReplyObject(r);
	r = redisCommand(c, "MSET hiredis:a 1 hiredis:b 2");
	check(r && r->type == REDIS_REPLY_STATUS, "MSET", r);
	freeReplyObject(r);
	r = redisCommand(c, "MGET hiredis:a hiredis:none hiredis:b");
	check(r && r->type == REDIS_REPLY_ARRAY && r->elements == 3 &&
			!strcmp(r->element[0]->str, "1") &&
			r->element[1]->type == REDIS_REPLY_NIL && !strcmp(r->element[2]->str, "2"),
		"MGET", r);
	freeReplyObject(r);
	r = redisCommand(c, "LPUSH hiredis:list 1");
	check(r && r->type == REDIS_REPLY_ERROR && !strncmp(r->str, "ERR unknown command", 19),
		"LPUSH", r);
	freeReplyObject(r);
}

int main(int argc, char **argv)
{
	redisContext *c = redisConnect(argc > 1 ? argv[1] : "127.0.0.1", PORT);

	if (!c || c->err) {
		printf("no connection: %s\n", c ? c->errstr : "no memory");
		return 1;
	}
	values(c);
	pipeline(c);
	types(c);
	redisFree(c);
	printf("right\n");
	return 0;
}
