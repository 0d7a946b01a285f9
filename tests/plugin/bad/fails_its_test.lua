-- found by start: it is two
function test_arithmetic()
	test.equal(1 + 1, 3, "it is two")
end
