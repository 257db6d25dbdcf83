-- SPDX-License-Identifier: MIT
-- galera.lua - MariaDB with Galera: all nodes take writes, certified in one total order
--
-- The first node founds the cluster, the others get all its data from it (SST by rsync), one by
-- one; as each has an empty database to begin with, only the differences travel, which is what
-- rsync_wan adds. A node that was killed looks up how far it has come and asks for the rest (IST).

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
binlog_format = ROW
default_storage_engine = InnoDB
innodb_autoinc_lock_mode = 2
wsrep_on = ON
wsrep_provider = /usr/lib/galera/libgalera_smm.so
wsrep_cluster_name = lab{cluster}
wsrep_sst_method = rsync_wan
]]

-- Replicated to all.
local init = [[
CREATE DATABASE IF NOT EXISTS lab;
CREATE TABLE IF NOT EXISTS lab.kv(
  k VARCHAR(32) CHARACTER SET ascii PRIMARY KEY,
  v BIGINT UNSIGNED NOT NULL
);
CREATE USER IF NOT EXISTS lab@'%' IDENTIFIED BY 'lab';
GRANT SELECT, INSERT, UPDATE, DELETE ON lab.* TO lab@'%';
]]

-- $1: "found" on the first node, which does so at its first start. How far a server has come that
-- was killed stands in the log of a start that only looks.
local run = [[
set -eu
new= position=
[ "$1" = join ] || new=--wsrep-new-cluster
if [ -e started ]; then
  new=
  mariadbd --defaults-file=my.cnf --wsrep-recover --log-error="$PWD/recover.log" \
    >/dev/null 2>&1 || true
  position=$(sed -n 's/.*WSREP: Recovered position:* *//p' recover.log | tail -n 1)
  rm -f recover.log
fi
: >started
exec mariadbd --defaults-file=my.cnf $new ${position:+--wsrep-start-position="$position"}
]]

-- How a node is found to be gone. Shorter timers than these were seen to leave a loaded cluster
-- without any majority.
local evs = {
  tuned = ";evs.keepalive_period=PT0.3S;evs.suspect_timeout=PT1S;evs.inactive_timeout=PT5S" ..
    ";evs.inactive_check_period=PT0.3S;evs.install_timeout=PT5S;evs.join_retrans_period=PT0.3S",
  default = "",
}

system("galera-real", {
  packages = {"mariadb-server", "mariadb-client", "galera-4", "rsync", "iproute2"},
  programs = {
    "mariadbd", "mariadb-install-db", "mariadb", "rsync", "wsrep_sst_rsync",
    "/usr/lib/galera/libgalera_smm.so",
  },
  paths = {"/usr/sbin"},
  driver = "mysql",
  port = 3306,
  nodes = {3, 7},
  knobs = {
    -- Wait for all that was ordered before: 1 reads, 2 updates, 4 inserts, added up.
    sync_wait = {"0", "3", "1", "7"},
    dirty_reads = {"no", "yes"}, -- answer reads on a node that is outside of the cluster
    evs = {"tuned", "default"},
    disk = {"each", "second"},   -- synced at each commit, or once a second
  },
  like = function(knobs)
    if knobs.sync_wait ~= "0" then
      return "zookeeper-sync"
    end
    return knobs.dirty_reads == "yes" and "etcd-serializable" or "zookeeper"
  end,
  client = function(knobs)
    return "topology=galera sync_wait=" .. knobs.sync_wait .. " dirty_reads=" .. knobs.dirty_reads
  end,
  kept = "the server and galera-4 from Debian's packages: write sets certified in a total order",
  differs = "no leader: any node starts a write and waits for all others to have it; of two at " ..
    "once on a key one is refused; until a silent node is voted out nobody writes",
  rate = 200,
  deadline = "1s",
  cut = "20s",
  settle = "8s",
  ready = "90s",
  node = function(n)
    local first = n.number == 1
    local addrs = {}
    for _, node in ipairs(n.nodes) do
      addrs[#addrs + 1] = node.addr
    end
    local prepare = {
      {"mkdir", "-p", "tmp"},
      {
        "mariadb-install-db", "--no-defaults", "--datadir={dir}/data", "--tmpdir={dir}/tmp",
        "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
        "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M",
        "--innodb-flush-log-at-trx-commit=0",
      },
    }
    if not first then
      prepare[#prepare + 1] = {
        "mariadb", "--defaults-file={dir}/my.cnf", "--host=" .. n.nodes[1].addr, "--user=lab",
        "--password=lab", "-e", "SELECT COUNT(*) FROM lab.kv", retry = "60s",
      }
    end
    return {
      files = {
        ["my.cnf"] = config ..
          "bind_address = " .. n.addr .. "\n" ..
          "server_id = " .. n.number .. "\n" ..
          "innodb_flush_log_at_trx_commit = " .. (n.knobs.disk == "each" and 1 or 2) .. "\n" ..
          "wsrep_cluster_address = gcomm://" .. table.concat(addrs, ",") .. "\n" ..
          "wsrep_node_address = " .. n.addr .. "\n" ..
          "wsrep_node_name = " .. n.name .. "\n" ..
          "wsrep_provider_options = \"gmcast.listen_addr=tcp://" .. n.addr ..
          ":4567;gcache.size=16M;gcs.fc_limit=64" ..
          evs[n.knobs.evs] .. "\"\n",
        ["init.sql"] = init,
        ["run.sh"] = run,
      },
      prepare = prepare,
      run = {{"sh", "{dir}/run.sh", first and "found" or "join"}},
      after = first and {
        {"sh", "-c", "mariadb --defaults-file=my.cnf <init.sql", retry = "40s"},
      } or {},
    }
  end,
})

variant("galera-real-syncwait", {sync_wait = "3"}, {
  differs = "what is acknowledged has reached all, so a read only waits for what its own node " ..
    "has heard of: less than the round trip to a leader or a quorum that its model pays",
})

variant("galera-real-dirty", {dirty_reads = "yes"}, {
  differs = "a node that was voted out answers reads with what it had, and refuses writes",
})
