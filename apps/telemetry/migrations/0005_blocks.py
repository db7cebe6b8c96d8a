from django.db import migrations, models

_TABLES = {
    "BlockMinute": "telemetry_block_minute",
    "BlockTen": "telemetry_block_ten",
    "BlockHour": "telemetry_block_hour",
}
_BLOCKS = """
    CREATE TABLE {0} (
        pool uuid NOT NULL,
        start timestamptz NOT NULL,
        data bytea NOT NULL,
        PRIMARY KEY (pool, start)
    ) PARTITION BY RANGE (start);
    -- it is packed already
    ALTER TABLE {0} ALTER COLUMN data SET STORAGE EXTERNAL;
"""
# what merges and packs looks for a span of time, of all pools
_BY_TIME = ("telemetry_signal", "telemetry_signal_minute", "telemetry_signal_ten", "telemetry_signal_hour")


def _columns():
    return [
        (
            "pk",
            models.CompositePrimaryKey("pool", "start", blank=True, editable=False, primary_key=True, serialize=False),
        ),
        ("pool", models.UUIDField()),
        ("start", models.DateTimeField()),
        ("data", models.BinaryField()),
    ]


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0004_outage")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                *(migrations.RunSQL(_BLOCKS.format(table), f"DROP TABLE {table}") for table in _TABLES.values()),
                *(
                    migrations.RunSQL(f"CREATE INDEX {table}_at ON {table} (at)", f"DROP INDEX {table}_at")
                    for table in _BY_TIME
                ),
            ],
            state_operations=[
                migrations.CreateModel(name=name, fields=_columns(), options={"db_table": table})
                for name, table in _TABLES.items()
            ],
        ),
    ]
