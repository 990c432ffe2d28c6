-- Run once, by an administrator. First something to look at, and who may see what of it.
CREATE DATABASE IF NOT EXISTS sales;
CREATE TABLE IF NOT EXISTS sales.orders (at DateTime, region LowCardinality(String), amount Decimal(12, 2)) ENGINE = MergeTree ORDER BY at;
INSERT INTO sales.orders SELECT now() - number * 60, ['north', 'south'][1 + number % 2], number % 97 FROM numbers(10000);
CREATE ROLE IF NOT EXISTS ch_analyst;
GRANT SELECT ON sales.* TO ch_analyst;
CREATE ROLE IF NOT EXISTS ch_north;
GRANT SELECT ON sales.* TO ch_north;
CREATE ROW POLICY IF NOT EXISTS north_only ON sales.orders USING region = 'north' TO ch_north;
CREATE ROLE IF NOT EXISTS ch_grafana;
GRANT SHOW ON sales.* TO ch_grafana;

-- The rest is what this prints:
--   porterhouse check grants --config porterhouse.yaml ch_analyst ch_north
