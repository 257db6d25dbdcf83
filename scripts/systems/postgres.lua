-- SPDX-License-Identifier: MIT
-- postgres.lua - PostgreSQL: one primary, hot standbys by streaming replication, promotion by hand
--
-- standbys is synchronous_standby_names: none, ANY 1 or FIRST 2 of all nodes but the primary, in
-- their order. Nobody elects: promote() is pg_ctl promote. The other standbys are then told of the
-- new primary. Who cannot follow it, since it has what the new one never had (an old primary, a
-- standby that was ahead of the one promoted), is stopped and rewound by pg_rewind as soon as it
-- can reach the new one, as an operator would do it: what only it had is thrown away.
--
-- Other than PostgreSQL's defaults: a silent connection for replication ends after 3 s, not 60.

local port = 5432
local folders = {}
for version = 20, 14, -1 do
	folders[#folders + 1] = "/usr/lib/postgresql/" .. version .. "/bin"
end
local find = "PATH=" .. table.concat(folders, ":") .. ":$PATH\n"

local function conninfo(addr)
	return ("host=%s port=%d user=postgres connect_timeout=2 tcp_user_timeout=2000"):format(
		addr, port)
end

local function synchronous(n)
	local many = {any1 = "ANY 1", first2 = "FIRST 2"}
	local names = {}

	for _, node in ipairs(n.nodes) do
		names[#names + 1] = '"' .. node.name .. '"'
	end
	return n.knobs.standbys == "none" and "" or
		many[n.knobs.standbys] .. " (" .. table.concat(names, ", ") .. ")"
end

local function config(n)
	return ([[
listen_addresses = '%s'
port = %d
unix_socket_directories = '{dir}'
hba_file = '{dir}/pg_hba.conf'
cluster_name = '%s'
max_connections = 400
shared_buffers = 16MB
wal_level = replica
max_wal_senders = 40
wal_keep_size = 256MB
wal_log_hints = on
hot_standby = on
wal_sender_timeout = 3s
wal_receiver_timeout = 3s
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 500ms
synchronous_commit = %s
synchronous_standby_names = '%s'
primary_conninfo = '%s'
jit = off
]]):format(n.addr, port, n.name, n.knobs.synchronous_commit, synchronous(n),
		n.number == n.leader and "" or conninfo(n.nodes[n.leader].addr))
end

local hba = [[
local all all trust
host all all all trust
host replication all all trust
]]

-- In single-user mode a line is a statement.
local schema = find .. [[
postgres --single -D '{dir}/pg' postgres <<'SQL'
CREATE ROLE pacelab LOGIN
CREATE TABLE kv (k text PRIMARY KEY, v text NOT NULL)
GRANT ALL ON kv TO pacelab
SQL
]]

-- What a node was told to follow stands in the file "leader" until it does.
local serve = find .. [[
cd '{dir}' || exit 1

say() {
	echo "$*" >&2
}

# It cannot follow, although it could reach whom it should follow for three seconds; an old primary
# never can.
parted() {
	pg_isready -q -t 1 -h "$1" -p ]] .. port .. [[ || { stuck=0; return 1; }
	case $(psql -X -h '{dir}' -U postgres -Atqc "SELECT pg_is_in_recovery(), EXISTS (SELECT
		FROM pg_stat_wal_receiver
		WHERE status = 'streaming' AND sender_host = '$1')" postgres) in
	'f|f') return 0 ;;
	't|t') rm -f leader; return 1 ;;
	esac
	stuck=$((stuck + 1))
	[ "$stuck" -ge 6 ]
}

rejoin() {
	say "stops and goes back to what $1 has"
	pg_ctl stop -D pg -m fast -t 10 || pg_ctl stop -D pg -m immediate
	wait "$server"
	until pg_rewind -D pg --config-file='{dir}/postgresql.conf' \
		--source-server="]] .. conninfo("$1") .. [[ dbname=postgres"; do
		say "pg_rewind failed, again in a second"
		sleep 1
	done
	echo "primary_conninfo = ']] .. conninfo("$1") .. [['" >>pg/postgresql.auto.conf
	touch pg/standby.signal
	rm -f leader
}

# The node's processes were killed together: what these say of another server is not so.
rm -f pg/postmaster.pid .s.PGSQL.]] .. port .. [[.lock
while :; do
	postgres -D pg -c config_file='{dir}/postgresql.conf' &
	server=$!
	stuck=0
	while kill -0 "$server" 2>/dev/null; do
		sleep 0.5
		[ -s leader ] && read -r leader <leader || continue
		if parted "$leader"; then
			rejoin "$leader"
			continue 2
		fi
	done
	wait "$server"
	exit
done
]]

local follow = find .. [[
cd '{dir}' || exit 1
echo "$1" >leader.new && mv leader.new leader
psql -X -h '{dir}' -U postgres -Atqc "ALTER SYSTEM SET primary_conninfo = ']] .. conninfo("$1") ..
	[['" -c "SELECT pg_reload_conf()" postgres
]]

local function prepare(n)
	if n.number == n.leader then
		return {
			{"initdb", "-D", "{dir}/pg", "-U", "postgres", "-A", "trust", "-E", "UTF8",
				"--no-locale", "--no-sync", "--no-instructions"},
			{"sh", "schema.sh"},
		}
	end
	return {
		{"pg_basebackup", "-D", "{dir}/pg", "-X", "stream", "-c", "fast", "--no-sync", "-d",
			conninfo(n.nodes[n.leader].addr), retry = "30s"},
		{"touch", "{dir}/pg/standby.signal"},
	}
end

system("postgres-real", {
	packages = {"postgresql-15"},
	programs = {"postgres", "initdb", "pg_ctl", "pg_basebackup", "pg_rewind", "psql"},
	paths = folders,
	driver = "postgres",
	port = port,
	nodes = {2, 7},
	knobs = {
		synchronous_commit = {"on", "off", "local", "remote_write", "remote_apply"},
		standbys = {"any1", "none", "first2"},
		reads = {"leader", "local"},
	},
	like = function(knobs)
		local commit = knobs.synchronous_commit
		local waits = knobs.standbys ~= "none" and commit ~= "off" and commit ~= "local"

		return waits and knobs.reads == "leader" and "postgres-sync" or "postgres-async"
	end,
	client = function(knobs)
		return "reads=" .. knobs.reads
	end,
	kept = "the server itself; clients ask all nodes who takes writes, and keep that one " ..
		"until its connection ends",
	differs = "who is told to wait for a standby waits for ever and keeps a connection of " ..
		"the server; standbys show what the primary does not show yet",
	rate = 200,
	clients = 50, -- of seven sites within max_connections
	deadline = "1s", warmup = "3s", cut = "6s", settle = "8s", ready = "30s",
	leader = true,
	node = function(n)
		return {
			files = {
				["postgresql.conf"] = config(n),
				["pg_hba.conf"] = hba,
				["schema.sh"] = schema,
				["serve.sh"] = serve,
				["follow.sh"] = follow,
			},
			prepare = prepare(n),
			run = {{"sh", "serve.sh"}},
			-- pg_rewind sees the new timeline from its first checkpoint on.
			promote = {
				{"rm", "-f", "{dir}/leader"},
				{"pg_ctl", "promote", "-D", "{dir}/pg", "-w", "-t", "20"},
				{"psql", "-X", "-h", "{dir}", "-U", "postgres", "-qc", "CHECKPOINT",
					"postgres"},
			},
			follow = {{"sh", "follow.sh", "{leader}"}},
			env = {LC_ALL = "C"},
		}
	end,
})
variant("postgres-real-async", {standbys = "none", reads = "local"})
variant("postgres-real-first2", {standbys = "first2"}, {nodes = {3, 7}})
variant("postgres-real-apply",
	{synchronous_commit = "remote_apply", standbys = "first2", reads = "local"},
	{nodes = {3, 7}})
