# SPDX-License-Identifier: MIT
# tap.awk - reads one suite's TAP and says what it amounts to
#
# In: the suite's output; -v status=, its exit status; -v limit=, its time limit in seconds;
# -v must_work=, 1 when a skip is a failure. Out, separated by tabs:
#
#	count  PASSED  FAILED  SKIPPED
#	fail   TEST    WHY
#	skip   TEST    REASON
#
# cmocka 1.1.5 is read as it is: it prints a skip as "not ok 3 # SKIP name" and knows no reason,
# which need.c prints in a line "# skip: reason" before it; a skip in a test's setup comes as
# "Could not run test: file:line: Skipped!" and counts in the exit status like a failure.

function failed(test, why) {
	fails++
	print "fail\t" test "\t" why
}

function skipped(test, reason) {
	if (reason == "")
		failed(test, "skipped without a reason")
	else if (must_work && reason !~ /^elsewhere:/)
		failed(test, "skipped: " reason ", and MUST_WORK=1")
	else {
		skips++
		print "skip\t" test "\t" reason
	}
}

function trim(text) {
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}

/^[0-9]+\.\.[0-9]+/ {
	split($1, range, /\.\./)
	plans++
	planned += range[2] - range[1] + 1
	if (match($0, /# *SKIP/)) {
		seen++
		planned++
		skipped("all", trim(substr($0, RSTART + RLENGTH)))
	}
	next
}

/^# skip: / {
	reason = substr($0, length("# skip: ") + 1)
	next
}

/^(not )?ok( |$)/ {
	seen++
	test = $0
	sub(/^(not )?ok *[0-9]* *-? */, "", test)
	if (match(test, /# *SKIP/)) {
		name = trim(substr(test, 1, RSTART - 1))
		rest = trim(substr(test, RSTART + RLENGTH))
		if (name == "") # cmocka's form
			skipped(rest, reason)
		else
			skipped(name, rest)
	} else if (test ~ /Could not run test: .*: Skipped!/) {
		sub(/ Could not run test: .*/, "", test)
		setup_skips++
		skipped(test, reason)
	} else if ($1 == "ok") {
		passes++
	} else {
		failed(test, "")
	}
	reason = ""
	next
}

/^Bail out!/ {
	failed("bail out", $0)
}

/[^ \t]/ {
	last = $0
}

END {
	if (status == 77 && seen == 0 && plans == 0)
		skipped("all", last)
	else if (status == 124 || status == 137)
		failed("time limit", "still running after " limit " s")
	else if (status > 128)
		failed("crash", "killed by signal " status - 128)
	else if (plans == 0)
		failed("plan", "no plan line, exit status " status)
	else if (seen == 0)
		failed("plan", "no test ran, exit status " status)
	else if (seen != planned)
		failed("plan", "planned " planned " tests, saw " seen)
	else if (status != 0 && fails == 0 && status != setup_skips)
		failed("exit status", status " although no test failed")
	printf "count\t%d\t%d\t%d\n", passes, fails, skips
}
