# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# lab.sh - what the end-to-end tests share: a lab of their own, its processes, what it leaves

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
need_root

# shellcheck disable=SC2034 # for the tests
pacelab=$(cd "$B" && pwd -P)/pacelab
lab=$(lab_name)
export NO_COLOR=1

# check_once NAME COMMAND...: check, but not again under sanitizers, where one lab of each database
# has been through all that is ours.
check_once() {
	case $B in
	*/san-*) skip "$1" "elsewhere: a second lab of a database runs without sanitizers" ;;
	*) check "$@" ;;
	esac
}

# supervisor: pid of the lab's supervisor.
supervisor() {
	cat "/run/pacelab/$lab/lock"
}

# pid_of COMM: a living process of the lab by its name: the supervisor, its parent the janitor, or
# one of its children.
pid_of() {
	local stat state parent name boss
	boss=$(supervisor 2>/dev/null) && [ -n "$boss" ] || return 1
	case $1 in
	pacelab-sup) echo "$boss" && return ;;
	pacelab-jan) awk '{ print $4 }' "/proc/$boss/stat" && return ;;
	esac
	for stat in /proc/[0-9]*/stat; do
		read -r _ name state parent _ 2>/dev/null <"$stat" || continue
		if [ "$name" = "($1)" ] && [ "$parent" = "$boss" ] && [ "$state" != Z ]; then
			stat=${stat#/proc/}
			echo "${stat%/stat}"
			return 0
		fi
	done
	return 1
}

# processes_left: of this build, by their program; one find, for it is asked often.
processes_left() {
	find /proc -mindepth 2 -maxdepth 2 -name exe -lname "${pacelab%/*}/*" 2>/dev/null
}

# remember_lab: the namespaces of the lab's processes, those of the host aside.
remember_lab() {
	local boss pid children processes=()
	boss=$(supervisor) || return
	read -ra children <"/proc/$boss/task/$boss/children"
	for pid in "${children[@]}"; do
		processes+=("/proc/$pid/ns/"{net,pid,mnt,uts})
	done
	readlink "${processes[@]}" | sort -u |
		grep -vFf <(readlink /proc/self/ns/{net,pid,mnt,uts}) >"$tmp/lab-namespaces"
	[ "$(wc -l <"$tmp/lab-namespaces")" -ge 8 ] # else it was looked for in the wrong place
}

# namespaces_left: those of the lab that any process still is in. A dead process that the first
# one of this machine has not reaped yet is in none but, by name, in its pid namespace.
namespaces_left() {
	local process processes=()
	[ -e "$tmp/lab-namespaces" ] || return 0
	for process in /proc/[0-9]*; do
		[ ! -e "$process/exe" ] || processes+=("$process"/ns/{net,pid,mnt,uts})
	done
	readlink "${processes[@]}" | sort -u | comm -12 - "$tmp/lab-namespaces"
}

# lab_left: names, processes and namespaces of the lab that are still there.
lab_left() {
	ls -d "/run/pacelab/$lab" "/run/netns/$lab-"* 2>/dev/null
	processes_left
	namespaces_left
}
lab_gone() {
	[ -z "$(lab_left)" ]
}

# Namespaces of other programs come and go in /run/netns with mounts; a lab mounts nothing.
host_now() {
	host_state | grep -v '^mount /run/netns'
}
remember_host() {
	host_now >"$tmp/before"
}

# gone_in_time NAME: within two seconds nothing is left, and the host is as it was.
gone_in_time() {
	local difference
	if ! wait_until 2 lab_gone; then
		not_ok "$1" "left after two seconds: $(lab_left)"
	elif ! difference=$(host_now | diff "$tmp/before" -); then
		not_ok "$1" "$difference"
	else
		ok "$1"
	fi
}

# one_line FILE: exactly one line, and it is ours.
one_line() {
	[ "$(wc -l <"$1")" -eq 1 ] && grep -q '^pacelab: ' "$1"
}

# breaks_all TYPE RESULTS [BUT...]: no model of objects of this type but BUT fits the run's history,
# and each has a picture of why; the verdicts go to the output
breaks_all() {
	local model status count=0
	for model in $("$pacelab" list models | awk -v type="$1" '$2 == type { print $1 }'); do
		[[ " ${*:3} " != *" $model "* ]] || continue
		status=0
		"$pacelab" check --model "$model" --svg "$2/$model.svg" "$2/history.bin" \
			>"$2/said" || status=$?
		sed 's/^/# /' "$2/said"
		[ "$status" -eq 1 ] && grep -q '</svg>' "$2/$model.svg" || return 1
		count=$((count + 1))
	done
	[ "$count" -gt 0 ]
}

# documented KIND NAME: the files of this name that are left have what agent/report/KIND.schema.json
# says and nothing else: a new member has to be written down there.
documented() {
	local files name=${2%.json}
	mapfile -t files < <(find "$tmp" -name "$2" -type f -size +0)
	[ "${#files[@]}" -eq 0 ] || check "${name}_json__is_what_its_schema_says" \
		/usr/bin/python3 tests/e2e/schema.py "agent/report/$1.schema.json" "${files[@]}"
}
at_end "documented results results.json"
at_end "documented compare compare.json"
at_end "documented compare costs.json"

# end_lab: whatever a failed test has left; by the command and, if that fails, by its supervisor.
end_lab() {
	"$pacelab" down --lab "$lab" >/dev/null 2>&1 || kill -9 "$(supervisor)" 2>/dev/null
}
at_exit end_lab
