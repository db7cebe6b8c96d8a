from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

from apps.reconcile.domain.priority import Priority


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.RunSQL("CREATE SEQUENCE reconcile_fence AS bigint", "DROP SEQUENCE reconcile_fence"),
        migrations.CreateModel(
            name="QueueItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=63)),
                ("uid", models.UUIDField()),
                ("shard", models.CharField(blank=True, default="", max_length=100)),
                ("priority", models.SmallIntegerField(default=Priority.RESYNC)),
                ("due_at", models.DateTimeField(db_default=Now())),
                ("enqueued_at", models.DateTimeField(db_default=Now())),
                ("attempts", models.IntegerField(default=0)),
                ("fence", models.BigIntegerField(default=0)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("holder", models.CharField(blank=True, default="", max_length=200)),
                ("dirty", models.BooleanField(default=False)),
                ("last_error", models.TextField(blank=True, default="")),
            ],
            options={"db_table": "reconcile_queue"},
        ),
        migrations.CreateModel(
            name="Shard",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("failures", models.IntegerField(default=0)),
                ("open_until", models.DateTimeField(db_default=Now())),
                ("last_error", models.TextField(blank=True, default="")),
            ],
            options={"db_table": "reconcile_shard"},
        ),
        migrations.AddConstraint(
            model_name="queueitem",
            constraint=models.UniqueConstraint(fields=["kind", "uid"], name="reconcile_queue_key"),
        ),
        migrations.AddIndex(
            model_name="queueitem",
            index=models.Index(fields=["priority", "due_at"], name="reconcile_queue_order"),
        ),
        migrations.AddIndex(
            model_name="queueitem",
            index=models.Index(fields=["shard"], condition=Q(lease_until__isnull=False), name="reconcile_queue_leased"),
        ),
    ]
