// Signed notes of a log and the bytes they are made of. Each value has one way to be written;
// every other way is refused, so that what was signed can be told from what was changed.

export class Malformed extends Error {}

const SIGNATURES_MAX = 64;

export function bytes(text) {
  return new TextEncoder().encode(text);
}

export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function equal(left, right) {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

export async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
}

export async function verifyEd25519(publicKey, signature, message) {
  const key = await crypto.subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", key, signature, message);
}

export function uint64(number) {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, number);
  return out;
}

export function int64(number) {
  return uint64(BigInt.asUintN(64, number));
}

export function decimal(text) {
  if (typeof text !== "string" || !/^(0|[1-9][0-9]{0,18})$/.test(text)) {
    throw new Malformed("a number is not a decimal number of a log");
  }
  const number = BigInt(text);
  if (number > 2n ** 63n - 1n) throw new Malformed("a number is too large");
  return number;
}

export function fromBase64(text) {
  if (typeof text !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4) {
    throw new Malformed("a value is not base64");
  }
  const packed = atob(text);
  if (btoa(packed) !== text) throw new Malformed("a value is not base64 in its one form");
  return Uint8Array.from(packed, (character) => character.charCodeAt(0));
}

export function hash32(text) {
  const data = fromBase64(text);
  if (data.length !== 32) throw new Malformed("a hash has 32 bytes");
  return data;
}

// Returns the signed text and its signatures, none of them checked yet.
export function parseNote(note) {
  const at = note.lastIndexOf("\n\n");
  if (at < 0 || !note.endsWith("\n") || hasControls(note)) {
    throw new Malformed("the checkpoint is not a signed note");
  }
  const lines = note.slice(at + 2).split("\n");
  lines.pop();
  if (!lines.length || lines.length > SIGNATURES_MAX) {
    throw new Malformed(`a note has 1 to ${SIGNATURES_MAX} signatures`);
  }
  return { text: note.slice(0, at + 1), signatures: lines.map(parseSignature) };
}

function parseSignature(line) {
  const [dash, name, encoded, ...more] = line.split(" ");
  if (dash !== "—" || encoded === undefined || more.length) {
    throw new Malformed("a signature line has a dash, a name and a signature");
  }
  checkName(name);
  const data = fromBase64(encoded);
  if (data.length <= 4) throw new Malformed("a signature has an id and a signature");
  return { name, id: data.slice(0, 4), blob: data.slice(4) };
}

export function checkName(name) {
  if (!name || /[\s+\x00-\x1f]/u.test(name)) throw new Malformed("a key has no proper name");
}

function hasControls(text) {
  return /[\x00-\x09\x0b-\x1f]/.test(text) || !text.isWellFormed();
}
