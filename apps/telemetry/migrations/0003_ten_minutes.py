from django.db import migrations, models

_TEN = """
    CREATE TABLE telemetry_signal_ten (LIKE telemetry_signal_minute INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
        PARTITION BY RANGE (at);
    ALTER TABLE telemetry_signal_ten ADD PRIMARY KEY (pool, variant, at);
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
    dependencies = [("telemetry", "0002_signals_grow")]

    operations = [
        migrations.AddField("Progress", "tens_until", models.DateTimeField(null=True)),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(_TEN, "DROP TABLE telemetry_signal_ten")],
            state_operations=[
                migrations.CreateModel(
                    name="SignalTen", fields=_columns(), options={"db_table": "telemetry_signal_ten"}
                ),
            ],
        ),
    ]
