"""What may go wrong at a member's side, each with the exit code of the command."""


class ClientError(Exception):
    """Anything the client says and ends by; the text says what to do."""

    exit_code = 1


class HallRefused(ClientError):
    """The hall answered no; ``code`` is its word for why."""

    exit_code = 3

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"the hall refuses ({code}): {text}")
        self.status, self.code = status, code


class Unreachable(ClientError):
    """The hall did not answer, or not to the end; doing the same again goes on from there."""

    exit_code = 4


class NotVerified(ClientError):
    """Something is not what was signed, promised or logged."""

    exit_code = 5


class StillWaiting(ClientError):
    """Somebody else's step is due; come back later."""

    exit_code = 6
