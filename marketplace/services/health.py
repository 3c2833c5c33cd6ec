"""What the hall notes about itself, for the operator's pages."""

from datetime import datetime

from marketplace.models import TaskRun, Verification

FAILURE_CHARACTERS_MAX = 300


def note_task_run(*, name: str, now: datetime, failure: str | None = None) -> None:
    """Note that a scheduled task went well, or what went wrong; the last of each is kept.

    Parameters
    ----------
    failure : str, optional
        What went wrong; None: nothing.
    """
    if failure is None:
        row = TaskRun(name=name, ended_at=now)
        fields = ["ended_at"]
    else:
        row = TaskRun(name=name, failed_at=now, failure=failure[:FAILURE_CHARACTERS_MAX])
        fields = ["failed_at", "failure"]
    TaskRun.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["name"], update_fields=fields
    )


def note_verification(
    *, started_at: datetime, now: datetime, last_block: int, problems: list[str]
) -> None:
    """Note what a run of ``verify_ledger`` over this hall's own database came to."""
    Verification.objects.create(
        started_at=started_at,
        ended_at=now,
        last_block=last_block,
        problem_count=len(problems),
        first_problem=problems[0][:FAILURE_CHARACTERS_MAX] if problems else "",
    )
