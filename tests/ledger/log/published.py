"""A small log as a city would publish it: tiles and bundles by path, a note, a policy, receipts."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.domain.log_proof import LogProof
from ledger.domain.merkle import Frontier, HashReader, inclusion_proof, leaf_hash
from ledger.domain.notes import Checkpoint, KeyType, Note, Signer, cosign, sign_note
from ledger.domain.tiles import (
    TILE_WIDTH,
    TileReader,
    bundle_of,
    bundles_between,
    tile_path,
    tiles_between,
)

ORIGIN = "city.example/log"
NOW = 1_790_000_000

log_signer = Signer.from_seed(ORIGIN, KeyType.LOG, bytes(32))
cosigners = {
    name: Signer.from_seed(f"{name}.example", KeyType.COSIGNER, bytes([number]) * 32)
    for number, name in enumerate(("v1", "v2", "v3", "w1"), start=1)
}
POLICY = (
    f"# who is trusted\nlog {log_signer.key}\n"
    + "".join(f"witness {name} {signer.key}\n" for name, signer in cosigners.items())
    + "group validators 2 v1 v2 v3\ngroup witnesses any w1\n"
    + "group attested all validators witnesses\nquorum attested\n"
)


@dataclass(frozen=True)
class PublishedLog:
    """What anybody can fetch of a log, and one receipt."""

    entries: list[bytes]
    checkpoint_note: str
    tiles: dict[str, bytes]
    proof_text: str
    policy: str

    def reader(self) -> HashReader:
        return reader_of(self.tiles, len(self.entries))


def publish(entries: Sequence[bytes], *, index: int = 0) -> PublishedLog:
    """Write the log of these entries, with the receipt of one of them."""
    hashes = [leaf_hash(entry) for entry in entries]
    grown = Frontier.empty().grown(hashes)
    tiles = {
        tile.path: b"".join(grown.levels[8 * tile.level][tile.index * TILE_WIDTH :][: tile.width])
        for tile in tiles_between(0, len(entries))
        if isinstance(tile.level, int)
    }
    for bundle in bundles_between(0, len(entries)):
        at = bundle.index * TILE_WIDTH
        tiles[bundle.path] = bundle_of(entries[at : at + bundle.width])
    note = signed(Checkpoint(ORIGIN, len(entries), grown.frontier.root()))
    reader = reader_of(tiles, len(entries))
    hashes_up = inclusion_proof(index, len(entries), reader)
    proof = LogProof(index, tuple(hashes_up), note)
    return PublishedLog(list(entries), str(note), tiles, str(proof), POLICY)


def signed(checkpoint: Checkpoint, *, by: Sequence[str] = ("v1", "v2", "v3", "w1")) -> Note:
    text = checkpoint.text()
    cosignatures = [cosign(text, cosigners[name], timestamp=NOW) for name in by]
    return Note(text, (sign_note(text, log_signer), *cosignatures))


def reader_of(tiles: dict[str, bytes], size: int) -> TileReader:
    return TileReader(lambda level, index, width: tiles[tile_path(level, index, width)], size)


def entries_for(count: int) -> list[bytes]:
    return [b'{"n":"%d"}' % number for number in range(count)]
