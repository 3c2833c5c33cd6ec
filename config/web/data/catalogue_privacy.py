"""What the gate did with a column, and what risks it names, in the reader's language."""

from typing import Final

from django.utils.translation import gettext_lazy

RISK_LABELS: Final = {
    "people-not-counted": gettext_lazy(
        "No column comes near to a person: the smallest group counts trips, and all of them may be"
        " one person's."
    ),
    "person-by-proxy": gettext_lazy("People are counted by a column that only comes near to them."),
    "no-limit-for-one": gettext_lazy("One person may have made most trips of a group."),
    "left-over": gettext_lazy(
        "A figure for a longer time holds trips whose hours were below the smallest group."
    ),
    "same-time-again": gettext_lazy(
        "An earlier version covers some of this time: the difference of both tells of trips that"
        " were added or corrected in between."
    ),
    "known-others": gettext_lazy("Who knows all trips of a group but one knows that one too."),
    "same-answer": gettext_lazy(
        "Where a place leads to one other place only, who started there went there."
    ),
}
FATE_LABELS: Final = {
    "dropped": gettext_lazy("taken out"),
    "coarsened": gettext_lazy("made coarser"),
    "kept": gettext_lazy("kept"),
    "rotated": gettext_lazy("replaced by numbers that change every day"),
}
