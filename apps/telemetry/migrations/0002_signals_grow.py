from django.db import migrations, models

_SOURCES = "ALTER TABLE {} ADD COLUMN sources jsonb NOT NULL DEFAULT '{{}}'"
_NO_SOURCES = "ALTER TABLE {} DROP COLUMN sources"
_HOUR = """
    CREATE TABLE telemetry_signal_hour (LIKE telemetry_signal_minute INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
        PARTITION BY RANGE (at);
    ALTER TABLE telemetry_signal_hour ADD PRIMARY KEY (pool, variant, at);
"""


def _columns():
    return [
        (
            "pk",
            models.CompositePrimaryKey(
                "pool", "variant", "at", blank=True, editable=False, primary_key=True, serialize=False
            ),
        ),
        ("pool", models.UUIDField()),
        ("variant", models.CharField(blank=True, max_length=63)),
        ("at", models.DateTimeField()),
        ("seconds", models.FloatField()),
        ("targets", models.PositiveIntegerField()),
        ("scraped", models.PositiveIntegerField()),
        ("reason", models.TextField(blank=True)),
        ("counts", models.JSONField(default=dict)),
        ("rates", models.JSONField(default=dict)),
        ("histograms", models.JSONField(default=dict)),
        ("gauges", models.JSONField(default=dict)),
        ("replicas", models.JSONField(default=dict)),
        ("sources", models.JSONField(default=dict)),
    ]


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0001_initial")]

    operations = [
        migrations.AddField("PoolSummary", "hour_until", models.DateTimeField(null=True)),
        migrations.AddField("Progress", "hours_until", models.DateTimeField(null=True)),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                *(
                    migrations.RunSQL(_SOURCES.format(table), _NO_SOURCES.format(table))
                    for table in ("telemetry_signal", "telemetry_signal_minute")
                ),
                migrations.RunSQL(_HOUR, "DROP TABLE telemetry_signal_hour"),
            ],
            state_operations=[
                migrations.AddField("Signal", "sources", models.JSONField(default=dict)),
                migrations.AddField("SignalMinute", "sources", models.JSONField(default=dict)),
                migrations.CreateModel(
                    name="SignalHour", fields=_columns(), options={"db_table": "telemetry_signal_hour"}
                ),
            ],
        ),
    ]
