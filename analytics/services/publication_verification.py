"""Compare every published text with its hash, and with what the log says was published."""

from collections.abc import Iterator
from typing import Final

from analytics.domain.published import text_hash
from analytics.errors import PublicationDiffers
from analytics.models import Publication
from analytics.services.publications import logged_command
from ledger.queries import get_answers, get_bodies

# Texts of a month are up to 100 kB each.
_AT_ONCE: Final = 50


def verify_publications() -> int:
    """Check every publication: its text, its hash and its document in the log.

    Returns
    -------
    int
        How many publications there are, each checked.

    Raises
    ------
    PublicationDiffers
        The message names the first one that is not what was published.
    """
    checked = 0
    for batch in _batches():
        commands = [logged_command(each) for each in batch]
        keys = [command.key for command in commands]
        bodies, answers = get_bodies(keys=keys), get_answers(keys=keys)
        for publication, command in zip(batch, commands, strict=True):
            name = f"publication {publication.pk} ({publication})"
            if text_hash(publication.text) != publication.sha256:
                raise PublicationDiffers(f"{name}: its text has another hash")
            body, answer = bodies.get(command.key), answers.get(command.key)
            if body is None and (answer is None or answer.state == "refused"):
                raise PublicationDiffers(f"{name}: it was never handed to the ledger, or refused")
            # Of a pruned period the ledger keeps no bytes; what waits will be in the next blocks.
            if body and body != command.body:
                raise PublicationDiffers(f"{name}: the log has another hash, month or revision")
        checked += len(batch)
    return checked


def _batches() -> Iterator[list[Publication]]:
    last = 0
    while batch := list(Publication.objects.filter(id__gt=last).order_by("id")[:_AT_ONCE]):
        yield batch
        last = batch[-1].pk
