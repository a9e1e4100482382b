from django.db import models


class Thing(models.Model):  # type: ignore[misc]  # noqa: DJ008 - nobody reads it
    id = models.IntegerField(primary_key=True)
    name = models.TextField()
    size = models.IntegerField(db_default=7)
    secret = models.TextField(db_default="hunter2")
    beats = models.IntegerField(db_default=0)
    stamp = models.TextField(db_default="by a default")

    class Meta:
        db_table = "things"


class Part(models.Model):  # type: ignore[misc]  # noqa: DJ008 - nobody reads it
    id = models.IntegerField(primary_key=True)
    thing = models.ForeignKey(Thing, models.CASCADE)

    class Meta:
        db_table = "parts"
