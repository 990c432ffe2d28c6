CREATE DATABASE flights;

CREATE TABLE flights.flights
(
    departed_at DateTime('UTC')        COMMENT 'Actual departure, in the local time of the origin airport (the zone UTC is only nominal)' CODEC(Delta, ZSTD),
    origin      LowCardinality(String) COMMENT 'IATA code of the airport of departure; see flights.airports',
    destination LowCardinality(String) COMMENT 'IATA code of the airport of arrival; see flights.airports',
    delay       Int16                  COMMENT 'Arrival delay in minutes; negative: early',
    distance    UInt16                 COMMENT 'Distance in miles'
)
ENGINE = MergeTree
ORDER BY (origin, departed_at)
COMMENT 'Domestic flights in the USA, January to June 2001: 3 million completed flights with their delays. Source: U.S. Bureau of Transportation Statistics, sampled by vega-datasets';

-- data: flights-3m.parquet
INSERT INTO flights.flights (departed_at, origin, destination, delay, distance)
SELECT date, origin, destination, delay, distance
FROM input('date DateTime64(6, \'UTC\'), origin LowCardinality(String), destination LowCardinality(String), delay Int64, distance Int64')
FORMAT Parquet;

CREATE TABLE flights.airports
(
    iata      String                 COMMENT 'Code of the airport, as in flights.flights: three letters, or four characters for small fields',
    name      String                 COMMENT 'Name of the airport',
    city      String                 COMMENT 'City that it serves; NA: unknown',
    state     LowCardinality(String) COMMENT 'Two-letter code of the US state or territory; NA: none',
    country   LowCardinality(String) COMMENT 'Country',
    latitude  Float64                COMMENT 'Degrees north',
    longitude Float64                COMMENT 'Degrees east'
)
ENGINE = MergeTree
ORDER BY iata
COMMENT 'Airports in the USA and its territories, with their coordinates. Source: vega-datasets';

-- data: airports.csv
INSERT INTO flights.airports FORMAT CSVWithNames;

CREATE TABLE flights.birdstrikes
(
    date      Date                             COMMENT 'Day of the flight',
    airport   LowCardinality(String)           COMMENT 'Name of the airport',
    state     LowCardinality(String)           COMMENT 'State of the airport',
    aircraft  LowCardinality(String)           COMMENT 'Make and model of the aircraft',
    operator  LowCardinality(String)           COMMENT 'Airline or other operator of the aircraft',
    phase     LowCardinality(String)           COMMENT 'Phase of the flight, such as Climb or Approach',
    time      LowCardinality(Nullable(String)) COMMENT 'Time of day: Dawn, Day, Dusk or Night',
    species   LowCardinality(String)           COMMENT 'Species of the animal',
    size      LowCardinality(Nullable(String)) COMMENT 'Size of the animal: Small, Medium or Large',
    damage    LowCardinality(String)           COMMENT 'Damage: None, Minor, Medium or Substantial; a few rows have other codes',
    cost      UInt32                           COMMENT 'Total cost in US dollars',
    speed     Nullable(UInt16)                 COMMENT 'Indicated air speed in knots'
)
ENGINE = MergeTree
ORDER BY (airport, date)
COMMENT 'Wildlife that aircraft hit, 1990 to 2002: 10,000 reports. Source: U.S. Federal Aviation Administration, by way of vega-datasets';

-- data: birdstrikes.csv
INSERT INTO flights.birdstrikes
SELECT `Flight Date`, `Airport Name`, `Origin State`, `Aircraft Make Model`, `Aircraft Airline Operator`, `Phase of flight`,
    `Time of day`, `Wildlife Species`, `Wildlife Size`, `Effect Amount of damage`, `Cost Total $`, `Speed IAS in knots`
FROM input('`Airport Name` String, `Aircraft Make Model` String, `Effect Amount of damage` String, `Flight Date` Date,
    `Aircraft Airline Operator` String, `Origin State` String, `Phase of flight` String, `Wildlife Size` Nullable(String),
    `Wildlife Species` String, `Time of day` Nullable(String), `Cost Total $` UInt32, `Speed IAS in knots` Nullable(UInt16)')
FORMAT CSVWithNames;

ALTER DATABASE flights MODIFY COMMENT 'Air traffic in the USA: 3 million flights with their delays, airports, and collisions with birds';
