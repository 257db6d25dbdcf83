-- Every 200 ms a replica drawn by lot is killed (kill -9) and started again at once: a minute.
lab "kills"

local lot = 7 -- another one draws other replicas
seed(lot)

local nodes = {"n1", "n2", "n3"}
site("east", nodes)

rtt("east", "east", "1ms")

-- With --store quorum: reads and writes at QUORUM, which is what they are if nothing is said.
store "raft"

load {
	rate = 500, keys = 50, clients_per_site = 8,
	read = 40, write = 60, deadline = "1s",
}

local seconds, every_ms, dead_ms = 60, 200, 20
local faults = {}
local state = lot -- xorshift32 (Marsaglia 2003), for a lab is the same each time

local function draw(n)
	state = state ~ (state << 13) & 0xffffffff
	state = state ~ (state >> 17)
	state = state ~ (state << 5) & 0xffffffff
	return state % n + 1
end

for at = every_ms, seconds * 1000 - every_ms, every_ms do
	local node = nodes[draw(#nodes)]
	faults[#faults + 1] = kill(node, at .. "ms")
	faults[#faults + 1] = restart(node, at + dead_ms .. "ms")
end

phase("baseline", "2s")
phase("kills", seconds .. "s", table.unpack(faults))
phase("settled", "3s")

expect {model = "linearizable"}
