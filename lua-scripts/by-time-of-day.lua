-- SPDX-License-Identifier: MIT
--
-- Routes by the time of day: an exchange type "x-time-of-day". By day orders go to the staff's queue,
-- at night and on weekends to the one of those on call.
--
-- In shunt.conf:
--	script = by-time-of-day
--
-- Arguments of queue.bind; the broker's local time counts:
--	from   "HH:MM", the first minute in which the binding matches (default "00:00")
--	until  "HH:MM", the first minute in which it does not any more (default "24:00"); a time before
--	       `from` is of the next day: from "22:00" until "06:00"
--	days   "mon,tue,wed,thu,fri,sat,sun", or some of them (default: all): the days on which it begins

local DAYS = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" }

-- "08:30" -> 510; nil if it is no time
local function minutes(text)
	local hour, minute = text:match("^(%d%d?):(%d%d)$")
	hour, minute = tonumber(hour), tonumber(minute)
	if not hour or minute > 59 or hour * 60 + minute > 1440 then return nil end
	return hour * 60 + minute
end

-- "mon,tue" -> { [2] = true, [3] = true }, the numbers of os.date; nil and what is no day
local function weekdays(text)
	local set = {}
	for word in text:gmatch("[^,%s]+") do
		local number
		for i, day in ipairs(DAYS) do
			if day == word then number = i end
		end
		if not number then return nil, word end
		set[number] = true
	end
	return set
end

local function matches(window, now)
	local minute = now.hour * 60 + now.min
	local yesterday = (now.wday + 5) % 7 + 1
	if window.from < window.to then
		return window.days[now.wday] and window.from <= minute and minute < window.to
	end
	return window.days[now.wday] and window.from <= minute
	       or window.days[yesterday] and minute < window.to
end

exchange.register {
	name = "x-time-of-day",
	description = "by the time of day and the day of the week",
	bind_arguments = {
		{ name = "from", type = "string", default = "00:00", help = "HH:MM" },
		{ name = "until", type = "string", default = "24:00", help = "HH:MM" },
		{ name = "days", type = "string", default = "mon,tue,wed,thu,fri,sat,sun",
		  help = "days on which it begins" },
	},
	validate_binding = function(exchange, binding)
		local a = binding.arguments
		if not minutes(a.from) then return false, "from is no time: " .. a.from end
		if not minutes(a["until"]) then return false, "until is no time: " .. a["until"] end
		local days, word = weekdays(a.days)
		if not days then return false, "no day: " .. word end
	end,
	bind = function(exchange, binding)
		local a = binding.arguments
		exchange.state[binding.id] = {
			from = minutes(a.from), to = minutes(a["until"]), days = weekdays(a.days),
			binding = binding,
		}
	end,
	unbind = function(exchange, binding)
		exchange.state[binding.id] = nil
	end,
	route = function(message, bindings, emit, exchange)
		local now = os.date("*t")
		for _, window in pairs(exchange.state) do
			if matches(window, now) then emit(window.binding) end
		end
	end,
}

-- Tests. The 5th of January 2026 is a Monday.

local function at(x, day, hour, minute)
	test.now { year = 2026, month = 1, day = day, hour = hour, min = minute or 0 }
	return x:route {}
end

function test_day_and_night()
	local x = test.exchange("x-time-of-day")
	x:bind { destination = "staff",
		 arguments = { from = "08:00", ["until"] = "17:30", days = "mon,tue,wed,thu,fri" } }
	x:bind { destination = "night", arguments = { from = "22:00", ["until"] = "06:00", days = "mon" } }
	x:bind { destination = "all" }
	test.equal(at(x, 5, 7, 59), { "all" })
	test.equal(at(x, 5, 8), { "all", "staff" })
	test.equal(at(x, 5, 17, 29), { "all", "staff" })
	test.equal(at(x, 5, 17, 30), { "all" })
	test.equal(at(x, 5, 22), { "all", "night" })
	test.equal(at(x, 6, 5, 59), { "all", "night" })
	test.equal(at(x, 6, 6), { "all" })
	test.equal(at(x, 6, 22), { "all" })
	test.equal(at(x, 10, 12), { "all" })
end

function test_what_is_no_time_is_refused()
	local x = test.exchange("x-time-of-day")
	local function bind(arguments) return test.refused(x.bind, x, { arguments = arguments }) end
	test.equal(bind { from = "8" }, "from is no time: 8")
	test.equal(bind { ["until"] = "24:01" }, "until is no time: 24:01")
	test.equal(bind { days = "mon,tag" }, "no day: tag")
end
