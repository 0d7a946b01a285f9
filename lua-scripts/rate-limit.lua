-- SPDX-License-Identifier: MIT
--
-- Limits how many messages a user may publish: a second, on all connections and loops together. What
-- is too much is nacked, so that a publisher with confirms knows, and can publish it later.
--
-- In shunt.conf:
--	script = rate-limit
--	script.rate-limit.per_second = 1000
--
-- Settings:
--	script.rate-limit.per_second = N      messages a second of a user
--	script.rate-limit.burst = N           how many at once (default: as many as a second)
--	script.rate-limit.user.NAME = N       a second, of this user; 0: nothing
--	script.rate-limit.too_much = nack     or drop (the publisher does not learn of it), or refuse (its
--	                                      channel is closed)
--
-- When the script itself fails, messages are nacked: `script.rate-limit.on_error.publish = pass` if a
-- limit that does not work is better for you than publishing that does not.

settings.require { per_second = "number", burst = "number?", user = "numbers?", too_much = "string?" }

local too_much = settings.too_much or "nack"
if too_much ~= "nack" and too_much ~= "drop" and too_much ~= "refuse" then
	error("script.rate-limit.too_much must be nack, drop or refuse")
end

function hook.publish(message, context)
	-- shuntctl explain_route only asks: nothing is published, so nothing is counted
	if context.dry_run then return end
	local user = context.user
	local rate = settings.user and settings.user[user] or settings.per_second
	local burst = math.max(1, settings.burst or rate)
	if rate > 0 and shared.take(user, rate, burst) then return end
	return too_much, "more than " .. rate .. " messages a second"
end

-- Tests

local function publish(user, count)
	local passed = 0
	for _ = 1, count do
		if test.publish { user = user } == "pass" then passed = passed + 1 end
	end
	return passed
end

function test_rate()
	test.settings { per_second = 10 }
	test.equal(publish("alice", 15), 10)
	test.equal(test.publish { user = "alice" }, "nack")
	test.advance(0.5)
	test.equal(publish("alice", 15), 5)
	test.equal(publish("bob", 15), 10)
end

function test_burst()
	test.settings { per_second = 10, burst = 3 }
	test.equal(publish("alice", 15), 3)
	test.advance(60)
	test.equal(publish("alice", 15), 3)
end

function test_users_have_rates()
	test.settings { per_second = 10, user = { alice = 2, mallory = 0 } }
	test.equal(publish("alice", 15), 2)
	test.equal(publish("mallory", 15), 0)
	test.equal(publish("bob", 15), 10)
end

function test_names_of_users_have_dots()
	test.settings { per_second = 10, user = { ["acme.alice"] = 2 } }
	test.equal(publish("acme.alice", 15), 2)
	test.equal(publish("acme", 15), 10)
end

function test_too_much()
	test.settings { per_second = 1, too_much = "refuse" }
	test.equal(publish("alice", 1), 1)
	local decision, _, reason = test.publish { user = "alice" }
	test.equal({ decision, reason }, { "refuse", "more than 1 messages a second" })
end

function test_asking_counts_nothing()
	test.settings { per_second = 1 }
	for _ = 1, 5 do
		test.equal(test.publish { user = "alice", dry_run = true }, "pass")
	end
	test.equal(publish("alice", 5), 1)
end
