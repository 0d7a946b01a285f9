-- SPDX-License-Identifier: MIT
--
-- Users that stand in the configuration: for programs whose passwords come with the machine, where
-- nobody wants to add users by hand. The broker's own users go on working.
--
-- In shunt.conf:
--	script = login-table
--	script.login-table.password.alice = 7f3a:9f47631370cb270635c9e68e53e991392a0b6fd8d122b8cf909f8d201ee93f88
--
-- Settings:
--	script.login-table.password.NAME = SALT:DIGEST  a salt of one's choice, and HMAC-SHA256 of the password
--	                                            under it, in hexadecimal digits:
--	                                            printf %s "$PASSWORD" | openssl dgst -sha256 -hmac "$SALT"
--	script.login-table.tags.NAME = TAG,TAG...   tags of the user, as administrator (default: none)
--	script.login-table.networks = 10.,192.168.  what the address must begin with (default: any)
--
-- What such a user may do is decided by permissions, or by another script: so it needs permissions of
-- the broker's under its name, or a script with access.authorize. An HMAC is quick to try: passwords
-- must be long and random, as those of machines are.

settings.require { password = "strings", tags = "strings?", networks = "string?" }

local users = {} -- by name: salt and digest
for name, text in pairs(settings.password) do
	local salt, digest = text:match("^([^:]+):(%x+)$")
	if not salt or #digest ~= 64 then
		error("script.login-table.password." .. name .. " must be SALT:DIGEST")
	end
	users[name] = { salt = salt, digest = digest:lower() }
end

local function is_near(host)
	if not settings.networks then return true end
	for network in settings.networks:gmatch("[^,%s]+") do
		if host:sub(1, #network) == network then return true end
	end
	return false
end

local function tags_of(name)
	local tags = {}
	for tag in (settings.tags and settings.tags[name] or ""):gmatch("[^,%s]+") do
		tags[#tags + 1] = tag
	end
	return tags
end

function access.authenticate(name, password, peer)
	local user = users[name]
	-- one of the broker's own, perhaps; or a mechanism without passwords
	if not user or not password then return "next" end
	-- crypto.equal takes as long for a wrong digest as for the right one
	if not crypto.equal(crypto.hmac_sha256(user.salt, password), user.digest) then
		return "deny", "wrong password"
	end
	if not is_near(peer.host) then return "deny", "not from " .. peer.host end
	return "allow", { tags = tags_of(name) }
end

-- Tests

local DIGEST = crypto.hmac_sha256("salt", "secret")

function test_right_password()
	test.settings { password = { alice = "salt:" .. DIGEST, bob = "salt:" .. DIGEST:upper() },
			tags = { alice = "administrator, monitoring" } }
	local verdict, details = test.authenticate("alice", "secret")
	test.equal({ verdict, details.tags }, { "allow", { "administrator", "monitoring" } })
	verdict, details = test.authenticate("bob", "secret")
	test.equal({ verdict, details.tags }, { "allow", {} })
end

function test_names_with_dots()
	test.settings { password = { ["acme.alice"] = "salt:" .. DIGEST, acme = "salt:" .. DIGEST },
			tags = { ["acme.alice"] = "monitoring" } }
	local verdict, details = test.authenticate("acme.alice", "secret")
	test.equal({ verdict, details.tags }, { "allow", { "monitoring" } })
	test.equal(test.authenticate("acme", "secret"), "allow")
end

function test_wrong_password()
	test.settings { password = { alice = "salt:" .. DIGEST } }
	test.equal({ test.authenticate("alice", "guess") }, { "deny", "wrong password" })
	test.equal(test.authenticate("alice", ""), "deny")
	test.equal(test.authenticate("carol", "secret"), "next")
end

function test_networks()
	test.settings { password = { alice = "salt:" .. DIGEST }, networks = "10., 192.168." }
	test.equal(test.authenticate("alice", "secret", { host = "192.168.7.7" }), "allow")
	test.equal({ test.authenticate("alice", "secret", { host = "192.0.2.7" }) },
		   { "deny", "not from 192.0.2.7" })
end
