/* SPDX-License-Identifier: MIT */
/*
 * lab.h - a lab in virtual time: its plan, its clients and its replicas, on simulated links
 *
 * The same script as on real packets: the plan of agent/lab, the clients of agent/load with their
 * schedules, deadlines and retries, the protocols of the store, and the history that both write.
 * What is simulated is the rest: links (lab_net.h), disks, clocks and processes. So the same seed
 * asks the same at the same times, and what differs is what the machine adds.
 *
 * One thread. What comes is the same for the same plan and costs, on any machine.
 */
#ifndef SIM_LAB_H
#define SIM_LAB_H

#include "agent/lab/run.h"
#include "agent/sim/lab_net.h"

/*
 * lab_costs_usual - as measured with store single on a virtual machine with two cores that others
 * used, too: half of a read's median at a replica beside the client (hop), what a link with a delay
 * takes longer (wire, by our emulator), a write longer than a read (disk), and how late a client
 * began that had nothing else to do (wake).
 */
extern const struct lab_costs lab_costs_usual;

/* lab_costs_parse() - "hop=60us wire=40us disk=150us wake=40us"; what is not named stays. Return:
 * 0, or -EINVAL with the word in @err (EXIT_USAGE). */
int lab_costs_parse(struct lab_costs *costs, const char *text, struct err *err);

/* lab_refuse() - Return: 0, or -EOPNOTSUPP with what of the plan cannot be simulated, and where it
 * is said, in @err (EXIT_USAGE). */
int lab_refuse(const struct plan *plan, struct err *err);

/**
 * lab_simulate() - all phases of a plan, to the final reads
 * @plan:	its leader-aware phases become what they were when they began
 * @history:	path of the file to make
 * @ret:	what was seen, as runner_run() leaves it, with ->simulated saying what it is
 *
 * Return: 0; a negative errno with @err: as lab_refuse(); -ETIMEDOUT: the replicas were never
 * ready, or nobody led when a phase was about the leader; -EPROTO with EXIT_VIOLATED: an invariant
 * of the protocol was broken.
 */
int lab_simulate(struct plan *plan, const struct lab_costs *costs, const char *history,
	struct run_log *ret, struct err *err);

#endif
