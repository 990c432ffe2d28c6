CREATE DATABASE usage;

CREATE TABLE usage.people
(
    person LowCardinality(String) COMMENT 'Account of the person, as in usage.events; also the ClickHouse user, if there is one',
    name   String                 COMMENT 'Name to show',
    email  String                 COMMENT 'E-mail address',
    team   LowCardinality(String) COMMENT 'Team that the person belongs to'
)
ENGINE = MergeTree
ORDER BY (team, person)
COMMENT 'Synthetic data: the people who use AI assistants, and their teams';

INSERT INTO usage.people
SELECT lower(first_name), first_name, lower(first_name) || '@example.com', team
FROM values('team String, first_names Array(String)',
    ('analytics', ['Alice', 'Amir', 'Beatriz', 'Chen', 'Dalia', 'Emeka']),
    ('support',   ['Bob', 'Farid', 'Greta', 'Hana', 'Ivan', 'Jun']),
    ('platform',  ['Carol', 'Kofi', 'Lena', 'Mateo', 'Nadia', 'Oscar']),
    ('search',    ['Priya', 'Quentin', 'Rosa', 'Sven', 'Tamar', 'Umar']),
    ('mobile',    ['Vera', 'Wei', 'Ximena', 'Yusuf', 'Zoe', 'Anton']),
    ('research',  ['Bianca', 'Cyrus', 'Daphne', 'Elif', 'Felix', 'Gwen']))
ARRAY JOIN first_names AS first_name;

CREATE TABLE usage.members
(
    person LowCardinality(String) COMMENT 'Account of the person; also the ClickHouse user, if there is one',
    team   LowCardinality(String) COMMENT 'Team whose rows the person may see'
)
ENGINE = MergeTree
ORDER BY person
COMMENT 'Synthetic data: who belongs to which team. Row policies look here: currentUser() is a person';

INSERT INTO usage.members SELECT person, team FROM usage.people;

CREATE TABLE usage.models
(
    model        LowCardinality(String) COMMENT 'Name of the model, as in usage.events',
    provider     LowCardinality(String) COMMENT 'Company that serves the model',
    input_price  Decimal(18, 2)         COMMENT 'Price of a million input tokens that were not cached, in US dollars',
    cached_price Decimal(18, 2)         COMMENT 'Price of a million cached input tokens, in US dollars',
    output_price Decimal(18, 2)         COMMENT 'Price of a million output tokens, in US dollars'
)
ENGINE = MergeTree
ORDER BY model
COMMENT 'Synthetic data: invented AI models and their prices per million tokens';

INSERT INTO usage.models VALUES
    ('heron-large', 'Heron Labs', 5.00, 0.50, 25.00),
    ('heron-small', 'Heron Labs', 1.00, 0.10, 5.00),
    ('otter-pro', 'Otter AI', 3.00, 0.75, 12.00),
    ('otter-mini', 'Otter AI', 0.40, 0.10, 1.60),
    ('wren-embed', 'Wren', 0.10, 0.05, 0.00);

CREATE TABLE usage.events
(
    minute        DateTime('UTC')        COMMENT 'The minute in which the requests were made, UTC' CODEC(Delta, ZSTD),
    team          LowCardinality(String) COMMENT 'Team of the person',
    person        LowCardinality(String) COMMENT 'Who made the requests; see usage.people',
    model         LowCardinality(String) COMMENT 'Model that answered; see usage.models',
    requests      UInt16                 COMMENT 'Requests in this minute',
    errors        UInt16                 COMMENT 'How many of the requests failed',
    input_tokens  UInt32                 COMMENT 'Tokens that were sent (prompt tokens), cached ones included',
    cached_tokens UInt32                 COMMENT 'Input tokens that came from the cache, at a lower price',
    output_tokens UInt32                 COMMENT 'Tokens that were generated (completion tokens)',
    cost          Decimal(18, 8)         COMMENT 'Cost in US dollars: tokens times the prices in usage.models, exactly',
    latency_ms    UInt32                 COMMENT 'Average time until the end of an answer, in milliseconds'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (team, person, minute)
COMMENT 'Synthetic data: token usage and cost of AI assistants (LLM API usage), one row for each person and minute with requests, for the 90 days before the day it was made. For daily token usage see usage.daily';

-- Every number follows from a hash of person and minute, so each load agrees on
-- the minutes that it shares with another.
INSERT INTO usage.events
WITH
    [1, 1, 1, 1, 1, 2, 5, 15, 40, 75, 90, 85, 55, 75, 95, 90, 85, 65, 40, 20, 10, 6, 3, 2] AS activity_by_hour,
    ['heron-large', 'heron-large', 'heron-small', 'heron-small', 'heron-small', 'otter-pro', 'otter-pro', 'otter-mini', 'otter-mini', 'wren-embed'] AS choice,
    0.000001::Decimal(18, 6) AS millionth
SELECT
    minute, team, person, model,
    1 + h1 % 4 AS requests,
    if(bad_day AND h1 % 7 < 2, requests, h1 % 97 = 0) AS errors,
    requests * (bitShiftLeft(150::UInt32, h2 % 6) + h3 % 150) AS input_tokens,
    intDiv(input_tokens * (h4 % 80), 100) AS cached_tokens,
    if(model = 'wren-embed', 0, intDiv(input_tokens, 4 + h5 % 12)) AS output_tokens,
    ((input_tokens - cached_tokens) * input_price + cached_tokens * cached_price + output_tokens * output_price) * millionth AS cost,
    200 + h6 % 400 + 8 * intDiv(output_tokens, requests) AS latency_ms
FROM
(
    SELECT
        minute, team, person,
        cityHash64(person, toUnixTimestamp(minute)) AS hash,
        choice[1 + (cityHash64(person) + (hash % 5) * (hash % 7)) % 10] AS model,
        45 + cityHash64(person, 'keenness') % 80 AS keenness,
        if(toDayOfWeek(minute) > 5, 15, 75 + cityHash64(toDate(minute), 'busyness') % 60) AS busyness,
        cityHash64(toDate(minute), 'bad') % 20 = 0 AS bad_day,
        bitShiftRight(hash, 8) AS h1, bitShiftRight(hash, 16) AS h2, bitShiftRight(hash, 24) AS h3,
        bitShiftRight(hash, 32) AS h4, bitShiftRight(hash, 40) AS h5, bitShiftRight(hash, 48) AS h6
    FROM (SELECT toStartOfDay(now('UTC')) - INTERVAL 90 DAY + INTERVAL number MINUTE AS minute FROM numbers(90 * 24 * 60)) AS minutes
    CROSS JOIN usage.people
    WHERE cityHash64(hash) % 1000000 < activity_by_hour[1 + toHour(minute)] * keenness * busyness
) AS active
INNER JOIN usage.models USING (model);

CREATE VIEW usage.daily
(
    day           Date                   COMMENT 'Day, UTC',
    team          LowCardinality(String) COMMENT 'Team',
    model         LowCardinality(String) COMMENT 'Model',
    people        UInt64                 COMMENT 'How many people used the model on that day',
    requests      UInt64                 COMMENT 'Requests',
    errors        UInt64                 COMMENT 'Requests that failed',
    input_tokens  UInt64                 COMMENT 'Tokens that were sent, cached ones included',
    cached_tokens UInt64                 COMMENT 'Input tokens that came from the cache',
    output_tokens UInt64                 COMMENT 'Tokens that were generated',
    total_tokens  UInt64                 COMMENT 'Input and output tokens together',
    cost          Decimal(38, 8)         COMMENT 'Cost in US dollars'
)
AS SELECT
    toDate(minute) AS day, team, model,
    uniqExact(person) AS people,
    sum(events.requests) AS requests,
    sum(events.errors) AS errors,
    sum(events.input_tokens) AS input_tokens,
    sum(events.cached_tokens) AS cached_tokens,
    sum(events.output_tokens) AS output_tokens,
    input_tokens + output_tokens AS total_tokens,
    sum(events.cost) AS cost
FROM usage.events
GROUP BY day, team, model
COMMENT 'Synthetic data: daily token usage and cost of AI assistants, by team and model; usage.events by the day';

ALTER DATABASE usage MODIFY COMMENT 'Synthetic data: usage of AI assistants: people, models, requests, tokens and cost over 90 days';
