from django.db import migrations, models

_TABLE = "telemetry_block_tick"
_CREATE = f"""
    CREATE TABLE {_TABLE} (
        pool uuid NOT NULL,
        start timestamptz NOT NULL,
        data bytea NOT NULL,
        PRIMARY KEY (pool, start)
    ) PARTITION BY RANGE (start);
    -- it is packed already
    ALTER TABLE {_TABLE} ALTER COLUMN data SET STORAGE EXTERNAL;
"""


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0006_replica_window")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(_CREATE, f"DROP TABLE {_TABLE}")],
            state_operations=[
                migrations.CreateModel(
                    name="BlockTick",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "pool", "start", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("pool", models.UUIDField()),
                        ("start", models.DateTimeField()),
                        ("data", models.BinaryField()),
                    ],
                    options={"db_table": _TABLE},
                )
            ],
        ),
    ]
