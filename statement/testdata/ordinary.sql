-- daily token usage, by model and team
WITH daily AS
(
    SELECT toDate(u.minute) AS day, u.model_id, u.user_id, sum(u.input_tokens) AS input, sum(u.output_tokens) AS output, sum(u.cost) AS cost
    FROM usage.requests AS u
    WHERE u.minute >= now() - INTERVAL 30 DAY AND u.status = 'ok' AND u.model_id NOT IN ('test', 'canary')
    GROUP BY day, u.model_id, u.user_id
)
SELECT
    d.day, m.name AS model, t.name AS team,
    round(sum(d.cost), 2) AS total_cost, sum(d.input + d.output) AS tokens, uniqExact(d.user_id) AS people,
    quantiles(0.5, 0.9, 0.99)(d.cost) AS cost_quantiles, arrayStringConcat(arraySort(groupUniqArray(p.name)), ', ') AS names
FROM daily AS d
INNER JOIN usage.models AS m ON m.id = d.model_id
LEFT JOIN usage.people AS p ON p.id = d.user_id
LEFT JOIN usage.teams AS t ON t.id = p.team_id
WHERE t.name ILIKE '%data%' OR m.name LIKE 'large-%' /* only the expensive ones */
GROUP BY d.day, model, team
HAVING tokens > 1000
ORDER BY d.day DESC, total_cost DESC
LIMIT 100
SETTINGS join_use_nulls = 1
----
SELECT count() FROM usage.events
----
SHOW TABLES FROM usage
----
DESCRIBE TABLE usage.events
----
SELECT * FROM usage.events ORDER BY time DESC LIMIT 10
----
select origin, count(*) as flights, avg(arr_delay) as delay from flights.flights where dest = 'JFK' group by origin order by flights desc limit 20
----
SELECT toStartOfMonth(date) AS month, carrier, countIf(cancelled) / count() AS share
FROM flights.flights
WHERE date BETWEEN '2025-01-01' AND '2025-12-31'
GROUP BY month, carrier
ORDER BY month, share DESC;
----
SELECT name, engine, total_rows, formatReadableSize(total_bytes) AS size, comment
FROM system.tables
WHERE database = 'usage'
ORDER BY total_bytes DESC
----
SELECT database, table, name, type, comment FROM system.columns WHERE (name ILIKE '%token%') OR (comment ILIKE '%token%') ORDER BY database, table, position LIMIT 200
----
SELECT
    toStartOfInterval(time, INTERVAL 5 MINUTE) AS slot,
    service,
    count() AS requests,
    countIf(status >= 500) AS failures,
    round(failures / requests * 100, 2) AS failure_percent,
    quantile(0.5)(duration_ms) AS median_ms,
    quantile(0.99)(duration_ms) AS slowest_ms
FROM logs.requests
WHERE time >= now() - INTERVAL 6 HOUR AND service IN ('checkout', 'search', 'login')
GROUP BY slot, service
HAVING requests > 100
ORDER BY slot ASC, service ASC
----
SELECT time, level, message FROM logs.application
WHERE level IN ('ERROR', 'FATAL') AND positionCaseInsensitive(message, 'connection reset by peer') > 0 AND time > '2026-03-01 00:00:00'
ORDER BY time DESC LIMIT 50
----
-- Which customers bought less this quarter than in the one before?
WITH
    toStartOfQuarter(today()) AS this_quarter,
    addQuarters(this_quarter, -1) AS last_quarter,
    revenue AS
    (
        SELECT
            customer_id,
            sumIf(amount, order_date >= this_quarter) AS now_amount,
            sumIf(amount, order_date >= last_quarter AND order_date < this_quarter) AS then_amount
        FROM sales.orders
        WHERE order_date >= last_quarter AND state != 'returned'
        GROUP BY customer_id
    )
SELECT
    c.customer_name,
    c.country,
    r.then_amount,
    r.now_amount,
    r.now_amount - r.then_amount AS change,
    if(r.then_amount = 0, NULL, round(100 * change / r.then_amount, 1)) AS change_percent
FROM revenue AS r
INNER JOIN sales.customers AS c ON c.customer_id = r.customer_id
WHERE change < 0
ORDER BY change ASC
LIMIT 25
----
SELECT
    product_id,
    any(product_name) AS product,
    sum(quantity) AS sold,
    sum(quantity * unit_price) AS turnover,
    rank() OVER (PARTITION BY any(category) ORDER BY turnover DESC) AS place
FROM sales.order_lines
GROUP BY product_id
ORDER BY turnover DESC
LIMIT 10 BY product_id
----
SELECT day, tokens, avg(tokens) OVER (ORDER BY day ASC ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS week_average, tokens - lagInFrame(tokens, 7) OVER (ORDER BY day ASC) AS change
FROM
(
    SELECT toDate(time) AS day, sum(input_tokens) + sum(output_tokens) AS tokens
    FROM usage.events
    WHERE time >= today() - 90
    GROUP BY day
)
ORDER BY day
----
SELECT
    CASE
        WHEN age < 18 THEN 'under 18'
        WHEN age BETWEEN 18 AND 29 THEN '18 to 29'
        WHEN age BETWEEN 30 AND 49 THEN '30 to 49'
        ELSE '50 and older'
    END AS age_group,
    count() AS people,
    round(avg(sessions), 1) AS sessions_each
FROM app.users
WHERE registered_at >= toDateTime('2026-01-01 00:00:00', 'UTC') AND NOT is_deleted
GROUP BY age_group
ORDER BY people DESC
----
SELECT `user name`, "Order Date", arrayMap(x -> x * 2, `values`) AS doubled, tags['color'] AS color, t.1 AS first
FROM `my database`.`Orders 2026` FINAL
PREWHERE "Order Date" = '2026-02-03'
WHERE has(labels, 'urgent') AND mapContains(tags, 'color') AND isNotNull(email)
----
SELECT level, windowFunnel(86400)(time, event = 'visit', event = 'cart', event = 'payment') AS level, count() AS people
FROM web.events WHERE toYYYYMM(time) = 202603 GROUP BY user_id ORDER BY level
----
SELECT 'new' AS kind, count() FROM app.users WHERE registered_at >= yesterday()
UNION ALL
SELECT 'lost' AS kind, count() FROM app.users WHERE last_seen < today() - 30
UNION ALL
SELECT 'active' AS kind, count() FROM app.users WHERE last_seen >= today() - 1
----
EXPLAIN indexes = 1 SELECT count() FROM logs.requests WHERE service = 'search' AND time > now() - 3600
----
SELECT
    splitByChar('/', path)[2] AS section,
    uniq(visitor_id) AS visitors,
    sum(length(body)) AS bytes,
    topK(5)(referrer) AS referrers,
    min(time) AS first_seen,
    max(time) AS last_seen
FROM web.hits
WHERE match(user_agent, '(?i)(chrome|firefox|safari)') AND lower(domain(url)) LIKE '%.example.com' AND status NOT IN (301, 302, 404)
  AND toHour(time, 'Europe/Berlin') >= 8 AND toHour(time, 'Europe/Berlin') < 18
GROUP BY section WITH TOTALS
ORDER BY visitors DESC
LIMIT 20 OFFSET 40
----
SELECT a.team, a.cost AS this_month, b.cost AS last_month
FROM (SELECT team, sum(cost) AS cost FROM usage.events WHERE toStartOfMonth(time) = toStartOfMonth(now()) GROUP BY team) AS a
FULL OUTER JOIN (SELECT team, sum(cost) AS cost FROM usage.events WHERE toStartOfMonth(time) = toStartOfMonth(now()) - INTERVAL 1 MONTH GROUP BY team) AS b USING (team)
ORDER BY this_month DESC NULLS LAST
----
SELECT JSONExtractString(payload, 'customer', 'id') AS customer, JSONExtractInt(payload, 'items') AS items, parseDateTimeBestEffort(JSONExtractString(payload, 'created')) AS created
FROM queue.messages
WHERE topic = 'orders' AND JSONHas(payload, 'customer') AND customer IN (SELECT customer_id FROM sales.customers WHERE country IN ('DE', 'FR', 'NL'))
LIMIT 1000
----
SELECT sensor, toStartOfHour(time) AS hour, avg(temperature)::Decimal(9, 2) AS temperature, max(humidity) AS humidity
FROM weather.readings
ARRAY JOIN sensors AS sensor
WHERE time >= {from:DateTime} AND time < {to:DateTime} AND temperature > -40.5 AND temperature < 1.2e2
GROUP BY sensor, hour
ORDER BY sensor, hour WITH FILL STEP 3600
SETTINGS final = 1, session_timezone = 'UTC'
