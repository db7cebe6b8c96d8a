from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("offload", "0002_store"),
    ]

    operations = [
        migrations.AlterField(
            model_name="probe",
            name="claim",
            field=models.CharField(blank=True, default="", max_length=600),
        ),
    ]
