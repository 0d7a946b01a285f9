-- SPDX-License-Identifier: MIT
--
-- Closes an exchange to a user for some hours of the day: no orders of the batch job while the shop is
-- open. The publisher gets 403 ACCESS_REFUSED with the reason.
--
-- In shunt.conf:
--	script = closed-hours
--	script.closed-hours.user = batch
--	script.closed-hours.exchange = orders
--	script.closed-hours.from = 8
--	script.closed-hours.until = 18
--
-- Settings:
--	script.closed-hours.user = NAME       whose publishes are refused
--	script.closed-hours.exchange = NAME   to this exchange
--	script.closed-hours.from = HOUR       0 to 23, the broker's local time
--	script.closed-hours.until = HOUR      1 to 24; one before `from` is of the next day

settings.require { user = "string", exchange = "string", from = "integer", ["until"] = "integer" }

local from, to = settings.from, settings["until"]
if from < 0 or from > 23 or to < 1 or to > 24 or from == to then
	error("script.closed-hours.from and until must be hours, and not the same")
end

local function is_closed(hour)
	if from < to then return from <= hour and hour < to end
	return hour >= from or hour < to
end

function access.authorize(question)
	if question.operation ~= "write" or question.resource ~= "exchange" or
	   question.user ~= settings.user or question.name ~= settings.exchange then
		return "next", nil, 3600
	end
	-- The broker may remember the answer, but not into the next hour: so it costs nothing for a
	-- message, and changes at the minute.
	local now = os.date("*t")
	local left = 3600 - now.min * 60 - now.sec
	if is_closed(now.hour) then
		return "deny", ("closed for %s from %d to %d"):format(question.user, from, to), left
	end
	return "next", nil, left
end

-- Tests

local function ask(hour, minute)
	test.now { hour = hour, min = minute or 0 }
	return test.authorize { user = "batch", operation = "write", name = "orders" }
end

local shop = { user = "batch", exchange = "orders", from = 8, ["until"] = 18 }

function test_by_day()
	test.settings(shop)
	test.equal({ ask(7, 59) }, { "next", nil, 60 })
	test.equal({ ask(8) }, { "deny", "closed for batch from 8 to 18", 3600 })
	test.equal({ ask(17, 30) }, { "deny", "closed for batch from 8 to 18", 1800 })
	test.equal(ask(18), "next")
end

function test_by_night()
	test.settings { user = "batch", exchange = "orders", from = 22, ["until"] = 6 }
	test.equal(ask(23), "deny")
	test.equal(ask(5), "deny")
	test.equal(ask(6), "next")
	test.equal(ask(21), "next")
end

function test_others_are_not_asked()
	test.settings(shop)
	test.now { hour = 12 }
	test.equal(test.authorize { user = "alice", operation = "write", name = "orders" }, "next")
	test.equal(test.authorize { user = "batch", operation = "write", name = "logs" }, "next")
	test.equal(test.authorize { user = "batch", operation = "read", name = "orders",
				    resource = "queue" }, "next")
end
