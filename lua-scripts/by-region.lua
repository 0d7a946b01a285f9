-- SPDX-License-Identifier: MIT
--
-- Routes by geographic prefixes: an exchange type "x-region". Routing keys are geohashes ("u33dc0",
-- Berlin) or any other names that grow finer from left to right ("eu-de-berlin"). A message goes to the
-- bindings with the longest key that its own begins with: who serves Berlin gets Berlin's, who serves
-- Germany the rest of Germany's.
--
-- In shunt.conf:
--	script = by-region
--
-- A binding with an empty key gets what nobody else does.

exchange.register {
	name = "x-region",
	description = "to the longest key that the routing key begins with",

	-- The answer depends on the routing key alone: the broker keeps it, and asks again when a binding
	-- comes or goes.
	depends = { "routing_key" },
	route = function(message, bindings)
		local key = message.routing_key
		for length = #key, 0, -1 do
			local list = bindings:match(key:sub(1, length))
			if #list > 0 then return list end
		end
	end,
}

-- Tests

function test_longest_key_wins()
	local x = test.exchange("x-region")
	x:bind { routing_key = "u", destination = "europe" }
	x:bind { routing_key = "u33", destination = "berlin" }
	x:bind { routing_key = "u33", destination = "archive" }
	test.equal(x:route { routing_key = "u33dc0" }, { "archive", "berlin" })
	test.equal(x:route { routing_key = "u33" }, { "archive", "berlin" })
	test.equal(x:route { routing_key = "u2" }, { "europe" })
	test.equal(x:route { routing_key = "9q8" }, {})
end

function test_empty_key_gets_the_rest()
	local x = test.exchange("x-region")
	x:bind { routing_key = "u", destination = "europe" }
	x:bind { routing_key = "", destination = "rest" }
	test.equal(x:route { routing_key = "9q8" }, { "rest" })
	test.equal(x:route {}, { "rest" })
	test.equal(x:route { routing_key = "u" }, { "europe" })
end
