/* SPDX-License-Identifier: MIT */
/* emulator.c - which emulator is at work, decided by asking the kernel */
#include "emulator.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *const emulator_kind_names[EMULATOR_KIND_NR] = {
	[EMULATOR_AUTO] = "auto",
	[EMULATOR_NETEM] = "netem",
	[EMULATOR_WIRE] = "wire",
};

_Static_assert(EMULATOR_KIND_NR == 3, "a name for every emulator");

int emulator_choose(enum emulator_kind wish, struct nlsock *sw, const struct emulator_ops **ret,
	enum emulator_kind *ret_kind, char *ret_text, struct err *err)
{
	struct err why;
	int netem = 0;

	if (wish != EMULATOR_WIRE)
		netem = netem_ops.probe(sw, &why);
	if (netem && wish == EMULATOR_NETEM)
		return err_set(err, -EOPNOTSUPP, EXIT_CANNOT_RUN,
			"emulator netem: this kernel has no sch_netem (%s); use --emulator wire, "
			"or load the module sch_netem",
			strerror(-netem));
	if (netem && netem != -ENOENT) {
		*err = why;
		err_wrap(err, "ask the kernel for netem");
		return netem;
	}
	if (wish == EMULATOR_WIRE || netem) {
		int code = wire_ops.probe(sw, err);

		if (code)
			return code;
		*ret = &wire_ops;
		*ret_kind = EMULATOR_WIRE;
	} else {
		*ret = &netem_ops;
		*ret_kind = EMULATOR_NETEM;
	}
	(void)snprintf(ret_text, EMULATOR_TEXT_MAX, "%s (%s)", (*ret)->name,
		wish != EMULATOR_AUTO ? "as asked for"
		: netem               ? "no sch_netem in this kernel"
				      : "this kernel has sch_netem");
	return 0;
}
