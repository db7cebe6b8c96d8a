from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("slos", "0005_traffic")]

    operations = [
        migrations.RenameField("alert", "pool_name", "target_name"),
        migrations.AddField("alert", "target_kind", models.CharField(default="Pool", max_length=10)),
        migrations.AddField("alert", "traffic", models.CharField(blank=True, default="", max_length=120)),
        migrations.AlterField("alert", "promise", models.CharField(max_length=300)),
    ]
