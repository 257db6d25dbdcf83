-- SPDX-License-Identifier: MIT
-- influxdb.lua - InfluxDB 1.x: one server, for the open source edition has no replicas
--
-- What it shows is what a node that is gone takes with it.

system("influxdb-real", {
  packages = {"influxdb", "curl"},
  programs = {"influxd", "curl"},
  driver = "influx",
  port = 8086,
  nodes = {1, 1},
  knobs = {
    fsync = {"0s", "100ms", "1s"}, -- how long writes are gathered before the log is forced
  },
  like = "influxdb",
  kept = "the server from Debian's package, a point per key, written over",
  differs = "no replication: a cut takes all data from who is on its other side",
  rate = 200,
  deadline = "1s",
  ready = "20s",
  node = function(n)
    return {
      files = {["influxdb.conf"] = string.format([[
reporting-disabled = true
bind-address = "%s:8088"
[meta]
  dir = "{dir}/meta"
[data]
  dir = "{dir}/data"
  wal-dir = "{dir}/wal"
  wal-fsync-delay = "%s"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "%s:8086"
  log-enabled = false
]], n.addr, n.knobs.fsync, n.addr)},
      run = {{"influxd", "-config", "{dir}/influxdb.conf"}},
      after = {{
        "curl", "-fsS", "--noproxy", "*", "--max-time", "2", "--data", "q=CREATE DATABASE lab",
        "http://" .. n.addr .. ":8086/query", retry = "15s",
      }},
    }
  end,
})
