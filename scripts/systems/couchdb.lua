-- SPDX-License-Identifier: MIT
-- couchdb.lua - CouchDB's protocol by pouchdb-server: every node takes writes, all pull from all
--
-- A second process asks for one replication after the other, without end: pouchdb-server 4.2.0 ends
-- when a continuous one that is to be retried loses its connection, as it does in a cut.
-- CouchDB itself has no package in Debian; its users change `run` and keep the rest.

local port = 5984

local function url(node)
  return "http://" .. node.addr .. ":" .. port
end

-- Creates the database, then pulls from all others, again and again.
local function replicate(n)
  local curl = "curl -s -o /dev/null --noproxy '*' --max-time 2 -w '%{http_code}' " ..
    "-H 'Content-Type: application/json' "
  local script = {
    "until case $(" .. curl .. "-X PUT " .. url(n) .. "/lab) in 201|412) ;; *) false ;; esac",
    "do sleep 0.1; done",
  }
  for _, node in ipairs(n.nodes) do
    if node.number ~= n.number then
      script[#script + 1] = "while :; do " .. curl .. "-X POST -d '" ..
        '{"source":"' .. url(node) .. '/lab","target":"lab"}' .. "' " .. url(n) ..
        "/_replicate >/dev/null; sleep 0.3; done &"
    end
  end
  script[#script + 1] = "wait"
  return {"sh", "-c", table.concat(script, "\n")}
end

system("couchdb-real", {
  packages = {"nodejs", "curl"},
  install = "npm install -g pouchdb-server (npm is a package of its own where nodejs lacks it)",
  programs = {"node", "curl", "pouchdb-server"},
  paths = {"/usr/local/bin"},
  driver = "couch",
  port = port,
  nodes = {2, 5},
  like = "couchdb",
  kept = "pouchdb-server: CouchDB's HTTP and replication protocols, a database on each node",
  differs = "a write names the revision it replaces and fails if somebody was faster (409); " ..
    "not CouchDB itself; replication by requests 0.3 s apart, not continuous",
  rate = 30,
  clients = 10,
  deadline = "1s",
  settle = "4s",
  ready = "30s",
  node = function(n)
    return {
      files = {["config.json"] = "{}"},
      run = {
        {
          "pouchdb-server", "--host", n.addr, "--port", tostring(port), "--dir", "{dir}",
          "--config", "{dir}/config.json", "--no-stdout-logs", "--no-color",
        },
        replicate(n),
      },
      -- A replication whose source does not answer is rejected with nobody listening, for which
      -- Node ends since its version 15.
      env = {NODE_OPTIONS = "--max-old-space-size=128 --unhandled-rejections=warn"},
    }
  end,
})
