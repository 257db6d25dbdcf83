/* SPDX-License-Identifier: MIT */
/* replica.h - how a replica's process is started: program, arguments, admin socket, data, log */
#ifndef LAB_REPLICA_H
#define LAB_REPLICA_H

#include "agent/lab/supervisor.h"

/* replica_prepare() - find the program and open the admin sockets of all replicas. */
int replica_prepare(struct supervisor *s, struct err *err);

/* replica_spawn() - start the process of one in its node. */
int replica_spawn(struct supervisor *s, unsigned replica, struct child *ret, struct err *err);

/* replica_cleanup() - close what replica_prepare() opened, as far as it came. */
void replica_cleanup(struct supervisor *s);

#endif
