-- SPDX-License-Identifier: MIT
--
-- Routes by a field of the body, which is JSON: an exchange type "x-json-field". A message goes to the
-- bindings whose routing key is the value of the field. So publishers need no routing keys, and who
-- consumes says which orders, which customers it wants.
--
-- In shunt.conf:
--	script = by-json-field
--
-- Arguments of exchange.declare:
--	field     where the value is: "country", "order.country", "lines.1.sku" (places count from 1)
--	fallback  the key that counts for messages without the field, or whose body is no JSON;
--	          without it they are unroutable

exchange.register {
	name = "x-json-field",
	description = "by a field of the JSON body",
	arguments = {
		{ name = "field", type = "string", required = true, minimum = 1, maximum = 255,
		  help = "where the value is, as a.b.1" },
		{ name = "fallback", type = "string", help = "the key for messages without it" },
	},
	route = function(message, bindings, emit, exchange)
		-- true: an object or array is no key, and is not made: so no body costs too much
		local value = message:json(exchange.arguments.field, true)
		if value == nil then value = exchange.arguments.fallback end
		return bindings:match(value ~= nil and tostring(value) or nil)
	end,
}

-- Tests: they run whenever the script is loaded.

local function example(arguments)
	local x = test.exchange("x-json-field", { arguments = arguments })
	x:bind { routing_key = "de", destination = "germany" }
	x:bind { routing_key = "7", destination = "seven" }
	x:bind { routing_key = "none", destination = "rest" }
	return x
end

function test_value_is_the_key()
	local x = example { field = "order.country" }
	test.equal(x:route { body = '{"order": {"country": "de"}}' }, { "germany" })
	test.equal(x:route { body = '{"order": {"country": "fr"}}' }, {})
end

function test_numbers_are_keys()
	local x = example { field = "lines.2" }
	test.equal(x:route { body = '{"lines": [5, 7]}' }, { "seven" })
end

function test_without_the_field()
	local x = example { field = "country" }
	test.equal(x:route { body = '{}' }, {})
	test.equal(x:route { body = "no JSON" }, {})
	test.equal(x:route { body = '{"country": {"code": "de"}}' }, {})
	x = example { field = "country", fallback = "none" }
	test.equal(x:route { body = '{}' }, { "rest" })
	test.equal(x:route {}, { "rest" })
end

function test_the_field_must_be_named()
	test.refused(test.exchange, "x-json-field")
end
