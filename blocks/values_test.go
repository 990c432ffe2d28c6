package blocks_test

// values are SQL expressions, or whole statements. Those of a group that is alone
// cannot be put into an Array, a Tuple and a Map.
var values = []struct {
	name   string
	alone  bool
	many   bool // which are all of one sort, so that not every format is tried
	values []string
}{
	{name: "integers", values: []string{
		"toInt8(-128)", "toInt8(127)", "toUInt8(255)", "toInt16(-32768)", "toUInt16(65535)", "toInt32(-2147483648)", "toUInt32(4294967295)",
		"toInt64('-9223372036854775808')", "toInt64('9223372036854775807')", "toUInt64('18446744073709551615')", "0", "9007199254740993",
		"toInt128('-170141183460469231731687303715884105728')", "toInt128('170141183460469231731687303715884105727')", "toInt128(-1)",
		"toUInt128('340282366920938463463374607431768211455')", "toUInt128(0)",
		"toInt256('-57896044618658097711785492504343953926634992332820282019728792003956564819968')", "toInt256(-1)", "toInt256(12345)",
		"toUInt256('115792089237316195423570985008687907853269984665640564039457584007913129639935')",
		"true", "false",
		"toIntervalNanosecond(1)", "toIntervalMicrosecond(2)", "toIntervalMillisecond(3)", "toIntervalSecond(-4)", "toIntervalMinute(5)", "toIntervalHour(6)",
		"toIntervalDay(7)", "toIntervalWeek(8)", "toIntervalMonth(9)", "toIntervalQuarter(10)", "toIntervalYear(11)",
	}},
	{name: "floats", values: []string{
		"nan", "inf", "-inf", "-0.", "0.", "5e-324", "2.2250738585072014e-308", "1.7976931348623157e308", "0.1", "1/3", "1e-6", "1e-7", "9.999999e-7", "1e20", "1e21", "1e22",
		"123456789012345680000.", "9007199254740993.", "-1.5e-10", "1e100", "1.5", "100000.", "12345678.9",
		"toFloat32(nan)", "toFloat32(-inf)", "toFloat32(0.1)", "toFloat32(16777217)", "toFloat32(123456789)", "toFloat32(1e-45)", "toFloat32(3.4028235e38)", "toFloat32(1e21)", "toFloat32(-0.)", "toFloat32(1e-6)",
		"toBFloat16(0.1)", "toBFloat16(1e-7)", "toBFloat16(nan)", "toBFloat16(3.3e38)", "toBFloat16(-2.5)",
	}},
	{name: "many floats", many: true, values: []string{
		"SELECT reinterpretAsFloat64(sipHash64(number)) AS x FROM numbers(3000)", "SELECT reinterpretAsFloat32(sipHash64(number)::UInt32) AS x FROM numbers(3000)",
		"SELECT toFloat64(number) * 1000003 / 7 AS x FROM numbers(3000)", "SELECT exp10(toFloat64(number) - 330) AS x FROM numbers(650)",
		"SELECT toFloat32(number) * 1.1 AS x FROM numbers(3000)", "SELECT reinterpret(number::UInt16, 'BFloat16') AS x FROM numbers(65536) WHERE number % 3 = 0",
		"SELECT toFloat32(sipHash64(number) % 16777216 / exp2(number % 30)) AS x FROM numbers(8000)", "SELECT sipHash64(number) % 9007199254740992 / exp2(number % 60) AS x FROM numbers(8000)",
		"SELECT reinterpret(toUInt64(reinterpret(exp10(arrayJoin(range(650)) - 330), 'UInt64') + number - 3), 'Float64') AS x FROM numbers(7)", "SELECT reinterpret(toUInt32(reinterpret(toFloat32(exp10(arrayJoin(range(90)) - 50)), 'UInt32') + number - 3), 'Float32') AS x FROM numbers(7)",
		"SELECT sipHash64(number) % 1000000 / 100 AS x FROM numbers(3000)", "SELECT exp2(toFloat64(number) - 1074) AS x FROM numbers(2098)", "SELECT toFloat32(exp2(toFloat64(number) - 149)) AS x FROM numbers(277)", "SELECT sipHash64(number) * exp2(number % 70) AS x FROM numbers(5000)",
	}},
	{name: "decimals", values: []string{
		"toDecimal32(1.5, 4)", "toDecimal32(-0.0001, 4)", "toDecimal32(0, 4)", "toDecimal32(99999, 0)", "toDecimal64(123456.789, 6)", "toDecimal64(-1, 18)",
		"toDecimal128('-12345678901234567890.123456789', 12)", "toDecimal128('0.00000000000000000000000000000000000001', 38)",
		"toDecimal256('1234567890123456789012345678901234567890.5', 20)", "toDecimal256('-0.5', 76)", "CAST('100', 'Decimal(9,2)')",
	}},
	{name: "dates", values: []string{
		"toDate('1970-01-01')", "toDate(65535)", "toDate('2024-02-29')", "toDate32('1900-01-01')", "toDate32('2299-12-31')", "toDate32('1969-12-31')",
		"SELECT x FROM format(RowBinary, 'x Date32', unhex('FFFFFF7F'))", "SELECT x FROM format(RowBinary, 'x Date32', unhex('00000080'))", "SELECT x FROM format(RowBinary, 'x Date32', unhex('40420F00'))",
		"SELECT (number * 37)::Int32::Date32 AS x FROM numbers(3000)", "SELECT toDate(number * 13) AS x FROM numbers(5000)",
		"toDateTime(0, 'UTC')", "toDateTime(4294967295, 'UTC')", "toDateTime(1700000000, 'Asia/Tokyo')", "toDateTime(1700000000)", "toDateTime(1700000000, 'America/New_York')",
		"toDateTime64('1900-01-01 00:00:00.000', 3, 'UTC')", "toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC')", "toDateTime64('1965-06-07 08:09:10.123456', 6, 'Europe/Berlin')",
		"toDateTime64('2290-01-01 00:00:00.5', 1, 'Asia/Kathmandu')", "toDateTime64('1969-12-31 23:59:59.999999999', 9, 'UTC')", "toDateTime64(0, 0, 'UTC')", "toDateTime64('2024-03-31 02:30:00', 3, 'Europe/Berlin')",
		"reinterpret(toInt64(9223372036854775807), 'DateTime64(3, \\'UTC\\')')", "reinterpret(toInt64(-9223372036854775807), 'DateTime64(3, \\'UTC\\')')", "reinterpret(toInt64(20413792000000), 'DateTime64(3, \\'UTC\\')')",
		"reinterpret(toInt64(9223372036854775807), 'DateTime64(9, \\'UTC\\')')", "reinterpret(toInt64(-9223372036854775807), 'DateTime64(9, \\'UTC\\')')",
		"reinterpret(toInt64(9223372036854775807), 'DateTime64(0, \\'Asia/Tokyo\\')')", "reinterpret(toInt64(-9223372036854775807), 'DateTime64(0, \\'America/New_York\\')')",
		"SELECT toDateTime(number * 1000003, 'Europe/London') AS x FROM numbers(4000)", "SELECT toDateTime(number * 1000003, 'Australia/Lord_Howe') AS x FROM numbers(4000)",
		"SELECT toDateTime64(number * 3000017 - 2208988800 + 200000, 3, 'America/Sao_Paulo') AS x FROM numbers(4000)", "SELECT toDateTime64(number * 3000017 - 2208988800 + 200000, 3, 'Asia/Kolkata') AS x FROM numbers(4000)",
		"toTime('12:34:56')", "CAST(-5, 'Time')", "CAST('999:59:59', 'Time')", "CAST('-999:59:59', 'Time')", "CAST('01:02:03.456', 'Time64(3)')", "CAST('-00:00:00.001', 'Time64(3)')", "CAST('12:00:00', 'Time64(0)')",
		"SELECT x FROM format(RowBinary, 'x Time', unhex('FFFFFF7F'))", "SELECT x FROM format(RowBinary, 'x Time', unhex('00000080'))",
		"SELECT x FROM format(RowBinary, 'x Time64(3)', unhex('FFFFFFFFFFFFFF7F'))", "SELECT x FROM format(RowBinary, 'x Time64(9)', unhex('0000000000000080'))",
	}},
	{name: "texts", values: []string{
		"''", "'plain'", "arrayStringConcat(arrayMap(x -> char(x), range(256)))", "'\\xff\\xff\\xc3\\x28\\xf0\\x9f\\x98\\xe2\\x80'", "'äöü 中文 😀'", "'\\u2028\\u2029\\u202a'", "'\\N'", "'a\\'b\"c`d/e\\\\f'",
		"toFixedString('ab', 5)", "toFixedString(arrayStringConcat(arrayMap(x -> char(x), range(256))), 256)", "repeat('x', 100000)",
		"SELECT char(sipHash64(number) % 256, sipHash64(number, 1) % 256, sipHash64(number, 2) % 256, sipHash64(number, 3) % 256) AS x FROM numbers(5000)",
		"SELECT char(0xe0 + number % 32, 0x80 + number % 67, 0x80 + number % 71) AS x FROM numbers(5000)",
		"toUUID('00112233-4455-6677-8899-aabbccddeeff')", "toUUID('ffffffff-ffff-ffff-ffff-ffffffffffff')",
		"toIPv4('0.0.0.0')", "toIPv4('255.254.253.252')", "toIPv6('::')", "toIPv6('::1')", "toIPv6('::ffff:1.2.3.4')", "toIPv6('::1.2.3.4')", "toIPv6('2001:db8::1')", "toIPv6('1:2:3:4:5:6:7:8')", "toIPv6('1:0:3:4:5:6:7:8')",
		"toIPv6('1:0:0:4:0:0:0:8')", "toIPv6('fe80::')", "toIPv6('0:0:1::')", "toIPv6('::2:0:0:3')",
		"SELECT toIPv6(IPv6NumToString(toFixedString(char(sipHash64(number)%3,0,sipHash64(number,1)%2,0,0,sipHash64(number,2)%2,0,0,0,sipHash64(number,3)%2,sipHash64(number,4)%2*255,sipHash64(number,4)%2*255,0,sipHash64(number,5)%2,0,7),16))) AS x FROM numbers(500)",
		"CAST('a', 'Enum8(\\'a\\' = 1, \\'b\\' = -2)')", "CAST(-300, 'Enum16(\\'it\\\\\\'s\\\\t\"\\' = -300, \\'\\' = 0)')", "CAST('', 'Enum16(\\'it\\' = -300, \\'\\' = 0)')",
	}},
	{name: "nullable", values: []string{
		"NULL", "CAST(NULL, 'Nullable(String)')", "CAST('NULL', 'Nullable(String)')", "CAST(NULL, 'Nullable(Int64)')", "SELECT if(number % 2 = 0, NULL, toString(number)) AS x FROM numbers(5)",
		"toLowCardinality('x')", "CAST(NULL, 'LowCardinality(Nullable(String))')", "CAST('', 'LowCardinality(Nullable(String))')", "CAST('a\\'b', 'LowCardinality(FixedString(5))')",
		"SELECT toLowCardinality(toString(number % 300)) AS x FROM numbers(1000)", "SELECT CAST(if(number % 3 = 0, NULL, toString(number)), 'LowCardinality(Nullable(String))') AS x FROM numbers(100)",
		"SELECT toLowCardinality(toString(number)) AS x FROM numbers(70000)", "CAST(7, 'LowCardinality(UInt64)')", "CAST('2024-01-01', 'LowCardinality(Date)')",
	}},
	{name: "lists", values: []string{
		"[]", "[1, 2, 3]", "[[1], [], [2, 3]]", "['a\\'b', 'c\\td']", "[NULL, 1]", "CAST([], 'Array(Array(LowCardinality(String)))')", "[toLowCardinality('x'), 'y']", "CAST(['a', NULL], 'Array(LowCardinality(Nullable(String)))')",
		"tuple()", "tuple(1)", "(1, 'a', NULL, [1])", "CAST((1, 'x'), 'Tuple(a Int8, `b c\\\\`d` String)')", "CAST((1, (2, 'x')), 'Tuple(a Int8, b Tuple(c Int8, d String))')",
		"map()", "map('a', 1, 'b\"c', 2)", "map(1, 'x')", "map(toDate('2024-01-01'), [1])", "map('a', map('b', 'c'))", "map(toUUID('00112233-4455-6677-8899-aabbccddeeff'), toFixedString('x', 3))", "map(toInt64(5), toInt64(6))",
		"CAST(map('a', 'b'), 'Map(LowCardinality(String), LowCardinality(Nullable(String)))')", "map(toIPv4('1.2.3.4'), true)", "map(CAST('a', 'Enum8(\\'a\\' = 1)'), nan)",
		"CAST([(1, 'a'), (2, 'b')], 'Nested(a Int8, b String)')", "SELECT range(number) AS x FROM numbers(100)", "SELECT arrayMap(i -> (i, toString(i)), range(number % 5)) AS x FROM numbers(100)",
		"CAST((1., 2.5), 'Point')", "CAST([(0, 0), (1, 1)], 'Ring')", "CAST([(0, 0), (1, 1)], 'LineString')", "CAST([[(0, 0), (1, 1)]], 'Polygon')", "CAST([[(0, 0)]], 'MultiLineString')", "CAST([[[(0, 0), (1, 1)]]], 'MultiPolygon')",
		"CAST(5, 'SimpleAggregateFunction(sum, UInt64)')", "CAST([1], 'SimpleAggregateFunction(groupArrayArray, Array(UInt64))')",
		"CAST([1, 2, 3], 'QBit(Float32, 3)')", "CAST(range(20), 'QBit(Float64, 20)')", "CAST([nan, -inf, 0.5, 1e30, -0.], 'QBit(BFloat16, 5)')", "SELECT CAST([number, -number, number / 3], 'QBit(Float32, 3)') AS x FROM numbers(50)",
	}},
	{name: "variants", alone: true, values: []string{
		"CAST('x\\ty', 'Variant(String, Int64, Array(String))')", "CAST(NULL, 'Variant(String, Int8)')", "SELECT multiIf(number % 3 = 0, CAST(number, 'Variant(String, UInt64)'), number % 3 = 1, CAST('s' || toString(number), 'Variant(String, UInt64)'), NULL) AS x FROM numbers(100)",
		"[CAST('x\\'y', 'Variant(String, Int8)'), 1, NULL]", "CAST((1., 2.)::Point, 'Geometry')", "CAST([(0., 0.)]::Ring, 'Geometry')", "CAST(map('a', 1), 'Variant(Map(String, UInt8), LowCardinality(String))')",
		"CAST('a\\'', 'Dynamic')", "1::UInt8::Dynamic", "NULL::Dynamic", "SELECT multiIf(number % 4 = 0, number::Dynamic, number % 4 = 1, toString(number)::Dynamic, number % 4 = 2, [number]::Dynamic, NULL) AS x FROM numbers(100)",
		"[1::Int64::Dynamic, NULL, 'x']", "CAST((1, 2), 'Tuple(a Int8, b Dynamic)')", "map('k', 5::UInt64::Dynamic)", "toLowCardinality('x')::Dynamic", "[[1]]::Array(Dynamic)", "CAST('2024-01-01', 'Date')::Dynamic",
		"SELECT x FROM (SELECT arrayJoin([1::Int64::Dynamic, 'x', [1, 2], map('a', 1), toDate('2024-01-01'), NULL, 1.5, (1, 'x'), true, now64(3, 'UTC') - now64(3, 'UTC')]) AS x)",
	}},
	{name: "shared dynamic", alone: true, values: []string{
		"SELECT CAST(arrayJoin([1::Int64::Dynamic, 'x\\'y', [1, 2], map('a', 1), toDate('2024-01-01'), NULL, 1.5, (1, 'x'), true]), 'Dynamic(max_types=0)') AS x",
		"CAST(CAST((1, 'x'), 'Tuple(a Int8, b String)')::Dynamic, 'Dynamic(max_types=0)')", "CAST(toDateTime64(0, 3, 'UTC')::Dynamic, 'Dynamic(max_types=0)')", "CAST(toDateTime(0, 'Asia/Tokyo')::Dynamic, 'Dynamic(max_types=0)')",
		"CAST(toDecimal64(1.5, 4)::Dynamic, 'Dynamic(max_types=0)')", "CAST(toFixedString('ab', 3)::Dynamic, 'Dynamic(max_types=0)')", "CAST(CAST('a', 'Enum8(\\'a\\' = 1)')::Dynamic, 'Dynamic(max_types=0)')", "CAST(CAST('a', 'Enum16(\\'a\\' = 300)')::Dynamic, 'Dynamic(max_types=0)')",
		"CAST(toLowCardinality('x')::Dynamic, 'Dynamic(max_types=0)')", "CAST([toLowCardinality('x'), 'y', 'x']::Dynamic, 'Dynamic(max_types=0)')", "CAST(CAST(['a', NULL], 'Array(LowCardinality(Nullable(String)))')::Dynamic, 'Dynamic(max_types=0)')",
		"CAST([NULL, 1]::Dynamic, 'Dynamic(max_types=0)')", "CAST(toIntervalDay(3)::Dynamic, 'Dynamic(max_types=0)')", "CAST(CAST((1., 2.), 'Point')::Dynamic, 'Dynamic(max_types=0)')", "CAST([map('a', [1])]::Dynamic, 'Dynamic(max_types=0)')",
		"CAST(toUUID('00112233-4455-6677-8899-aabbccddeeff')::Dynamic, 'Dynamic(max_types=0)')", "CAST(toIPv6('::1')::Dynamic, 'Dynamic(max_types=0)')", "CAST(toUInt256(5)::Dynamic, 'Dynamic(max_types=0)')", "CAST(tuple()::Dynamic, 'Dynamic(max_types=0)')",
		"CAST('{\"a\":{\"b\":1,\"c\":[1,{\"d\":2}]}}'::JSON(a.b UInt8)::Dynamic, 'Dynamic(max_types=0)')", "CAST([CAST(1, 'Variant(UInt8, String)'), 'x', NULL]::Dynamic, 'Dynamic(max_types=0)')", "CAST([1::Dynamic, 'x', NULL]::Dynamic, 'Dynamic(max_types=0)')",
		"CAST(CAST('12:34:56', 'Time')::Dynamic, 'Dynamic(max_types=0)')", "CAST(CAST('12:34:56', 'Time64(3)')::Dynamic, 'Dynamic(max_types=0)')", "CAST(toBFloat16(1.5)::Dynamic, 'Dynamic(max_types=0)')",
	}},
	{name: "json", alone: true, values: []string{
		`'{"a":{"b":1,"c":[1,2]},"d":"x\\t/","e":null,"f":[{"g":1},{"g":"u"}],"h":1.5}'::JSON`, `'{}'::JSON`, `'{}'::JSON(a.b Int8, c Nullable(String))`, `'{"a":2,"a":{"b":3}}'::JSON`, `'{"b":[[1,2],["x"]],"c":{}}'::JSON`,
		`'{"x":"2020-01-01 00:00:00","y":"2020-01-01","z":true,"k\\"\'/q":1,"i":18446744073709551615}'::JSON`, `['{"a":1,"s":"q\'"}'::JSON]`, `tuple('{"a":1}'::JSON, 'x')`, `map('a', '{"a":1}'::JSON)`,
		`CAST('{"a":1,"b":{"c":2,"d":[1,{"e":3}],"f":"x"},"z":null}', 'JSON(max_dynamic_paths=0)')`, `CAST('{"a":1,"b":{"c":2,"d":"y"},"c":3,"d":4}', 'JSON(max_dynamic_paths=1, b.d String)')`, `CAST('{"a":1,"b":2}', 'JSON(SKIP b, SKIP REGEXP \'c.*\')')`,
		`SELECT ('{"k' || toString(number % 7) || '":' || toString(number) || ',"t":"' || toString(number) || '"}')::JSON AS x FROM numbers(100)`, `SELECT ('{"k' || toString(number % 7) || '":' || toString(number) || ',"t":["' || toString(number) || '"]}')::JSON(max_dynamic_paths=2) AS x FROM numbers(100)`,
		`'{"a b":{"c.d":1},"a!":2,"a":{"x":1},"a#":{"b":3}}'::JSON`, `CAST('{"a":[1,"x",{"b":[{"c":1}]}]}', 'JSON(max_dynamic_types=1)')`, `'{"v":{"w":{"x":{"y":1,"z":2},"q":3}},"w":1}'::JSON`, `CAST('{"n":1.5,"i":-5,"b":false,"s":"a\\u0001b","arr":[null,1]}', 'JSON(max_dynamic_paths=0)')`,
	}},
}
