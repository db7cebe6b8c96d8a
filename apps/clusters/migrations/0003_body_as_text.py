from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clusters", "0002_informers"),
    ]

    operations = [
        migrations.AlterField(model_name="cachedobject", name="body", field=models.TextField()),
    ]
