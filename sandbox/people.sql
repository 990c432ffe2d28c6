CREATE DATABASE IF NOT EXISTS scratch COMMENT 'A place to write to, for those who may';

-- Rights belong to roles.
CREATE ROLE IF NOT EXISTS analyst;
GRANT SELECT ON flights.* TO analyst;
GRANT SELECT ON nature.* TO analyst;
GRANT SELECT ON films.* TO analyst;
GRANT SELECT ON usage.* TO analyst;

CREATE ROLE IF NOT EXISTS colleague;
GRANT SELECT ON usage.* TO colleague;

CREATE ROLE IF NOT EXISTS author;
GRANT SELECT, INSERT, ALTER, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, TRUNCATE, OPTIMIZE ON scratch.* TO author;

-- A colleague sees the own team's rows only. Whom no policy mentions sees all rows:
-- config.xml says so (users_without_row_policies_can_read_rows).
CREATE ROW POLICY IF NOT EXISTS own_membership ON usage.members USING person = currentUser() TO colleague;
CREATE ROW POLICY IF NOT EXISTS own_team ON usage.people USING team IN (SELECT team FROM usage.members WHERE person = currentUser()) TO colleague;
CREATE ROW POLICY IF NOT EXISTS own_team ON usage.events USING team IN (SELECT team FROM usage.members WHERE person = currentUser()) TO colleague;

-- Nobody can log in as one of the people.
CREATE USER IF NOT EXISTS alice IDENTIFIED WITH {nobody};
CREATE USER IF NOT EXISTS bob IDENTIFIED WITH {nobody};
CREATE USER IF NOT EXISTS carol IDENTIFIED WITH {nobody};
GRANT analyst TO alice;
GRANT colleague TO bob;
GRANT analyst, author TO carol;

-- The gateway may be one of the people, and look for its own queries to stop them.
CREATE USER IF NOT EXISTS porterhouse IDENTIFIED WITH {nobody} HOST IP '127.0.0.1' DEFAULT ROLE NONE;
GRANT IMPERSONATE ON alice TO porterhouse;
GRANT IMPERSONATE ON bob TO porterhouse;
GRANT IMPERSONATE ON carol TO porterhouse;
GRANT SELECT(query, query_id, user) ON system.processes TO porterhouse;
