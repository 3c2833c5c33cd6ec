"""Files of a form go straight into the hall's quarantine, encrypted as they come.

Django's own handlers would keep them in the clear, in memory or below the folder of temporary
files. Here nothing is kept: what a form brought and nobody took is thrown away with its key.
"""

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest

from marketplace.services.data import storage
from marketplace.services.data.storage import Quarantined, QuarantineWriter


class QuarantinedFile(UploadedFile):  # type: ignore[type-arg]  # generic in its stubs alone
    """A file of a form that stands in quarantine."""

    def __init__(self, upload: Quarantined, *, name: str | None, content_type: str | None) -> None:
        super().__init__(file=None, name=name, content_type=content_type, size=upload.byte_count)
        self.upload = upload


class QuarantineUploadHandler(FileUploadHandler):
    """Writes every file of a form into quarantine."""

    chunk_size = 256 * 1024

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self._writer: QuarantineWriter | None = None
        self._came: list[Quarantined] = []

    def new_file(self, *args: object, **kwargs: object) -> None:
        """Begin with the next file."""
        super().new_file(*args, **kwargs)  # type: ignore[arg-type]  # handed on as they come
        self._writer = QuarantineWriter()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Add what came."""
        assert self._writer is not None
        self._writer.write(raw_data)

    def file_complete(self, file_size: int) -> QuarantinedFile:
        """Return the file that is there now."""
        assert self._writer is not None
        came = self._writer.finish()
        self._writer = None
        self._came.append(came)
        return QuarantinedFile(came, name=self.file_name, content_type=self.content_type)

    def upload_interrupted(self) -> None:
        """Throw away what came of a file that broke off."""
        self._discard_open()

    def keep(self, upload: Quarantined) -> None:
        """Leave a file in quarantine: a version has taken it."""
        self._came.remove(upload)

    def discard_rest(self) -> None:
        """Throw away every file that was not taken."""
        self._discard_open()
        for came in self._came:
            storage.destroy_upload(came.token)

    def _discard_open(self) -> None:
        if self._writer is not None:
            self._writer.discard()
            self._writer = None
