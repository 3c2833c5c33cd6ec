"""Compile every template of ours, so that a broken one fails before anybody opens its page."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.template import TemplateSyntaxError, engines


class Command(BaseCommand):
    help = "Compile every template and report the broken ones."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = []
        for file in sorted(Path(settings.BASE_DIR).glob("*/templates/**/*.html")):
            try:
                engines["django"].from_string(file.read_text(encoding="utf-8"))
            except TemplateSyntaxError as error:
                broken.append(f"{file.relative_to(settings.BASE_DIR)}: {error}")
        if broken:
            raise CommandError("\n".join(broken))
