#!/bin/sh
# Makes the two databases of a Temporal server and brings their schemas to its version. Safe to run again. The connection comes
# from SQL_HOST, SQL_PORT, SQL_USER, SQL_PASSWORD and SQL_PLUGIN, as temporal-sql-tool reads them.
set -eu
schemas=/etc/temporal/schema/postgresql/v12
for pair in temporal:temporal temporal_visibility:visibility; do
  database=${pair%%:*}
  folder=${pair##*:}
  temporal-sql-tool --database "$database" create-database
  # Version 0.0 only makes the tables that keep the version. Where they are already, it changes nothing.
  temporal-sql-tool --database "$database" setup-schema --version 0.0
  temporal-sql-tool --database "$database" update-schema --schema-dir "$schemas/$folder/versioned"
done
