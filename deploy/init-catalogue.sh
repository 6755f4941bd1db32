#!/bin/sh
# What the postgres image runs once, on an empty volume: a database for the catalogue, with an owner of its own, so that
# whoever reads the lake cannot read the catalogue, and the catalogue's account reads no lake.
set -eu
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --set=password="$CATALOGUE_PASSWORD" \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE hms_catalogue LOGIN PASSWORD :'password';
CREATE DATABASE catalogue OWNER hms_catalogue;
REVOKE ALL ON DATABASE catalogue, :"DBNAME" FROM PUBLIC;
SQL
