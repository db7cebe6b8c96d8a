from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0003_ten_minutes")]

    operations = [
        migrations.CreateModel(
            name="Outage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateTimeField(unique=True)),
                ("until", models.DateTimeField()),
                ("attempts", models.IntegerField(default=0)),
                ("filled_at", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
            ],
        ),
    ]
