-- How soon is a write seen where R + W <= N? Staleness beside its prediction (pacelab pbs).
--
-- The validation of Bailis et al., "Probabilistically Bounded Staleness for Practical Partial
-- Quorums", VLDB 2012, section 5, on packets. Three replicas have the data. Writers and readers
-- talk to coordinators of their own, which have none: so the links between a writers' coordinator
-- and the replicas carry W (there) and A (back), those of a readers' coordinator R and S, and each
-- link has the distribution that the paper gives to that message. Every frame has a delay of its
-- own: links let frames overtake, and messages are datagrams. Nothing else moves data: no read
-- repair, no hints, no anti-entropy.
--
--     pacelab run pbs --param "case=exp-20-10"      W of mean 20 ms; A, R and S of mean 10 ms
--     pacelab run pbs --param "case=lnkd-disk scale=2"
lab "pbs"
seed(7)

local case = param("case", "exp-20-10")
local scale = tonumber(param("scale", "1"))
local duration = param("duration", "40s")
local rate = tonumber(param("rate", "3000"))

local function ms(x) return string.format("%.0fns", x * scale * 1e6) end

local function mixture(weight, xm, alpha, exponential)
	return function(offset)
		return {pareto = {ms(xm), alpha}, exponential = ms(exponential), weight = weight,
			offset = ms(offset), overtake = true}
	end
end

local function exponential(mean)
	return function(offset)
		return {exponential = ms(mean), offset = ms(offset), overtake = true}
	end
end

-- Table 3 of the paper; of YMMR's writes it prints 3.35, and its figures come out with 3.5.
local ssd = mixture(0.9122, 0.235, 10, 1 / 1.66)
local disk = mixture(0.38, 1.05, 1.51, 1 / 0.183)
local kinds = {
	["lnkd-ssd"] = {w = ssd, ars = ssd, period = 33},
	["lnkd-disk"] = {w = disk, ars = ssd, period = 150},
	["ymmr"] = {
		w = mixture(0.939, 3, 3.5, 1 / 0.0028),
		ars = mixture(0.982, 1.5, 3.8, 1 / 0.0217),
		period = 4000, deadline = "10s",
	},
	["wan"] = {w = disk, ars = ssd, period = 600, sites = 3, far = 75},
}
local w, ars = case:match("^exp%-([%d.]+)%-([%d.]+)$")
local kind = w and {w = exponential(tonumber(w)), ars = exponential(tonumber(ars)), period = 330}
	or kinds[case]
if not kind then
	error("case=" .. case .. ": exp-W-ARS with means in ms, lnkd-ssd, lnkd-disk, ymmr or wan")
end

local levels = {"one", "two", "all"}
local centres = kind.sites or 1 -- in which there are coordinators
local each = kind.sites and 12 or 40
local write_share = kind.sites and 1 or 4
local read_share = kind.sites and {16, 9, 5} or {46, 26, 16}

-- One program may load several cases: each has names of its own.
local function named(name)
	return name .. "." .. case .. "." .. tostring(scale)
end

distribution(named("w"), kind.w(0))
distribution(named("ars"), kind.ars(0))
if kind.far then
	distribution(named("w-far"), kind.w(kind.far))
	distribution(named("ars-far"), kind.ars(kind.far))
end

site("store", {"n1", "n2", "n3"})
clients("store", {share = 0})

local links = {}
local function way(from, to, name, far)
	links[#links + 1] = link(from, to,
		"distribution " .. named(name .. (far and "-far" or "")), {one_way = true})
end

-- A coordinator in centre @c is near to replica c, where there is more than one centre.
local function coordinator(kind_of, number, c, there)
	local name = kind_of .. number .. (centres > 1 and ("abc"):sub(c, c) or "")
	local node = "at-" .. name

	site(name, {node})
	for i = 1, 3 do
		local far = centres > 1 and i ~= c

		way(node, "n" .. i, there, far)
		way("n" .. i, node, "ars", far)
	end
	return name
end

for number, level in ipairs(levels) do
	for c = 1, centres do
		clients(coordinator("w", number, c, "w"),
			{share = write_share, read = 0, write = 100, level = level})
		clients(coordinator("r", number, c, "ars"),
			{share = read_share[number], read = 100, write = 0, level = level})
	end
end

store("cassandra-one", {
	set = "copies=3 unrepaired=yes datagrams=yes anti_entropy=0",
	fsync = "none", election = "30s-60s", heartbeat = "5s",
})

-- Each key is written about once in the period.
local writers = #levels * centres * each
local turn = rate * write_share * #levels * centres / 100 / writers -- writes per second of one
load {
	rate = rate, clients_per_site = each, one_writer = true,
	keys = writers * math.max(1, math.floor(turn * kind.period * scale / 1000 + 0.5)),
	read = 50, write = 50, deadline = kind.deadline or scale > 1 and "5s" or "2s",
}

-- Connections are made before delays are in their way.
phase("connect", "1s")
phase("warm-up", "4s", table.unpack(links))
phase("measured", duration, table.unpack(links))
