-- SPDX-License-Identifier: MIT
--
-- Keeps tenants apart in one vhost: the user "acme.alice" belongs to the tenant "acme", and may use
-- queues and exchanges whose names begin with "acme.", and no others. Nobody has to keep permissions
-- for each of them.
--
-- In shunt.conf:
--	script = tenant-isolation
--
-- Settings:
--	script.tenant-isolation.separator = .       what ends the tenant's name (default ".")
--	script.tenant-isolation.common = amq.direct,news
--	                                            what all tenants may read and write
--
-- Users without a separator in their names, and administrators, are asked of the broker's permissions
-- as ever. Tenants need permissions as well (".*" will do): this script only takes away. A program that
-- leaves the name of its queue to the broker (amq.gen-...) cannot do that as a tenant.

settings.require { separator = "string?", common = "string?" }

local separator = settings.separator or "."
local common = {}
for name in (settings.common or ""):gmatch("[^,%s]+") do
	common[name] = true
end

-- "acme." of "acme.alice"; nil if the user belongs to no tenant
local function tenant_of(user)
	local at = user:find(separator, 1, true)
	return at and user:sub(1, at + #separator - 1)
end

local function is_administrator(tags)
	for _, tag in ipairs(tags) do
		if tag == "administrator" then return true end
	end
	return false
end

-- What the answer depends on: so the broker may remember it, and asks once for each user and name.
access.depends = { "user", "tags", "operation", "name" }

function access.authorize(question)
	local tenant = tenant_of(question.user)
	if not tenant or question.operation == "connect" or is_administrator(question.tags) then
		return "next"
	end
	if question.name:sub(1, #tenant) == tenant then return "next" end
	if common[question.name] and question.operation ~= "configure" then return "next" end
	return "deny", "it belongs to another tenant"
end

-- Tests

local function ask(user, operation, name, tags)
	return (test.authorize { user = user, operation = operation, name = name, tags = tags })
end

function test_own_names_are_the_brokers_business()
	test.settings {}
	test.equal(ask("acme.alice", "write", "acme.orders"), "next")
	test.equal(ask("acme.alice", "configure", "acme.orders"), "next")
	test.equal(ask("acme.alice", "connect", "/"), "next")
end

function test_others_are_denied()
	test.settings {}
	local verdict, reason = test.authorize { user = "acme.alice", operation = "read",
						 name = "other.orders" }
	test.equal({ verdict, reason }, { "deny", "it belongs to another tenant" })
	test.equal(ask("acme.alice", "write", "acme"), "deny")
	test.equal(ask("acme.alice", "configure", ""), "deny")
end

function test_who_is_no_tenant()
	test.settings {}
	test.equal(ask("operator", "read", "acme.orders"), "next")
	test.equal(ask("acme.root", "read", "other.orders", { "administrator" }), "next")
end

function test_common_names()
	test.settings { common = "amq.direct, news", separator = "/" }
	test.equal(ask("acme/alice", "write", "news"), "next")
	test.equal(ask("acme/alice", "write", "amq.direct"), "next")
	test.equal(ask("acme/alice", "configure", "news"), "deny")
	test.equal(ask("acme/alice", "write", "acme/orders"), "next")
end
