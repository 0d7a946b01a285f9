-- SPDX-License-Identifier: MIT
--
-- Routes by ranges of a number in a header: an exchange type "x-header-range". Large orders go to
-- one queue, small ones to another; or priorities, sizes, temperatures.
--
-- In shunt.conf:
--	script = by-header-range
--
-- Arguments of exchange.declare:
--	header  the name of the header
-- Arguments of queue.bind:
--	from    the smallest number that matches; without it there is no smallest one
--	below   the smallest number that does not match any more; without it there is none

exchange.register {
	name = "x-header-range",
	description = "by ranges of a number in a header",
	arguments = {
		{ name = "header", type = "string", required = true, minimum = 1, maximum = 255,
		  help = "the header with the number" },
	},
	bind_arguments = {
		{ name = "from", type = "number", help = "the smallest number that matches" },
		{ name = "below", type = "number", help = "the smallest that does not any more" },
	},
	validate_binding = function(exchange, binding)
		local from, below = binding.arguments.from, binding.arguments.below
		if from and below and from >= below then
			return false, "from is not smaller than below: nothing would match"
		end
	end,

	-- What is looked at for each message is kept as it is needed: in the exchange's state, which each
	-- loop has for itself.
	bind = function(exchange, binding)
		exchange.state[binding.id] = {
			from = binding.arguments.from or -math.huge,
			below = binding.arguments.below or math.huge,
			binding = binding,
		}
	end,
	unbind = function(exchange, binding)
		exchange.state[binding.id] = nil
	end,
	route = function(message, bindings, emit, exchange)
		local header = exchange.arguments.header
		local kind, bytes = message:header_type(header)
		-- no number has more bytes, and a table costs time
		if kind ~= "number" and (kind ~= "string" or bytes > 100) then return end
		local number = tonumber(message.headers[header])
		if not number then return end
		for _, range in pairs(exchange.state) do
			if range.from <= number and number < range.below then emit(range.binding) end
		end
	end,
}

-- Tests

local function example()
	local x = test.exchange("x-header-range", { arguments = { header = "amount" } })
	x:bind { destination = "small", arguments = { below = 100 } }
	x:bind { destination = "large", arguments = { from = 100 } }
	x:bind { destination = "audit", arguments = { from = 1000.5, below = 1e6 } }
	x:bind { destination = "all" }
	return x
end

function test_ranges()
	local x = example()
	test.equal(x:route { headers = { amount = -5 } }, { "all", "small" })
	test.equal(x:route { headers = { amount = 99.9 } }, { "all", "small" })
	test.equal(x:route { headers = { amount = 100 } }, { "all", "large" })
	test.equal(x:route { headers = { amount = 1001 } }, { "all", "audit", "large" })
	test.equal(x:route { headers = { amount = "1001" } }, { "all", "audit", "large" })
end

function test_no_number()
	local x = example()
	test.equal(x:route {}, {})
	test.equal(x:route { headers = { amount = "much" } }, {})
end

function test_what_is_unbound_is_gone()
	local x = test.exchange("x-header-range", { arguments = { header = "amount" } })
	local b = x:bind { destination = "all" }
	x:unbind(b)
	test.equal(x:route { headers = { amount = 1 } }, {})
end

function test_empty_range_is_refused()
	local x = example()
	local why = test.refused(function() x:bind { arguments = { from = 2, below = 2 } } end)
	test.equal(why, "from is not smaller than below: nothing would match")
end
