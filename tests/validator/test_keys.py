"""Key files: made once, for their owner alone."""

import os
from pathlib import Path

import pytest

from validator.errors import SetUpWrong
from validator.keys import make_key_file, read_key_file
from validator.main import main
from validator.notes import COSIGNER, VerifierKey


def test_a_key_file_is_made_and_read(tmp_path: Path) -> None:
    file = tmp_path / "alice.key"

    key = make_key_file(file, name="alice.example/w1")

    assert read_key_file(file) == key
    assert key.algorithm == COSIGNER
    assert file.stat().st_mode & 0o777 == 0o600
    assert make_key_file(tmp_path / "bob.key", name="bob.example/w1").seed != key.seed
    assert key.seed.hex() not in repr(key)
    assert repr(key.seed) not in repr(key)


def test_a_lax_umask_opens_no_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_key_file(tmp_path / "alice.key", name="alice.example/w1")
    finally:
        os.umask(before)

    assert (tmp_path / "alice.key").stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "alice.key"
    make_key_file(file, name="alice.example/w1")
    before = file.read_text()

    with pytest.raises(SetUpWrong, match="is not overwritten"):
        make_key_file(file, name="alice.example/w1")
    assert file.read_text() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_key_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "alice.key"
    make_key_file(file, name="alice.example/w1")
    file.chmod(mode)

    with pytest.raises(SetUpWrong, match=r"chmod 600 .*alice\.key"):
        read_key_file(file)


def test_what_is_no_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "alice.key"
    with pytest.raises(SetUpWrong, match="cannot be read"):
        read_key_file(file)
    file.touch(mode=0o600)
    with pytest.raises(SetUpWrong, match="holds no key"):
        read_key_file(file)
    with pytest.raises(SetUpWrong, match="no spaces and no plus"):
        make_key_file(tmp_path / "new.key", name="alice and bob")
    assert not (tmp_path / "new.key").exists()


def test_the_command_prints_the_public_half(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "alice.key")

    assert main(["make-key", "alice.example/w1", file]) == 0
    made = capsys.readouterr().out
    assert main(["show-key", file]) == 0

    assert capsys.readouterr().out == made
    assert VerifierKey.parse(made.strip()) == read_key_file(Path(file)).verifier
    assert main(["make-key", "alice.example/w1", file]) == 2
    assert "is not overwritten" in capsys.readouterr().err
