-- It says that only a header counts, and looks at the routing key. It has no test that would find it.
-- found by depends: depends is not true: two messages that are equal in what it names
exchange.register{
	name = "x-bad",
	depends = { "headers.country" },
	route = function(message, bindings)
		return bindings:match(message.routing_key)
	end,
}
