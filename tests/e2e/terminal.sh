# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154 # $lab and $tmp are of lab.sh
# terminal.sh - a terminal for tests, of a size of their own: tmux, which wraps lines anew and knows
# whether the cursor is shown
#
#	. tests/e2e/terminal.sh
#	terminal 80 24 env -u NO_COLOR "$pacelab" run ...
#	wait_until 10 shows 'leader'
#	terminal_end

command -v tmux >/dev/null || skip_all "no tmux"

# screen: what stands there now. scrollback: the same with all that has scrolled away.
terminal_do() {
	tmux -L "$(cat "$tmp/terminal")" "$@"
}
screen() {
	terminal_do capture-pane -p
}
scrollback() {
	terminal_do capture-pane -p -S -2000
}
shows() {
	screen | grep -q -- "$1"
}
cursor_is() {
	[ "$(terminal_do display -p '#{cursor_flag}')" = "$1" ]
}
keys() {
	terminal_do send-keys "$@"
}
resize() {
	terminal_do resize-window -x "$1" -y "$2"
}

# terminal COLUMNS ROWS COMMAND...: run it there; behind it stands its exit status. All bytes that
# it writes are in $tmp/bytes.
terminal() {
	local columns=$1 rows=$2
	shift 2
	terminal_end
	rm -f "$tmp/go" "$tmp/bytes"
	lab_name >"$tmp/terminal" # the server of the one before may still be about to end
	terminal_do -f /dev/null new-session -d -x "$columns" -y "$rows" \
		"until [ -e $tmp/go ]; do :; done; LANG=C.UTF-8 $(printf '%q ' "$@")
		echo status=\$?; exec cat" || return 1
	terminal_do pipe-pane -o "cat >$tmp/bytes"
	touch "$tmp/go"
}
terminal_end() {
	[ ! -e "$tmp/terminal" ] || terminal_do kill-server 2>/dev/null || true
}
at_exit terminal_end
