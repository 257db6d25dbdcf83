-- SPDX-License-Identifier: MIT
-- cockroachdb.lua - CockroachDB: Raft, a leaseholder; reads of the leaseholder, or of old copies
--
-- Written by the documentation of CockroachDB 22.2 to 24.3, not run here: Debian has no package.
-- It speaks PostgreSQL's protocol. Its ranges have three replicas, wherever there are more nodes.
-- What a read with reads=follower shows is some 4 s old; versions before 24.3 want a license.

local sql, http = 26257, 8080

local function address(node, port)
  return node.addr .. ":" .. port
end

-- postgres is who asks for the status.
local schema = [[
CREATE TABLE IF NOT EXISTS postgres.public.kv (k STRING PRIMARY KEY, v STRING NOT NULL);
CREATE USER IF NOT EXISTS postgres;
CREATE USER IF NOT EXISTS pacelab;
GRANT admin TO postgres;
GRANT ALL ON TABLE postgres.public.kv TO pacelab;]]

-- What was initialized already is no error worth stopping at: what comes next tells.
local function initiate(n)
  local to = "--insecure --host=" .. address(n, sql)
  return {"sh", "-c", string.format([[
cockroach init %s
exec cockroach sql %s -e '%s']], to, to, schema), retry = "40s"}
end

system("cockroachdb-real", {
  programs = {"cockroach"},
  driver = "postgres",
  port = sql,
  nodes = {3, 7},
  knobs = {reads = {"leaseholder", "follower"}},
  like = function(knobs)
    return knobs.reads == "follower" and "etcd-serializable" or "raft"
  end,
  client = function(knobs)
    return "server=cockroach reads=" .. knobs.reads
  end,
  kept = "the server itself; a client asks the nearest node, which asks the leaseholder",
  differs = "each range has a leaseholder of its own, wherever that is; who is left waits some " ..
    "seconds for a lease to end; a gateway tries again by itself what a range did not answer",
  not_run = "no package in Debian; www.cockroachlabs.com/docs/releases has the program",
  rate = 200,
  deadline = "1s",
  cut = "25s",
  settle = "15s",
  ready = "90s",
  node = function(n)
    local join = {}
    for i, node in ipairs(n.nodes) do
      join[i] = address(node, sql)
    end
    return {
      run = {{
        "cockroach", "start", "--insecure", "--store=path={dir}/store",
        "--listen-addr=" .. address(n, sql), "--http-addr=" .. address(n, http),
        "--join=" .. table.concat(join, ","), "--locality=site=" .. n.site,
        "--cache=64MiB", "--max-sql-memory=64MiB",
      }},
      after = n.number == (n.leader or 1) and {initiate(n)} or {},
      env = {HOME = "{dir}", COCKROACH_SKIP_ENABLING_DIAGNOSTIC_REPORTING = "true"},
    }
  end,
})

variant("cockroachdb-real-follower", {reads = "follower"}, {
  differs = "the nearest copy answers with what was so some 4 s ago, in no order that a session " ..
    "of one client could rely on after a write of its own",
})
