-- 101 replicas in ten regions of a cloud, one of them cut off: pacelab simulate world.
lab "world"
seed(7)
simulated()

local regions = {
	{"virginia", "us-east-1"}, {"california", "us-west-1"}, {"oregon", "us-west-2"},
	{"ireland", "eu-west-1"}, {"frankfurt", "eu-central-1"},
	{"tokyo", "ap-northeast-1"}, {"seoul", "ap-northeast-2"},
	{"singapore", "ap-southeast-1"}, {"sydney", "ap-southeast-2"}, {"saopaulo", "sa-east-1"},
}
local number = 0
for i, name in ipairs(regions) do
	local nodes = {}
	for _ = 1, i == 1 and 11 or 10 do
		number = number + 1
		nodes[#nodes + 1] = "n" .. number
	end
	site(name[1], nodes, {region = name[2]})
end

store("raft", {leader = "n1"})
stores {"raft", "cassandra-quorum", "cassandra-one"}

load {clients_per_site = 40, rate = 300, keys = 50, read = 50, write = 50, deadline = "3s"}

say [[101 replicas where Amazon has regions, as far apart as these are. The leader is in
	Virginia: who asks elsewhere pays the way there, and then the leader's way to a majority.]]
phase("whole", "20s")

say [[Singapore is cut off, with 10 replicas of 101: its clients can reach them, and they
	cannot reach a majority.]]
phase("cut", "20s", isolate("singapore"))

say "The links are back."
phase("healed", "20s")

expect {model = "linearizable", lost = "none", converged = true}
