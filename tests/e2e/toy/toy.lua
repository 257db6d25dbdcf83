-- SPDX-License-Identifier: MIT
-- toy.lua - a database that tests can start, break and look into; see db.py
local port = 7001
local folder = "@FOLDER@" -- of db.py

local function say(...)
  return {"python3", folder .. "/say.py", ...}
end

system("toy", {
  programs = {"python3"},
  driver = "program:driver.py",
  port = port,
  nodes = {1, 5},
  knobs = {mode = {"whole", "ends", "silent", "unprepared"}},
  like = "mysql-async",
  kept = "nothing",
  differs = "it does not replicate",
  rate = 200, deadline = "1s", ready = "8s",
  leader = true,
  skew = true,
  node = function(n)
    local mode = n.knobs.mode
    local me = n.number == 1
    local address = n.addr
    local run = {{"python3", folder .. "/db.py", address, tostring(port), n.nodes[1].addr}}

    if mode == "ends" and n.number == 2 then
      run[#run + 1] = {"sh", "-c", "echo the sky is falling; exit 3"}
    elseif mode == "silent" and me then
      run = {{"sh", "-c", "while :; do echo nothing to say; sleep 0.5; done"}}
    end
    return {
      files = {["conf/toy.conf"] = n.name .. " {dir} {cluster} {other}\n"},
      once = {["once"] = "first\n"},
      prepare = {{"sh", "-c", "test ! -e prepared && echo prepared >prepared"}},
      run = run,
      after = {
        mode == "unprepared" and me and {"sh", "-c", "echo no such luck; exit 5"} or {"true"},
        -- The others are there sooner or later.
        {"python3", folder .. "/say.py", n.nodes[#n.nodes].addr, tostring(port), "status",
          retry = "7s"},
        {"sh", "-c", "echo after >>after"},
      },
      promote = {say(address, tostring(port), "lead")},
      follow = {
        say(address, tostring(port), "follow", "{leader}"),
        {"sh", "-c", "echo {name} >leads"},
      },
      env = {TOY = "{dir}/toy"},
    }
  end,
})
