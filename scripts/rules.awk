# SPDX-License-Identifier: MIT
# rules.awk - the house rules that no compiler knows; prints file:line: what is wrong
#
#	awk -f scripts/rules.awk FILE...
#
# 1. The first comment is the licence, the second begins with the file's name (but a lab script
#    is its user's: its first line says what it shows).
# 2. Layers: agent/base includes nothing above it; netns and store include agent/base and
#    themselves; a protocol (store/proto/*.c) includes of the store only proto.h and table.h.
# 3. A library has one home: its header is included in the folder or file that owns it.
# 4. At most 800 lines a file, 90 a function (above 70 is said, not refused), 100 columns a line.
# 5. Calls that are not made: unbounded copies, hidden shells, sleeping in tests.
# 6. Nothing is left to do later.

BEGIN {
	file_lines_max = 800
	function_lines_max = 90
	function_lines_aim = 70
	columns_max = 100
	string_columns_max = 115
	tab = 8

	banned["strcpy"] = banned["strcat"] = banned["stpcpy"] = "snprintf"
	banned["sprintf"] = banned["vsprintf"] = "snprintf"
	banned["gets"] = banned["strtok"] = "a parser"
	banned["atoi"] = banned["atol"] = banned["atof"] = "units_parse_*"
	banned["alloca"] = "a limit and an array"
	banned["system"] = banned["popen"] = "posix_spawn or fork and exec"
	banned_in_tests["sleep"] = banned_in_tests["usleep"] = "waiting for a condition"

	home["lua.h"] = home["lauxlib.h"] = home["lualib.h"] = "^agent/lab/(script|sandbox|real)"
	home["libmnl/libmnl.h"] = "^netns/"
	home["netlink/"] = "^netns/"
	home["liburing.h"] = "^(agent/base/loop|agent/cmd/doctor)"
	home["expat.h"] = "^agent/report/chart_svg|^tests/fuzz/results_fuzz"
	home["microhttpd.h"] = "^agent/report/serve"
	home["cmocka.h"] = "^tests/"
}

function wrong(what) {
	printf "%s:%d: %s\n", FILENAME, FNR, what
	bad = 1
}

function columns(line,    n, i, c) {
	n = 0
	for (i = 1; i <= length(line); i++) {
		c = substr(line, i, 1)
		if (c == "\t")
			n += tab - n % tab
		else if (c < "\200" || c >= "\300") # not a continuation byte of UTF-8
			n++
	}
	return n
}

function has_word(line, word) {
	return line ~ "(^|[^A-Za-z0-9_])" word "([^A-Za-z0-9_]|$)"
}

function calls(code, name) {
	return code ~ "(^|[^A-Za-z0-9_])" name "[ ]*[(]"
}

# Code without strings and comments, as far as one line shows them.
function code_of(line) {
	gsub(/\\./, "", line)
	gsub(/"[^"]*"/, "\"\"", line)
	gsub(/\/\*.*\*\//, "", line)
	sub(/\/\*.*$/, "", line)
	sub(/^[ \t]*\*.*$/, "", line)
	return line
}

function check_head(    name, parts) {
	if (FNR == 1)
		head = ""
	head = head $0 "\n"
	if (FNR < 4)
		return
	name = FILENAME
	sub(/.*\//, "", name)
	sub(/^#![^\n]*\n/, "", head)
	split(head, parts, "\n")
	if (parts[1] !~ /^(\/\*|#|--) SPDX-License-Identifier: MIT( \*\/)?$/)
		wrong("the first comment is not the licence line")
	if (index(head, name " - ") == 0)
		wrong("the second comment does not begin with \"" name " - what it is\"")
}

function allowed_layer(path) {
	if (FILENAME ~ /^agent\/base\//)
		return path ~ /^agent\/base\//
	if (FILENAME ~ /^netns\//)
		return path ~ /^(agent\/base|netns)\//
	if (FILENAME ~ /^store\/proto\/.*\.c$/)
		return path ~ /^(agent\/base\/|store\/proto\/|store\/(proto|table)\.h$)/
	if (FILENAME ~ /^store\//)
		return path ~ /^(agent\/base|store)\//
	if (FILENAME ~ /^agent\//)
		return path !~ /^tests\//
	return 1
}

function check_include(    path, library) {
	path = $0
	if (path ~ /^#[ \t]*include[ \t]*"/) {
		gsub(/^[^"]*"|".*$/, "", path)
		if (path !~ /\//) {
			library = FILENAME
			sub(/[^\/]*$/, "", library)
			path = library path
		}
		if (!allowed_layer(path))
			wrong("\"" path "\" is above this folder or private to another")
	} else {
		gsub(/^[^<]*<|>.*$/, "", path)
		for (library in home)
			if (index(path, library) == 1 && FILENAME !~ home[library])
				wrong("<" path "> is included in " home[library] " only")
	}
}

function check_calls(code,    call) {
	for (call in banned)
		if (calls(code, call))
			wrong(call "() is not used here: " banned[call] " instead")
	if (FILENAME ~ /^tests\// && FILENAME !~ /^tests\/bench\//)
		for (call in banned_in_tests)
			if (calls(code, call))
				wrong(call "() in a test: " banned_in_tests[call] " instead")
}

# The format that clang-format keeps has a function's braces, and only those, alone in column 1.
function check_function() {
	if ($0 == "{") {
		body = FNR
	} else if ($0 == "}" && body) {
		if (FNR - body - 1 > function_lines_max)
			wrong("function of " FNR - body - 1 " lines, not over " function_lines_max)
		else if (FNR - body - 1 > function_lines_aim)
			printf "%s:%d: note: function of %d lines, %d is the aim\n", FILENAME, body,
				FNR - body - 1, function_lines_aim
		body = 0
	}
}

FNR == 1 {
	body = 0
}

FNR == 1 && FILENAME ~ /^scripts\/labs\// && !/^-- ./ {
	wrong("the first line does not say what the lab shows")
}

FNR <= 4 && FILENAME !~ /^scripts\/labs\// {
	check_head()
}

FNR == file_lines_max + 1 {
	wrong("more than " file_lines_max " lines")
}

# A string is not broken, so that it can be found as it is printed, and clang-format gives it room.
length($0) > columns_max / tab &&
	columns($0) > (FILENAME ~ /\.[ch]$/ && /"/ ? string_columns_max : columns_max) {
	wrong("line of " columns($0) " columns, " columns_max " at most")
}

/[ \t]$/ {
	wrong("white space at the end")
}

# Spelled so that this line does not find itself.
has_word($0, "(TO" "DO|FIX" "ME|X" "XX)") {
	wrong("something is left to do")
}

FILENAME ~ /\.[ch]$/ {
	if ($0 ~ /^#[ \t]*include/)
		check_include()
	else
		check_calls(code_of($0))
	check_function()
}

# A command of its own; "ip netns exec n1 sleep 60 &" is somebody to be killed.
FILENAME ~ /^tests\/.*\.sh$/ && FILENAME != "tests/lib/tap.sh" &&
	/^[ \t]*((do|then|else)[ \t]+)?sleep[ \t]/ && !/&[ \t]*$/ {
	wrong("sleep in a test: wait_until instead")
}

END {
	exit bad
}
