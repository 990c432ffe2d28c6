CREATE DATABASE films;

CREATE TABLE films.movies
(
    title               String                           COMMENT 'Title of the film; empty: unknown',
    released            Date32                           COMMENT 'Release date; a few years are a century too late in the source',
    genre               LowCardinality(Nullable(String)) COMMENT 'Major genre, such as Comedy or Drama',
    creative_type       LowCardinality(Nullable(String)) COMMENT 'Such as Contemporary Fiction or Super Hero',
    source              LowCardinality(Nullable(String)) COMMENT 'What the film is based on, such as Original Screenplay or Remake',
    director            LowCardinality(Nullable(String)) COMMENT 'Director',
    distributor         LowCardinality(Nullable(String)) COMMENT 'Distributor',
    mpaa_rating         LowCardinality(Nullable(String)) COMMENT 'Rating of the Motion Picture Association: G, PG, PG-13, R, NC-17, Open or Not Rated',
    running_time        Nullable(UInt16)                 COMMENT 'Length in minutes',
    production_budget   Nullable(UInt64)                 COMMENT 'Cost of production in US dollars',
    us_gross            Nullable(UInt64)                 COMMENT 'Box office in the USA, in US dollars; 0 mostly means unknown',
    worldwide_gross     Nullable(UInt64)                 COMMENT 'Box office worldwide, in US dollars; 0 mostly means unknown',
    us_dvd_sales        Nullable(UInt64)                 COMMENT 'Sales of DVDs in the USA, in US dollars',
    imdb_rating         Nullable(Float32)                COMMENT 'Average rating at IMDb, 1 to 10',
    imdb_votes          Nullable(UInt32)                 COMMENT 'Number of votes at IMDb',
    rotten_tomatoes     Nullable(UInt8)                  COMMENT 'Share of good reviews at Rotten Tomatoes, in percent'
)
ENGINE = MergeTree
ORDER BY released
COMMENT 'Films with budgets, box office and ratings, 1928 to 2010. Known to hold errors, kept on purpose. Source: vega-datasets';

-- data: movies.json
INSERT INTO films.movies
SELECT Title, parseDateTime64BestEffort(`Release Date`)::Date32, `Major Genre`, `Creative Type`, Source, Director, Distributor,
    `MPAA Rating`, `Running Time min`, `Production Budget`, `US Gross`, `Worldwide Gross`, `US DVD Sales`,
    `IMDB Rating`, `IMDB Votes`, `Rotten Tomatoes Rating`
FROM input('Title String, `Release Date` String, `Major Genre` Nullable(String), `Creative Type` Nullable(String),
    Source Nullable(String), Director Nullable(String), Distributor Nullable(String), `MPAA Rating` Nullable(String),
    `Running Time min` Nullable(UInt16), `Production Budget` Nullable(UInt64), `US Gross` Nullable(UInt64),
    `Worldwide Gross` Nullable(UInt64), `US DVD Sales` Nullable(UInt64), `IMDB Rating` Nullable(Float32),
    `IMDB Votes` Nullable(UInt32), `Rotten Tomatoes Rating` Nullable(UInt8)')
FORMAT JSONEachRow;

ALTER DATABASE films MODIFY COMMENT 'Films: budgets, box office and ratings';
