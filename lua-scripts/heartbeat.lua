-- SPDX-License-Identifier: MIT
--
-- Publishes a message every few seconds, so that consumers, and what watches them, see that the way
-- through the broker works.
--
-- In shunt.conf:
--	script = heartbeat
--	script.heartbeat.exchange = amq.fanout
--
-- Settings:
--	script.heartbeat.exchange = NAME     where it goes (default: the default exchange)
--	script.heartbeat.routing_key = KEY   (default "heartbeat")
--	script.heartbeat.vhost = VHOST       (default "/")
--	script.heartbeat.seconds = N         from one to the next (default 10)

settings.require { exchange = "string?", routing_key = "string?", vhost = "string?", seconds = "number?" }

local count = 0

local function beat()
	count = count + 1
	broker.publish {
		exchange = settings.exchange or "",
		routing_key = settings.routing_key or "heartbeat",
		vhost = settings.vhost or "/",
		content_type = "application/json",
		-- one that nobody has taken is worth nothing when the next one comes
		expiration = tostring(math.floor((settings.seconds or 10) * 1000)),
		body = json.encode { count = count, time = os.time(), broker = broker.version },
		done = function(outcome)
			if outcome ~= "routed" then log.warning("heartbeat " .. count .. ": " .. outcome) end
		end,
	}
end

-- Once, when this version of the script is in force. Timers run on one loop only.
function startup()
	beat()
	timer.every(settings.seconds or 10, beat)
end

-- Tests

function test_it_beats()
	test.settings { exchange = "amq.fanout", seconds = 2 }
	test.startup()
	test.equal(#test.published, 1)
	test.advance(7)
	test.equal(#test.published, 4)
	local message = test.published[4]
	test.equal({ message.exchange, message.routing_key, message.expiration },
		   { "amq.fanout", "heartbeat", "2000" })
	test.equal(json.decode(message.body).count, 4)
end
