-- SPDX-License-Identifier: MIT
-- mongodb.lua - MongoDB: a replica set; who acknowledges a write, what a read may show, and where
--
-- Written by the manual of MongoDB 7.0, not run here: Debian has neither the server nor its shell.
-- The first settings are the server's own since 5.0: write concern majority, read concern local.

local port = 27017

local function host(node)
  return node.addr .. ":" .. port
end

local function shell(n, script, retry)
  return {"mongosh", "--quiet", "--norc", "--host", n.addr, "--port", tostring(port), "--eval",
    script, retry = retry}
end

-- All have one priority: with others a primary that comes back would take over again.
local function initiate(n)
  local members = {}
  for i, node in ipairs(n.nodes) do
    members[i] = string.format('{_id: %d, host: "%s"}', i - 1, host(node))
  end
  return string.format([[
try {
  rs.initiate({_id: "lab", members: [%s], settings: {electionTimeoutMillis: %s}});
} catch (e) {
  if (e.codeName !== "AlreadyInitialized") throw e;
}]], table.concat(members, ", "), n.knobs.election)
end

-- An election that this member calls for itself; who led steps down when it hears of it.
local lead = [[
if (!db.hello().isWritablePrimary && db.adminCommand({replSetStepUp: 1}).ok !== 1)
  throw new Error("was not elected");]]

system("mongodb-real", {
  programs = {"mongod", "mongosh"},
  driver = "mongo",
  port = port,
  nodes = {3, 7},
  knobs = {
    w = {"majority", "1", "2"},
    journal = {"no", "yes"}, -- j: true; majority waits for the journal in any case
    readconcern = {"local", "majority", "linearizable"},
    reads = {"primary", "nearest"},
    election = {"10000", "2000"}, -- ms, electionTimeoutMillis
  },
  like = function(knobs)
    if knobs.reads == "nearest" then
      if knobs.readconcern == "linearizable" then
        error("a linearizable read is the primary's: --set reads=primary")
      end
      return knobs.w == "majority" and knobs.readconcern == "majority" and "etcd-serializable" or
        "redis-replicas"
    end
    if knobs.w ~= "majority" or knobs.readconcern == "local" then
      return "mongodb-one"
    end
    return knobs.readconcern == "majority" and "mongodb-majority" or "raft"
  end,
  client = function(knobs)
    return string.format("w=%s journal=%s readconcern=%s reads=%s", knobs.w, knobs.journal,
      knobs.readconcern, knobs.reads)
  end,
  kept = "the server itself; clients ask all members who is primary, and keep that one until " ..
    "its connection ends or it says that it is none",
  differs = "a read of concern local shows what may be rolled back, even if its writer waits " ..
    "for a majority; a primary that is cut off goes on for electionTimeoutMillis",
  not_run = "neither server nor shell is in Debian; www.mongodb.com/docs/manual/installation " ..
    "has mongodb-org-server and mongodb-mongosh",
  rate = 200,
  deadline = "1s",
  cut = "25s", -- two election timeouts and the time to find the new one
  settle = "15s",
  ready = "60s",
  leader = true,
  node = function(n)
    return {
      prepare = {{"mkdir", "-p", "{dir}/db"}},
      run = {{
        "mongod", "--replSet", "lab", "--dbpath", "{dir}/db", "--bind_ip", n.addr,
        "--port", tostring(port), "--unixSocketPrefix", "{dir}", "--oplogSize", "64",
        "--wiredTigerCacheSizeGB", "0.25",
        "--setParameter", "diagnosticDataCollectionEnabled=false",
      }},
      after = n.number == n.leader and {shell(n, initiate(n), "40s"), shell(n, lead, "20s")} or {},
      promote = {shell(n, lead)},
      env = {HOME = "{dir}"}, -- of the shell
    }
  end,
})

variant("mongodb-real-majority", {readconcern = "majority"}, {
  differs = "a primary that was replaced and does not know it yet answers with old data",
})
variant("mongodb-real-linearizable", {readconcern = "linearizable"}, {
  differs = "each read waits until a majority has confirmed the primary, and fails where " ..
    "there is none",
})
variant("mongodb-real-one", {w = "1"}, {
  differs = "a write that only a replaced primary has is rolled back when that comes back",
})
variant("mongodb-real-nearest", {readconcern = "majority", reads = "nearest"}, {
  differs = "any member answers with what it knows that a majority has, however old that is",
})
