CREATE DATABASE nature;

CREATE TABLE nature.weather
(
    location      LowCardinality(String) COMMENT 'City: Seattle or New York',
    date          Date                   COMMENT 'Day of the observation',
    precipitation Float32                COMMENT 'Rain and melted snow, in millimetres',
    temp_max      Float32                COMMENT 'Highest temperature of the day, in degrees Celsius',
    temp_min      Float32                COMMENT 'Lowest temperature of the day, in degrees Celsius',
    wind          Float32                COMMENT 'Average wind speed; the source says kilometres per hour, the numbers look like metres per second',
    weather       LowCardinality(String) COMMENT 'Kind of weather: drizzle, fog, rain, snow or sun'
)
ENGINE = MergeTree
ORDER BY (location, date)
COMMENT 'Daily weather in Seattle and New York, 2012 to 2015. Source: NOAA, by way of vega-datasets';

-- data: weather.csv
INSERT INTO nature.weather FORMAT CSVWithNames;

CREATE TABLE nature.earthquakes
(
    id        String                        COMMENT 'Identifier of the event at USGS',
    time      DateTime64(3, 'UTC')          COMMENT 'When it happened, UTC',
    magnitude Nullable(Float32)             COMMENT 'Magnitude; see magnitude_type for the scale',
    magnitude_type LowCardinality(Nullable(String)) COMMENT 'Scale of the magnitude, such as ml or mb',
    place     String                        COMMENT 'Where it happened, in words',
    latitude  Float64                       COMMENT 'Degrees north',
    longitude Float64                       COMMENT 'Degrees east',
    depth     Float32                       COMMENT 'Depth in kilometres',
    kind      LowCardinality(String)        COMMENT 'earthquake, quarry blast, explosion or the like',
    felt      Nullable(UInt32)              COMMENT 'How many people reported that they felt it',
    tsunami   Bool                          COMMENT 'Whether a message about a tsunami went out'
)
ENGINE = MergeTree
ORDER BY time
COMMENT 'All earthquakes of one week, 31 January to 7 February 2018. Source: U.S. Geological Survey, by way of vega-datasets';

-- data: earthquakes.json
INSERT INTO nature.earthquakes
WITH
    arrayJoin(JSONExtractArrayRaw(document, 'features')) AS feature,
    JSONExtract(feature, 'geometry', 'coordinates', 'Array(Float64)') AS coordinates
SELECT
    JSONExtractString(feature, 'id'),
    fromUnixTimestamp64Milli(JSONExtractInt(feature, 'properties', 'time')),
    JSONExtract(feature, 'properties', 'mag', 'Nullable(Float32)'),
    JSONExtract(feature, 'properties', 'magType', 'Nullable(String)'),
    JSONExtractString(feature, 'properties', 'place'),
    coordinates[2],
    coordinates[1],
    coordinates[3],
    JSONExtractString(feature, 'properties', 'type'),
    JSONExtract(feature, 'properties', 'felt', 'Nullable(UInt32)'),
    JSONExtractBool(feature, 'properties', 'tsunami')
FROM input('document String')
FORMAT JSONAsString;

CREATE TABLE nature.co2
(
    month    Date32  COMMENT 'First day of the month',
    co2      Float32 COMMENT 'Carbon dioxide in the air, in parts per million',
    adjusted Float32 COMMENT 'The same without the cycle of the seasons'
)
ENGINE = MergeTree
ORDER BY month
COMMENT 'Carbon dioxide at Mauna Loa, Hawaii, by month, 1958 to 2020. Source: Scripps Institution of Oceanography (CC BY 4.0), by way of vega-datasets';

-- data: co2-concentration.csv
INSERT INTO nature.co2
SELECT Date, CO2, `adjusted CO2`
FROM input('Date Date32, CO2 Float32, `adjusted CO2` Float32')
FORMAT CSVWithNames;

CREATE TABLE nature.global_temperature
(
    year    UInt16  COMMENT 'Year',
    anomaly Float32 COMMENT 'How much warmer the year was than the average of 1951 to 1980, in degrees Celsius'
)
ENGINE = MergeTree
ORDER BY year
COMMENT 'Temperature of land and sea worldwide, by year, 1880 to 2023, against a long average. Source: NASA GISS, by way of vega-datasets';

-- data: global-temp.csv
INSERT INTO nature.global_temperature
SELECT year, temp
FROM input('year UInt16, temp Float32')
FORMAT CSVWithNames;

ALTER DATABASE nature MODIFY COMMENT 'Weather, earthquakes and climate';
