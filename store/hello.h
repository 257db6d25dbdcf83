/* SPDX-License-Identifier: MIT */
/*
 * hello.h - what two replicas must agree on before they talk, as words: "cluster=a proto=raft ..."
 *
 * Pure: no I/O. A setting is a word of its own, so a refusal can name the one that differs and both
 * values of it. What may differ between replicas (data directory, fsync, seed, time-outs of
 * requests, where clients connect) is not among them.
 */
#ifndef STORE_HELLO_H
#define STORE_HELLO_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/buf.h"
#include "store/proto.h"

/* Longest name of a cluster. */
#define HELLO_CLUSTER_MAX 32u

struct replica_config;

/* hello_cluster_fits() - whether @name may name a cluster: letters, digits, '.', '_' and '-'. */
bool hello_cluster_fits(const char *name);

/* hello_words() - append the words of @config. */
void hello_words(struct buf *out, const struct replica_config *config);

/**
 * hello_differ() - compare the words of the other side with our own
 * @ret:	text of @size: the first words that differ, "cluster=b there, cluster=a here"
 *
 * Return: whether they differ.
 */
bool hello_differ(struct proto_bytes there, struct proto_bytes here, char *ret, size_t size);

#endif
