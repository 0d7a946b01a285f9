-- SPDX-License-Identifier: MIT
--
-- Takes headers away, or makes them unreadable, before a message goes to a consumer that is not
-- trusted. The queue keeps the message as it was published.
--
-- In shunt.conf:
--	script = redact-header
--	script.redact-header.headers = card_number,iban
--	script.redact-header.on_error.deliver = deny
--
-- The last line matters: should the script fail, the message is rejected (and dead-lettered where the
-- queue has that), and nobody sees what he should not. The default would be to let it pass.
--
-- Settings:
--	script.redact-header.headers = NAME,NAME...  what is redacted
--	script.redact-header.trusted = USER,USER...  who sees it nevertheless (default: nobody)
--	script.redact-header.replacement = TEXT      stands in its place (default: the header is taken away)

settings.require { headers = "string", trusted = "string?", replacement = "string?" }

local function list(text)
	local names = {}
	for name in text:gmatch("[^,%s]+") do
		names[#names + 1] = name
	end
	return names
end

local headers = list(settings.headers)
local trusted = {}
for _, user in ipairs(list(settings.trusted or "")) do
	trusted[user] = true
end

function hook.deliver(message, context)
	if trusted[context.user] then return end
	for _, name in ipairs(headers) do
		-- A message is copied only when something in it changes. The header itself is not looked
		-- at: somebody may have put so much into it that this would fail.
		if message:header_type(name) then
			message.headers[name] = settings.replacement
		end
	end
end

-- Tests

local secret = { card_number = "4111111111111111", iban = "DE02", country = "de" }

function test_headers_go()
	test.settings { headers = "card_number, iban" }
	local decision, message = test.deliver { user = "reports", headers = secret }
	test.equal(decision, "pass")
	test.equal(message.headers, { country = "de" })
end

function test_trusted_users_see_them()
	test.settings { headers = "card_number,iban", trusted = "billing,audit" }
	local _, message = test.deliver { user = "audit", headers = secret }
	test.equal(message.headers, secret)
	_, message = test.deliver { user = "reports", headers = secret }
	test.equal(message.headers, { country = "de" })
end

function test_replacement()
	test.settings { headers = "iban", replacement = "***" }
	local _, message = test.deliver { headers = { iban = "DE02" } }
	test.equal(message.headers, { iban = "***" })
	_, message = test.deliver { headers = {} }
	test.equal(message.headers, {})
end
