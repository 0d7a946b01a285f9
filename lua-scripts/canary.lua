-- SPDX-License-Identifier: MIT
--
-- Splits messages by weights: an exchange type "x-canary". One message in twenty goes to the new
-- version of a service, the others to the old one. Each message goes to one binding.
--
-- In shunt.conf:
--	script = canary
--
-- Arguments of exchange.declare:
--	sticky  a header: messages that are equal in it go the same way as long as the bindings stay;
--	        without it, and for messages without the header, chance decides
-- The routing key of a binding is its weight, as for x-consistent-hash: 95 and 5, or 19 and 1.

local LARGEST = 1 << 32

-- The same number for the same text, 0 <= number < 1.
local function fraction_of(text)
	return tonumber(crypto.sha256(text):sub(1, 8), 16) / LARGEST
end

-- Of a header, as a text; nil without it, or if it is a table, or longer than anybody's name is.
local function stable_value(message, name)
	local kind, bytes = message:header_type(name)
	if not kind or kind == "table" or (bytes or 0) > 4096 then return nil end
	return tostring(message.headers[name])
end

exchange.register {
	name = "x-canary",
	description = "to one binding, by their weights",
	arguments = {
		{ name = "sticky", type = "string", minimum = 1, maximum = 255,
		  help = "messages that are equal in this header go the same way" },
	},
	validate_binding = function(exchange, binding)
		local weight = math.tointeger(tonumber(binding.routing_key))
		if not weight or weight < 0 or weight > 1000000 then
			return false, "the routing key must be a weight, 0 to 1000000"
		end
	end,

	-- The bindings stand in the order of their ids, so that all loops choose alike.
	bind = function(exchange, binding)
		local state = exchange.state
		state.list = state.list or {}
		state.sum = (state.sum or 0) + tonumber(binding.routing_key)
		table.insert(state.list, { id = binding.id, weight = tonumber(binding.routing_key),
					   binding = binding })
		table.sort(state.list, function(a, b) return a.id < b.id end)
	end,
	unbind = function(exchange, binding)
		local state = exchange.state
		for i, entry in ipairs(state.list) do
			if entry.id == binding.id then
				state.sum = state.sum - entry.weight
				table.remove(state.list, i)
				return
			end
		end
	end,
	route = function(message, bindings, emit, exchange)
		local state, sticky = exchange.state, exchange.arguments.sticky
		local value = sticky and stable_value(message, sticky)
		local place = (value and fraction_of(value) or math.random()) * (state.sum or 0)
		for _, entry in ipairs(state.list or {}) do
			place = place - entry.weight
			if place < 0 then return entry.binding end
		end
	end,
}

-- Tests

local function example(arguments)
	local x = test.exchange("x-canary", { arguments = arguments })
	x:bind { destination = "old", routing_key = "90" }
	return x, x:bind { destination = "new", routing_key = "10" }
end

local function count_new(x, message_of)
	local new = 0
	for i = 1, 500 do
		local where = x:route(message_of(i))
		test.equal(#where, 1)
		if where[1] == "new" then new = new + 1 end
	end
	return new
end

function test_weights_count()
	local new = count_new(example(), function() return {} end)
	test.equal(new > 15 and new < 100, true, new .. " of 500 went to the new one")
end

function test_equal_headers_go_the_same_way()
	local x = example { sticky = "customer" }
	local new = count_new(x, function(i) return { headers = { customer = "c" .. i } } end)
	test.equal(new > 15 and new < 100, true, new .. " of 500 went to the new one")
	local where = x:route { headers = { customer = "c1" } }
	for _ = 1, 50 do
		test.equal(x:route { headers = { customer = "c1" } }, where)
	end
end

function test_bindings_go()
	local x, new = example()
	x:unbind(new)
	test.equal(count_new(x, function() return {} end), 0)
	test.equal(test.exchange("x-canary"):route {}, {})
end

function test_weights_are_numbers()
	local x = example()
	for _, weight in ipairs { "", "many", "-1", "1.5" } do
		test.refused(x.bind, x, { routing_key = weight })
	end
end
