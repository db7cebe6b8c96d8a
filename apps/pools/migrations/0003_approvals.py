from django.db import migrations, models
from django.db.models import F


def approve_all(apps, schema_editor):
    """What was accepted before there were approvals is live."""
    apps.get_model("pools", "PoolRevision").objects.update(approved_at=F("accepted_at"))


class Migration(migrations.Migration):
    dependencies = [
        ("pools", "0002_plans"),
    ]

    operations = [
        migrations.AddField(
            model_name="poolrevision",
            name="approved_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="poolrevision",
            name="approved_by",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.RunPython(approve_all, migrations.RunPython.noop),
    ]
