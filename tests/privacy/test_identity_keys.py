"""The file of identity keys: made once, destroyed for good, and never another's."""

import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.identity import SLOT_BYTES, IdentityKey, IdentityKeys
from marketplace.errors import IdentityKeysDamaged, SealBroken


@pytest.fixture
def keys(tmp_path: Path) -> IdentityKeys:
    return IdentityKeys(tmp_path / "identity")


def test_keys_are_kept_and_differ(keys: IdentityKeys) -> None:
    slots = keys.create(3, beyond=0)
    found = keys.get(slots)
    assert slots == [1, 2, 3]
    assert len({key.secret for key in found.values()}) == 3
    assert IdentityKeys(keys.folder).get(slots) == found


def test_only_the_owner_may_look(keys: IdentityKeys) -> None:
    keys.create(1, beyond=0)
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((keys.folder / "keys").stat().st_mode) == 0o600
    assert "secret" not in repr(keys.get([1])[1])


def test_a_destroyed_key_is_gone_from_the_file_and_from_every_process(keys: IdentityKeys) -> None:
    slots = keys.create(3, beyond=0)
    other = IdentityKeys(keys.folder)
    gone = other.get(slots)[2]
    keys.destroy([2])
    keys.destroy([2])
    assert sorted(other.get(slots)) == [1, 3]
    assert gone.secret not in (keys.folder / "keys").read_bytes()
    assert os.listdir(keys.folder) == ["keys"]  # nothing was copied aside


def test_a_slot_is_never_given_twice(keys: IdentityKeys) -> None:
    keys.create(5, beyond=0)
    keys.destroy([5])
    assert keys.create(1, beyond=0) == [6]
    os.truncate(keys.folder / "keys", 3 * SLOT_BYTES + 7)  # the mirror fell behind, and tore
    assert keys.create(2, beyond=6) == [7, 8]
    assert sorted(keys.get([1, 2, 3, 7, 8])) == [1, 2, 7, 8]


def test_what_a_crash_left_of_a_slot_is_written_over(keys: IdentityKeys) -> None:
    keys.create(2, beyond=0)
    with (keys.folder / "keys").open("ab") as file:
        file.write(b"x" * 40)
    assert keys.create(1, beyond=2) == [3]
    assert sorted(keys.get([1, 2, 3])) == [1, 2, 3]


@pytest.mark.parametrize("byte", [0, 31, 32, 63])
def test_a_changed_byte_is_named_and_not_taken_for_an_erasure(
    keys: IdentityKeys, byte: int
) -> None:
    keys.create(2, beyond=0)
    with (keys.folder / "keys").open("r+b") as file:
        file.seek(2 * SLOT_BYTES + byte)
        was = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([was[0] ^ 1]))
    assert sorted(keys.get([1])) == [1]
    with pytest.raises(IdentityKeysDamaged, match="no identity key 2"):
        keys.get([1, 2])


def test_another_databases_folder_is_an_error(keys: IdentityKeys) -> None:
    with pytest.raises(IdentityKeysDamaged):
        keys.get([1])
    keys.create(1, beyond=0)
    with pytest.raises(IdentityKeysDamaged, match="no identity key 9"):
        keys.get([1, 9])


def test_processes_share_the_file(keys: IdentityKeys) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        given_out = pool.map(_create_some, [keys.folder] * 8)
    slots = sorted(slot for some in given_out for slot in some)
    assert slots == list(range(1, 8 * 25 + 1))
    assert len(keys.get(slots)) == len(slots)


def _create_some(folder: Path) -> list[int]:
    return [IdentityKeys(folder).create(1, beyond=0)[0] for _ in range(25)]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_seal_opens_for_its_key_and_purpose_alone(text: str) -> None:
    key, other = IdentityKey(os.urandom(32)), IdentityKey(os.urandom(32))
    sealed = key.seal_text(text, purpose="name")
    assert key.unseal_text(sealed, purpose="name") == text
    assert text.encode() not in sealed or len(text) < 3
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for opener, what, purpose in (
        (other, sealed, "name"),
        (key, sealed, "address"),
        (key, changed, "name"),
        (key, sealed[:20], "name"),
        (key, b"", "name"),
    ):
        with pytest.raises(SealBroken):
            opener.unseal_text(what, purpose=purpose)


def test_a_sealed_name_does_not_tell_its_length() -> None:
    key = IdentityKey(os.urandom(32))
    lengths = {len(key.seal_text("x" * size, purpose="name")) for size in range(65)}
    assert len(lengths) == 1


def test_tags_are_bound_to_key_purpose_and_value() -> None:
    key, other = IdentityKey(b"k" * 32), IdentityKey(b"o" * 32)
    tags = [
        key.tag("a"),
        key.tag("b"),
        key.tag("a", "1"),
        key.tag("a\0001"),
        other.tag("a"),
    ]
    assert key.tag("a") == tags[0]
    # A purpose is written in our code and holds no NUL, so the fourth is nobody's.
    assert len(set(tags)) == len(tags)
