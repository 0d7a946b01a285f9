-- found by start: no_lua.lua:4:
function route()
	if
end
