-- SPDX-License-Identifier: MIT
--
-- Sorts dead letters: an exchange type "x-triage", to be used as a dead-letter exchange. It looks at
-- the header x-death, which tells why a message died and how often, and goes to the bindings with one
-- of these routing keys:
--	retry     it was rejected, and may be tried again
--	park      it has died too often: somebody must look at it
--	expired   nobody took it in time
--	overflow  a queue was full
--	unknown   there is no x-death, or it says something else
--
-- In shunt.conf:
--	script = dead-letter-triage
--
-- Arguments of exchange.declare:
--	attempts  how often a message may die before it is parked (default 3)

local KEYS = { rejected = "retry", expired = "expired", maxlen = "overflow", delivery_limit = "park" }

-- The broker writes an entry for each queue and reason. What is longer is somebody else's work.
local LONGEST = 16384

local function deaths(list)
	local count = 0
	for _, death in ipairs(list) do
		count = count + (type(death) == "table" and math.tointeger(death.count) or 1)
	end
	return count
end

exchange.register {
	name = "x-triage",
	description = "dead letters by why, and how often, they died",
	arguments = {
		{ name = "attempts", type = "integer", minimum = 1, maximum = 1000, default = 3,
		  help = "deaths before a message is parked" },
	},
	depends = { "headers.x-death" },
	route = function(message, bindings, emit, exchange)
		local last, list
		local kind, bytes = message:header_type("x-death")
		if kind == "table" and bytes <= LONGEST then
			list = message.headers["x-death"]
			last = list[1]
		end
		if type(last) ~= "table" then return bindings:match("unknown") end
		local key = KEYS[last.reason] or "unknown"
		if key == "retry" and deaths(list) > exchange.arguments.attempts then key = "park" end
		return bindings:match(key)
	end,
}

-- Tests

local function example(arguments)
	local x = test.exchange("x-triage", { arguments = arguments })
	for _, key in ipairs { "retry", "park", "expired", "overflow", "unknown" } do
		x:bind { routing_key = key, destination = key }
	end
	return x
end

local function death(reason, count)
	return { headers = { ["x-death"] = { { reason = reason, count = count, queue = "work" } } } }
end

function test_reasons()
	local x = example()
	test.equal(x:route(death("rejected", 1)), { "retry" })
	test.equal(x:route(death("expired", 9)), { "expired" })
	test.equal(x:route(death("maxlen", 1)), { "overflow" })
	test.equal(x:route(death("delivery_limit", 1)), { "park" })
	test.equal(x:route(death("boredom", 1)), { "unknown" })
end

function test_after_some_attempts_it_is_parked()
	local x = example { attempts = 2 }
	test.equal(x:route(death("rejected", 2)), { "retry" })
	test.equal(x:route(death("rejected", 3)), { "park" })
	-- in two queues
	test.equal(x:route { headers = { ["x-death"] = {
		{ reason = "rejected", count = 1, queue = "b" },
		{ reason = "rejected", count = 2, queue = "a" } } } }, { "park" })
end

function test_without_x_death()
	local x = example()
	test.equal(x:route {}, { "unknown" })
	test.equal(x:route { headers = { ["x-death"] = "long ago" } }, { "unknown" })
	test.equal(x:route { headers = { ["x-death"] = { "long ago" } } }, { "unknown" })
end
