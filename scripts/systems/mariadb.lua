-- SPDX-License-Identifier: MIT
-- mariadb.lua - MariaDB: one primary, replicas by GTID, asynchronous or semi-synchronous
--
-- Nobody promotes a replica by itself: a lab does, as an operator would. The new primary first
-- applies what it has received. A node that has to follow it waits until it reaches it; a replica
-- changes its source, an old primary, or who is ahead of the new one, is taken out of service and
-- rebuilt from a dump, since the history that it has alone is in the way of any other.

local function sql(text, retry)
  return {"mariadb", "--defaults-file={dir}/my.cnf", "-NBe", text, retry = retry}
end

local config = [[
[client]
socket = {dir}/data/mariadb.sock
port = 3306
user = root

[mariadb-client]
connect_timeout = 2

[mariadbd]
datadir = {dir}/data
tmpdir = {dir}/tmp
socket = {dir}/data/mariadb.sock
pid_file = {dir}/data/mariadb.pid
init_file = {dir}/init.sql
port = 3306
skip_name_resolve
max_connections = 500
back_log = 500
performance_schema = OFF
innodb_buffer_pool_size = 32M
innodb_log_file_size = 8M
key_buffer_size = 1M
aria_pagecache_buffer_size = 1M
table_open_cache = 64
log_bin = bin
log_slave_updates = ON
binlog_format = ROW
gtid_strict_mode = ON
slave_net_timeout = 3
relay_log_recovery = ON
]]

-- At each start, on each node, by itself: so no node has anything that a primary must send.
local init = [[
SET sql_log_bin=0;
CREATE DATABASE IF NOT EXISTS lab;
CREATE TABLE IF NOT EXISTS lab.kv(
  k VARCHAR(32) CHARACTER SET ascii PRIMARY KEY,
  v BIGINT UNSIGNED NOT NULL
);
CREATE USER IF NOT EXISTS lab@'%' IDENTIFIED BY 'lab';
GRANT SELECT, INSERT, UPDATE, DELETE ON lab.* TO lab@'%';
GRANT REPLICA MONITOR ON *.* TO lab@'%';
CREATE USER IF NOT EXISTS rep@'%' IDENTIFIED BY 'rep';
GRANT REPLICATION SLAVE, BINLOG MONITOR, REPLICA MONITOR, RELOAD ON *.* TO rep@'%';
GRANT SELECT, LOCK TABLES, SHOW VIEW, TRIGGER ON lab.* TO rep@'%';
]]

local source = "CHANGE MASTER TO master_host='%s', master_port=3306, master_user='rep', " ..
  "master_password='rep', master_use_gtid=slave_pos, master_connect_retry=1, " ..
  "master_heartbeat_period=1; START SLAVE"

-- $1 is the new primary. A session that waits for a replica's acknowledgement is ended, not
-- answered: what it has written will not be there.
local follow = [[
set -eu
sql() { mariadb --defaults-file=my.cnf -Be "SET sql_log_bin=0; $1"; }
printf '[mariadbd]\nread_only = ON\n' >role.cnf
if [ -n "$(sql 'SHOW SLAVE STATUS')" ]; then
  sql "STOP SLAVE; ]] .. source:format("$1") .. [["
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    state=$(sql 'SHOW SLAVE STATUS\G')
    case $state in
    *'Slave_IO_Running: Yes'* | *'Last_IO_Errno: 1236'*) break ;;
    esac
    sleep 0.1
  done
  case $state in
  *'Last_IO_Errno: 1236'*) ;; # it is ahead of the new primary
  *) exit 0 ;;
  esac
fi
sql "ALTER USER lab@'%' ACCOUNT LOCK; KILL HARD USER lab"
sql "SET GLOBAL read_only=ON; STOP SLAVE; RESET SLAVE ALL"
sql "RESET MASTER; SET GLOBAL gtid_slave_pos=''"
mariadb-dump --defaults-file=my.cnf --host="$1" --user=rep --password=rep \
  --single-transaction --master-data=1 --gtid --databases lab >dump.sql
{ echo 'SET sql_log_bin=0;' && cat dump.sql; } | mariadb --defaults-file=my.cnf
sql "]] .. source:format("$1") .. [[; ALTER USER lab@'%' ACCOUNT UNLOCK"
]]

system("mariadb-real", {
  packages = {"mariadb-server-core", "mariadb-client-core", "mariadb-client"},
  programs = {"mariadbd", "mariadb-install-db", "mariadb", "mariadb-dump"},
  paths = {"/usr/sbin"},
  driver = "mysql",
  port = 3306,
  nodes = {2, 7},
  knobs = {
    replication = {"async", "semisync"},
    reads = {"local", "leader"},
    timeout = {"10000", "1000", "3000", "100000"}, -- ms that a semi-synchronous primary waits
    wait = {"AFTER_SYNC", "AFTER_COMMIT"}, -- for a replica: before others see it, or after
    disk = {"each", "second"},             -- synced at each commit, or once a second
  },
  like = function(knobs)
    if knobs.reads == "local" then
      return "mysql-async"
    end
    return knobs.replication == "semisync" and "mysql-semisync" or "mongodb-one"
  end,
  client = function(knobs)
    return "topology=primary reads=" .. knobs.reads
  end,
  kept = "the server from Debian's package: row-based binary log, GTIDs, promotion by hand",
  differs = "it notices no cut: the primary acknowledges on, replicas answer with what they " ..
    "have, and after a promotion two take writes; the old one must be rebuilt",
  rate = 300,
  clients = 60, -- of seven sites within max_connections
  deadline = "1s",
  cut = "5s",
  settle = "6s",
  ready = "60s",
  leader = true,
  node = function(n)
    local leader = n.leader or 1
    local leads = n.number == leader
    local semisync = n.knobs.replication == "semisync"
    local each = n.knobs.disk == "each"
    return {
      files = {
        ["my.cnf"] = config ..
          "bind_address = " .. n.addr .. "\n" ..
          "server_id = " .. n.number .. "\n" ..
          "innodb_flush_log_at_trx_commit = " .. (each and 1 or 2) .. "\n" ..
          "sync_binlog = " .. (each and 1 or 0) .. "\n" ..
          "rpl_semi_sync_master_enabled = " .. (semisync and "ON" or "OFF") .. "\n" ..
          "rpl_semi_sync_slave_enabled = " .. (semisync and "ON" or "OFF") .. "\n" ..
          "rpl_semi_sync_master_timeout = " .. n.knobs.timeout .. "\n" ..
          "rpl_semi_sync_master_wait_point = " .. n.knobs.wait .. "\n" ..
          "!include {dir}/role.cnf\n",
        ["init.sql"] = init,
        ["follow.sh"] = follow,
      },
      once = {["role.cnf"] = "[mariadbd]\nread_only = " .. (leads and "OFF" or "ON") .. "\n"},
      prepare = {
        {"mkdir", "-p", "tmp"},
        {
          "mariadb-install-db", "--no-defaults", "--datadir={dir}/data", "--tmpdir={dir}/tmp",
          "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
          "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M",
          "--innodb-flush-log-at-trx-commit=0",
        },
      },
      run = {{"mariadbd", "--defaults-file={dir}/my.cnf"}},
      after = leads and {} or {sql(source:format(n.nodes[leader].addr), "30s")},
      promote = {
        sql("STOP SLAVE IO_THREAD"),
        {
          "sh", "-c", "mariadb --defaults-file=my.cnf -e 'SHOW SLAVE STATUS\\G' | " ..
            "grep -q 'has read all relay log'", retry = "10s",
        },
        {"sh", "-c", "printf '[mariadbd]\\nread_only = OFF\\n' >role.cnf"},
        sql("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only=OFF"),
      },
      follow = {
        {
          "mariadb", "--defaults-file={dir}/my.cnf", "--host={leader}", "--user=rep",
          "--password=rep", "-e", "SELECT 1", retry = "25s",
        },
        {"sh", "{dir}/follow.sh", "{leader}"},
      },
    }
  end,
})

variant("mariadb-real-semisync", {replication = "semisync", reads = "leader"}, {
  cut = "15s",
  differs = "after its timeout it goes on alone and says so to nobody; a failover then loses " ..
    "what was acknowledged meanwhile",
})

variant("mariadb-real-semisync-1s", {
  replication = "semisync", reads = "leader", timeout = "1000",
}, {
  differs = "after 1 s it goes on alone and says so to nobody; a failover then loses what was " ..
    "acknowledged meanwhile",
})
