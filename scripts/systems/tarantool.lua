-- SPDX-License-Identifier: MIT
-- tarantool.lua - Tarantool: all nodes are masters and send each other their logs
--
-- Debian's 2.6 has no elections, and its synchronous spaces were seen to differ without any fault:
-- so asynchronous replication only.

system("tarantool-real", {
  packages = {"tarantool"},
  programs = {"tarantool"},
  driver = "tarantool",
  port = 3301,
  nodes = {2, 7},
  knobs = {
    wal = {"fsync", "write"}, -- is a write on disk before it is acknowledged?
  },
  like = "multimaster",
  client = "",
  kept = "the server from Debian's package: a log from each master to all others",
  differs = "nothing decides between two writes to a key at once: each node keeps the one that " ..
    "reaches it last, so they may differ for ever",
  rate = 300,
  deadline = "1s",
  cut = "5s",
  settle = "6s",
  ready = "40s",
  apart = true,
  node = function(n)
    local peers = {}
    for _, node in ipairs(n.nodes) do
      peers[#peers + 1] = "'" .. node.addr .. ":3301'"
    end
    -- The first start waits for all, who agree on one of them that founds the cluster; the others
    -- can join once guests may do all, and find the rest done. Later starts go on alone.
    local init = "local first = #require('fio').glob('{dir}/*.snap') == 0\n" ..
      "box.cfg{listen = '" .. n.addr .. ":3301', replication = {" ..
      table.concat(peers, ", ") .. "}, work_dir = '{dir}',\n" ..
      "  memtx_memory = 64 * 1024 * 1024, wal_mode = '" .. n.knobs.wal .. "',\n" ..
      "  replication_timeout = 0.3, replication_connect_timeout = 30,\n" ..
      "  replication_connect_quorum = first and " .. #n.nodes .. " or 1}\n" ..
      "box.once('lab', function()\n" ..
      "  box.schema.user.grant('guest', 'super')\n" ..
      "  box.schema.space.create('kv')\n" ..
      "  box.space.kv:create_index('pk', {parts = {{1, 'string'}}})\n" ..
      "end)\n"
    return {
      files = {["init.lua"] = init},
      run = {{"tarantool", "{dir}/init.lua"}},
    }
  end,
})
