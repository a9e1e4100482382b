"""The room of Django's connections and models."""

from typing import Final

from relay.service.django.connection import ConnectionWriter
from relay.service.django.source import AliasSource
from relay.service.django.tracking import Models
from relay.service.writer import Kind

KIND: Final = Kind(writers=(ConnectionWriter(),), sources=(AliasSource(),), tracking=Models)
