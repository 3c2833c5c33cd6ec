"""Licences a product may carry, by key: what they are called, what they say, where they stand."""

from dataclasses import dataclass
from typing import Final

from marketplace.errors import N_


@dataclass(frozen=True)
class Licence:
    """A licence; ``kind`` is the last part of its type in the ADMS vocabulary.

    ``words`` says in one sentence what it allows; what binds is the contract's policy.
    """

    key: str
    title: str
    words: str
    kind: str
    url: str = ""


# The texts are their authors'; we name them and say where they are.
_ALL: Final = (
    Licence(
        "contract",
        N_("Contract only"),
        N_("Only what the contract allows, for its buyer alone; nothing may be passed on."),
        "OtherRestrictiveClauses",
    ),
    Licence(
        "contract-non-commercial",
        N_("Contract, not commercial"),
        N_("Only what the contract allows, and no commercial use; nothing may be passed on."),
        "NonCommercialUseOnly",
    ),
    Licence(
        "cc0-1.0",
        "CC0 1.0",
        N_("Free for every use; nobody needs to be named."),
        "PublicDomain",
        "https://creativecommons.org/publicdomain/zero/1.0/",
    ),
    Licence(
        "cc-by-4.0",
        "CC BY 4.0",
        N_("Free for every use, also passed on or changed, if the source is named."),
        "Attribution",
        "https://creativecommons.org/licenses/by/4.0/",
    ),
    Licence(
        "cc-by-sa-4.0",
        "CC BY-SA 4.0",
        N_("As CC BY, and what is made of it stands under the same licence."),
        "ViralEffect-ShareAlike",
        "https://creativecommons.org/licenses/by-sa/4.0/",
    ),
    Licence(
        "cc-by-nc-4.0",
        "CC BY-NC 4.0",
        N_("For use that is not commercial, if the source is named."),
        "NonCommercialUseOnly",
        "https://creativecommons.org/licenses/by-nc/4.0/",
    ),
    Licence(
        "odbl-1.0",
        "ODbL 1.0",
        N_("Free for every use, if the source is named and databases made of it stay open."),
        "ViralEffect-ShareAlike",
        "https://opendatacommons.org/licenses/odbl/1-0/",
    ),
    Licence(
        "odc-by-1.0",
        "ODC-By 1.0",
        N_("Free for every use of the database, if the source is named."),
        "Attribution",
        "https://opendatacommons.org/licenses/by/1-0/",
    ),
)
LICENCES: Final = {licence.key: licence for licence in _ALL}
# What a product has whose key is of a later list than this one.
STRICTEST: Final = LICENCES["contract"]


def licence_of(key: str) -> Licence:
    """Return the licence with a key, the strictest where the key is not known here."""
    return LICENCES.get(key, STRICTEST)
