#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lint.sh - style and static checks: format, rules.awk, shellcheck, cppcheck, clang-tidy
#
#	scripts/lint.sh [FILE...]    all files of the project without arguments
#
# One clang-tidy process a file: version 14 reports false valist errors when files share a run.
# A file that passed is not looked at again until it, a header or a rule changes (build/lint).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 70
self=scripts/lint.sh

# A seventh of the analyzer's usual depth: the same findings here in a tenth of the time.
readonly depth=(--extra-arg=-Xclang --extra-arg=-analyzer-config
	--extra-arg=-Xclang --extra-arg=max-nodes=30000)

# tidy_one FILE: unless a stamp says that the same text, headers included, passed before.
tidy_one() {
	local sum stamp
	# shellcheck disable=SC2086 # the flags are words
	sum=$({
		cat .clang-tidy
		echo "$flags"
		cc -E $flags "$1"
	} 2>/dev/null | sha256sum)
	stamp=build/lint/tidy/${sum%% *}
	[ ! -e "$stamp" ] || return 0
	# shellcheck disable=SC2086
	clang-tidy --quiet "${depth[@]}" "$1" -- $flags >"$stamp.$$" 2>/dev/null && touch "$stamp"
	local status=$?
	# The finding and its line; how the analyzer came to it takes 50 more.
	awk '/ (error|warning|note): / { show = !/ note: / } show' "$stamp.$$"
	rm -f "$stamp.$$"
	return "$status"
}
if [ "${1:-}" = --tidy-one ]; then
	tidy_one "$2"
	exit
fi

jobs=$(nproc)
flags=$(make -s --no-print-directory flags)
export flags
failed=()

if [ $# -gt 0 ]; then
	files=("$@")
else
	mapfile -t files < <(git ls-files --cached --others --exclude-standard | sort -u)
fi
c=() sources=() shells=() texts=()
for file in "${files[@]}"; do
	[ -f "$file" ] || continue
	case $file in
	*.c) c+=("$file") sources+=("$file") texts+=("$file") ;;
	*.h) c+=("$file") texts+=("$file") ;;
	*.sh | .ci/run) shells+=("$file") texts+=("$file") ;;
	*.lua | *.awk) texts+=("$file") ;;
	esac
done

# step NAME COMMAND...: runs it, says how long it took, remembers a failure.
step() {
	local name=$1 start status=0
	shift
	start=$(date +%s%3N)
	"$@" || status=$?
	if [ "$status" -ne 0 ]; then
		failed+=("$name")
	fi
	printf '  %-4s %-14s %6.1f s\n' "$([ "$status" -eq 0 ] && echo ok || echo FAIL)" \
		"$name" "$((($(date +%s%3N) - start) / 100))e-1"
}

format() {
	[ ${#c[@]} -eq 0 ] || clang-format --dry-run -Werror "${c[@]}"
}

rules() {
	[ ${#texts[@]} -eq 0 ] || LC_ALL=C awk -f scripts/rules.awk "${texts[@]}"
}

shell() {
	# Functions and strings are run by name later (check, at_exit: SC2317, SC2016), and
	# `test && test || fail` is how a condition with its failure is written (SC2015).
	[ ${#shells[@]} -eq 0 ] || shellcheck -x -e SC2015,SC2016,SC2317 "${shells[@]}"
}

# Three of the suppressed checks guess at loops; gcc, clang's analyzer and the sanitizers see those
# cases. Asserts are never compiled out here, and nothing goes on without memory.
cpp() {
	[ ${#sources[@]} -eq 0 ] || cppcheck --quiet -j "$jobs" --error-exitcode=1 --std=c11 -I. \
		--enable=warning,performance,portability --inline-suppr \
		--suppress=missingInclude --suppress=missingIncludeSystem \
		--suppress=uninitvar --suppress=ctuuninitvar --suppress=arrayIndexThenCheck \
		--suppress=assertWithSideEffect --suppress=memleakOnRealloc \
		--cppcheck-build-dir=build/lint/cppcheck "${sources[@]}"
}

tidy() {
	[ ${#sources[@]} -eq 0 ] ||
		printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "$jobs" "$self" --tidy-one
}

mkdir -p build/lint/cppcheck build/lint/tidy
step format format
step rules rules
step shellcheck shell
step cppcheck cpp
step clang-tidy tidy
if [ ${#failed[@]} -gt 0 ]; then
	echo "lint: ${failed[*]} failed"
	exit 1
fi
echo "lint: clean, ${#files[@]} files"
