-- Without a fault: by the header "country", and to all where there is none.
exchange.register{
	name = "x-country",
	description = "by country",
	arguments = { { name = "upper", type = "boolean", default = false } },
	depends = { "headers.country" },
	validate = function(exchange)
		if exchange.internal then return false, "not an internal one" end
	end,
	route = function(message, bindings, emit, exchange)
		local country = message.headers.country
		if country == nil then return bindings end
		if type(country) ~= "string" then return nil end
		if exchange.arguments.upper then country = string.upper(country) end
		return bindings:match(country)
	end,
}

function hook.publish(message, context)
	if message.app_id == "a" then return "nack", "no more of a" end
	if context.user == "guest" then message.headers.seen = "yes" end
end

function access.authorize(question)
	if question.operation == "write" and question.name == "*" then return "deny", "not there" end
	return "next"
end

function test_by_country()
	local x = test.exchange("x-country")
	x:bind{ routing_key = "de", destination = "german" }
	x:bind{ routing_key = "fr", destination = "french" }
	test.equal(x:route{ headers = { country = "fr" } }, { "french" })
	test.equal(x:route{ headers = { country = "nl" } }, {})
	test.equal(x:route{}, { "french", "german" })
end
