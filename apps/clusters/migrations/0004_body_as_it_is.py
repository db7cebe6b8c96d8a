from django.db import migrations


class Migration(migrations.Migration):
    """Bodies are stored as they are: to compress one of 8 kB is half of what storing it costs the database."""

    dependencies = [
        ("clusters", "0003_body_as_text"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE clusters_cached_object ALTER COLUMN body SET STORAGE EXTERNAL",
            "ALTER TABLE clusters_cached_object ALTER COLUMN body SET STORAGE EXTENDED",
        ),
    ]
