SELECT 1
----
select count(*), avg(arr_delay) from flights.flights where origin = 'SFO' and dest in ('JFK', 'LAX') group by toStartOfMonth(date) order by 1 desc limit 10
----
WITH daily AS (SELECT toDate(minute) AS day, sum(input_tokens + output_tokens) AS tokens FROM usage.requests GROUP BY day)
SELECT day, tokens, tokens - lagInFrame(tokens) OVER (ORDER BY day ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS change
FROM daily ORDER BY day
----
FROM usage.requests SELECT model, quantiles(0.5, 0.9, 0.99)(latency_ms) GROUP BY model
----
-- a comment
SELECT /* another */ 1 # and a third
, 2 #! and a fourth
// and a fifth
, 3
----
SELECT /* nested /* comments */ are fine */ 1
----
SELECT 'it''s', 'it\'s', 'a\\', '\x41', 'multi
line', ''
----
SELECT `back``tick`, "double""quote", `a\`b`, "a\"b" FROM `db`.`table`
----
SELECT “curly name”, ‘curly string’ FROM t
----
SELECT $$heredoc 'with' "quotes"$$, $tag$another $$ one$tag$, $a$b$a$
----
SELECT $not_closed, a$b, $1
----
SELECT 0x1F, 0b101, 1_000_000, 1.5e-10, .5, 5., 1e10, 0x1.8p3, 1e, 0x, 0b2, 1_, 1__0, 12abc, 1.2abc
----
SELECT t.1, t.1.2, (1, 2).1, [1, 2][1].1, a.b.c, x.1.1.1, 1.1.1
----
SELECT x'48656C6C6F', X'', b'0101', B'2', x'4G'
----
SELECT a::UInt8, b :: String, c ? d : e, f -> f + 1, x <=> y, a <> b, a != b, a == b, a || b, a % b, -1, - 1, −1, a<b, a>=b, a<=b
----
SELECT @@version, @a, {p:String}, {p : Array(UInt8)}, map('a', 1)['a'], [1,2,3][-1]
----
SELECT 1; SELECT 2;
----
SELECT 1\G
----
SELECT * FROM t SETTINGS max_threads = 1, `final` = 1 FORMAT JSONEachRow
----
SELECT 1 INTO OUTFILE '/tmp/x' FORMAT CSV
----
EXECUTE AS alice SELECT currentUser()
----
execute/**/as 'alice' SELECT 1
----
SELECT 1 PARALLEL WITH SELECT 2
----
INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')
----
INSERT INTO t SELECT * FROM s
----
WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x
----
CREATE TABLE t (id UInt64, s LowCardinality(String), d DateTime64(3, 'UTC') DEFAULT now64()) ENGINE = MergeTree ORDER BY (id, s) SETTINGS index_granularity = 8192
----
ALTER TABLE t ADD COLUMN c Nullable(Decimal(18, 4)) AFTER id, DROP COLUMN d
----
SELECT * FROM url('http://127.0.0.1/x.csv', CSV, 'a String') WHERE a ILIKE '%x%'
----
SELECT * FROM s3('https://bucket.s3.amazonaws.com/*.parquet', 'key', 'secret') LIMIT 1
----
SELECT * FROM remote('127.0.0.1', system.one) UNION ALL SELECT * FROM cluster('c', system, one)
----
SELECT file('/etc/passwd'), dictGet('d', 'a', 1), aiGenerate('x'), getClientHTTPHeader('Authorization')
----
SELECT arrayMap(x -> x * 2, arr), arrayMap(file, ['x']), * APPLY(toString), COLUMNS('^a') EXCEPT (a1) REPLACE (1 AS a2) FROM t
----
SELECT a, b FROM t ARRAY JOIN arr AS a, mapKeys(m) AS b
----
SELECT * FROM a, b AS c, (SELECT 1) AS d, numbers(10) AS e CROSS JOIN f LEFT JOIN g USING (id) ASOF JOIN h ON a.x = h.x AND a.t >= h.t
----
SELECT extract(YEAR FROM d), substring(s FROM 2 FOR 3), trim(LEADING ' ' FROM s), CAST(x AS Nullable(String)), x IS NOT DISTINCT FROM y FROM t
----
SELECT CASE WHEN a = 1 THEN 'one' WHEN a IN (2, 3) THEN 'few' ELSE 'many' END, if(a > 0, b, NULL), a BETWEEN 1 AND 2, NOT b, a LIKE 'x%' FROM t FINAL SAMPLE 1/10 PREWHERE a WHERE b GROUP BY c WITH ROLLUP HAVING d QUALIFY e ORDER BY f NULLS LAST WITH FILL FROM 1 TO 10 STEP 2 LIMIT 1 BY g LIMIT 10, 20 WITH TIES OFFSET 5
----
EXPLAIN PIPELINE graph = 1, header = 0 SELECT 1
----
DESCRIBE TABLE (SELECT 1 AS a, 'x' AS b)
----
SHOW TABLES FROM system LIKE '%log' LIMIT 5
----
SELECT "Grüße", 'Привет', `列`, '😀' FROM t -- ünïcödé
----
SELECT 1　,　2 ​, 3
----
SELECT /* not closed
----
SELECT 'not closed
----
SELECT "not closed
----
SELECT `not closed
----
SELECT ‘not closed
----
SELECT “not closed ” but “ this
----
SELECT ((1
----
SELECT 1)
----
;;; SELECT 1
----
  
----
--
----
/**/
----
#x
----
~ ! | & ^ \
----
SELECT a ~ 'x', a !~ 'x', a & b, a ^ b, !a
