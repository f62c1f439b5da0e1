#!/bin/sh
# Creates the two databases of a Temporal server and upgrades their schemas to its version. It is safe to run again. temporal-sql-tool reads
# the connection from SQL_HOST, SQL_PORT, SQL_USER, SQL_PASSWORD and SQL_PLUGIN.
set -eu
schemas=/etc/temporal/schema/postgresql/v12
for pair in temporal:temporal temporal_visibility:visibility; do
  database=${pair%%:*}
  folder=${pair##*:}
  temporal-sql-tool --database "$database" create-database
  # Version 0.0 only creates the tables that store the version. If they exist, it changes nothing.
  temporal-sql-tool --database "$database" setup-schema --version 0.0
  temporal-sql-tool --database "$database" update-schema --schema-dir "$schemas/$folder/versioned"
done
