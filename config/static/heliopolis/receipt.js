// Checks a receipt in the browser, with WebCrypto and nothing else: no request leaves this file.
// Format: docs/ledger.md, "Receipts". What the receipt says of itself is believed only as far as
// it follows from the signatures of the reader's own policy.

import { Policy } from "./log_policy.js";
import {
  Malformed, bytes, concat, decimal, equal, fromBase64, hash32, int64, parseNote, sha256, uint64,
  verifyEd25519,
} from "./log_note.js";

const HEADER = "c2sp.org/tlog-proof@v1";
const HASHES_MAX = 63;
const MAP_DEPTH_MIN = 4;
const MAP_DEPTH_MAX = 16;
const COUNTERS = ["debits_pending", "debits_posted", "credits_pending", "credits_posted"];
const TRANSFER_NAMES = ["amount", "code", "credit", "debit", "id", "kind", "time"];
const TRANSFER_OPTIONAL = ["corrects", "expires", "hold"];

// The checks in their order; each has a sentence of its own on the page.
export const STEPS = ["form", "log_signature", "cosignatures", "path", "entry", "content"];

// Returns {holds, attested, done, failed, problem, facts}: a bad receipt is a result, not an error.
// Throws PolicyInvalid for a bad policy.
export async function checkReceipt(text, policyText) {
  const result = { holds: false, attested: false, done: [], failed: null, problem: "", facts: {} };
  const checks = {
    form: readForm,
    log_signature: checkLog,
    cosignatures: checkCosigners,
    path: checkPath,
    entry: readEntry,
    content: openEntry,
  };
  const state = { text, policy: await Policy.parse(policyText).checked(), facts: result.facts };
  for (const step of STEPS) {
    try {
      await checks[step](state);
    } catch (error) {
      result.failed = step;
      result.problem = error instanceof Malformed ? error.message : `unreadable: ${error.message}`;
      return result;
    }
    result.done.push(step);
  }
  result.holds = true;
  result.attested = !state.policy.asksNobody;
  return result;
}

function refuse(problem) {
  throw new Malformed(problem);
}

function readForm(state) {
  const at = state.text.indexOf("\n\n");
  if (at < 0) refuse("there is no empty line before the checkpoint");
  const [first, ...lines] = state.text.slice(0, at).split("\n");
  if (first !== HEADER) refuse(`it does not begin with ${HEADER}`);
  if (!lines[0]?.startsWith("extra ")) refuse("it does not say what the entry stands for");
  const extra = readCanonical(fromBase64(lines.shift().slice(6)));
  if (!lines[0]?.startsWith("index ")) refuse("it does not say where the entry stands");
  state.index = decimal(lines.shift().slice(6));
  if (lines.length > HASHES_MAX) refuse(`a path has at most ${HASHES_MAX} hashes`);
  state.hashes = lines.map(hash32);
  state.note = parseNote(state.text.slice(at + 2));
  const parts = state.note.text.split("\n");
  if (parts.length < 4 || parts.pop() !== "" || parts.some((line) => line === "")) {
    refuse("a checkpoint has three lines: origin, size, root");
  }
  state.origin = parts[0];
  state.size = decimal(parts[1]);
  state.root = hash32(parts[2]);
  if (!isObject(extra) || typeof extra.entry !== "string") refuse("the entry is missing");
  state.extra = extra;
  state.facts.index = String(state.index);
  state.facts.size = String(state.size);
  state.facts.origin = state.origin;
}

// A signature by a known key that does not hold spoils the note; unknown keys are passed over.
async function signedBy(note, keys) {
  const found = [];
  for (const line of note.signatures) {
    const known = keys.find(({ key }) => key.name === line.name && equal(key.id, line.id));
    if (!known) continue;
    const signedAt = await verifySignature(known.key, note.text, line);
    if (!found.some(({ key }) => key === known.key)) found.push({ ...known, signedAt });
  }
  return found;
}

async function verifySignature(key, text, line) {
  let [message, signature, signedAt] = [bytes(text), line.blob, null];
  if (key.isCosigner) {
    if (line.blob.length < 8) refuse(`the signature of ${key.name} has a wrong length`);
    signedAt = new DataView(line.blob.buffer, line.blob.byteOffset).getBigUint64(0);
    if (signedAt > 2n ** 63n - 1n) refuse(`the signature of ${key.name} has an impossible time`);
    signature = line.blob.slice(8);
    message = bytes(`cosignature/v1\ntime ${signedAt}\n${text}`);
  }
  if (signature.length !== 64) refuse(`the signature of ${key.name} has a wrong length`);
  if (!(await verifyEd25519(key.public, signature, message))) {
    refuse(`the signature of ${key.name} does not hold`);
  }
  return signedAt;
}

async function checkLog({ note, policy, origin }) {
  const signed = await signedBy(note, policy.logs);
  if (!signed.some(({ key }) => key.name === origin)) {
    refuse(`no log of the policy signed for ${origin}`);
  }
}

async function checkCosigners({ note, policy, facts }) {
  const signed = await signedBy(note, policy.witnesses);
  facts.cosigners = signed.map(({ name, signedAt }) => ({ name, at: Number(signedAt) }));
  if (!policy.isQuorum(signed.map(({ name }) => name))) {
    const names = signed.map(({ name }) => name).join(", ") || "nobody";
    refuse(`cosigned by ${names} of the policy, which is no quorum`);
  }
}

async function checkPath({ extra, index, size, root, hashes }) {
  const leaf = await sha256(concat([0]), bytes(extra.entry));
  await checkInclusion({ leaf, index, size, root, hashes });
}

// RFC 6962, section 2.1.1. Up to where the leaf's way meets that of the last leaf, each step has a
// neighbour on one side; from there on only neighbours on the left count.
async function checkInclusion({ leaf, index, size, root, hashes }) {
  if (index >= size) refuse(`a tree of ${size} has no leaf ${index}`);
  const inner = bitLength(index ^ (size - 1n));
  const border = [...(index >> BigInt(inner)).toString(2)].filter((bit) => bit === "1").length;
  if (hashes.length !== inner + border) {
    refuse(`the path has ${hashes.length} hashes, not ${inner + border}`);
  }
  let at = leaf;
  for (const [step, other] of hashes.entries()) {
    const isRight = step >= inner || (index >> BigInt(step)) & 1n;
    at = await sha256(concat([1]), ...(isRight ? [other, at] : [at, other]));
  }
  if (!equal(at, root)) refuse(`leaf ${index} does not lead to the root of ${size} leaves`);
}

function bitLength(number) {
  return number === 0n ? 0 : number.toString(2).length;
}

function readEntry(state) {
  const entry = readCanonical(bytes(state.extra.entry));
  const names = Object.keys(state.extra).sort().join(" ");
  const kind = {
    "transfer: entry opening salt": "transfer",
    "document: entry fields": "document",
    "document: entry fields row": "row",
    "block: balance entry": "balance",
  }[`${isObject(entry) ? entry.type : ""}: ${names}`];
  if (!kind) refuse("what is shown does not belong to an entry of this type");
  state.entry = entry;
  state.kind = state.facts.kind = kind;
  state.facts.entry = entry;
}

async function openEntry(state) {
  const open = {
    transfer: openTransfer, document: openFields, row: openRow, balance: openBalance,
  }[state.kind];
  state.facts.opened = await open(state.entry, state.extra);
}

async function openTransfer(entry, extra) {
  const opening = bytes(textOf(extra.opening));
  await checkCommitment(hash32(extra.salt), opening, entry.commitment, "this transfer");
  const opened = readCanonical(opening);
  const names = isObject(opened) ? Object.keys(opened) : [];
  const known = [...TRANSFER_NAMES, ...TRANSFER_OPTIONAL];
  if (!TRANSFER_NAMES.every((name) => names.includes(name)) ||
      !names.every((name) => known.includes(name) && typeof opened[name] === "string")) {
    refuse("the opening is not that of a transfer");
  }
  return opened;
}

async function openFields(entry, extra) {
  const opened = {};
  if (!isObject(extra.fields)) refuse("the fields are not names with texts");
  for (const [name, shown] of Object.entries(extra.fields)) {
    exactly(shown, ["salt", "text"]);
    await checkCommitment(
      hash32(shown.salt), bytes(textOf(shown.text)), own(entry.fields, name), name,
    );
    opened[name] = shown.text;
  }
  return opened;
}

async function openRow(entry, extra) {
  const { index: place, path, row, rows, salt } = exactly(
    extra.row, ["index", "path", "row", "rows", "salt"],
  );
  const [index, size] = [decimal(place), decimal(rows)];
  if (size !== smallestSize(index, size)) refuse("the table's size is not the smallest that fits");
  const committed = await sha256(hash32(salt), bytes(textOf(row)));
  await checkInclusion({
    leaf: await sha256(concat([0]), committed),
    index,
    size,
    root: hash32(own(entry.public, "rows")),
    hashes: path.map(hash32),
  });
  readCanonical(bytes(row));
  return { ...(await openFields(entry, extra)), index: place, row };
}

// Nothing signs how many rows a table has; so that a receipt has one form only, it names the
// smallest size in which the row's path looks the same.
function smallestSize(index, size) {
  const inner = bitLength(index ^ (size - 1n));
  if (inner === 0) return index + 1n;
  const shift = BigInt(inner);
  return (((index >> shift) << shift) | (1n << (shift - 1n))) + 1n;
}

async function openBalance(entry, extra) {
  const shown = exactly(extra.balance, [
    "account", "counters", "limit", "path", "position", "salt", "unit", "units",
  ]);
  if (shown.counters.length !== COUNTERS.length) refuse("an account has four counters");
  const leaf = await sha256(
    concat([0]), hash32(shown.salt), uint64(decimal(shown.account)),
    int64(shown.limit === null ? -1n : decimal(shown.limit)),
    ...shown.counters.map((each) => uint64(decimal(each))),
  );
  const root = await mapRoot(leaf, decimal(shown.position), shown.path);
  await checkState(shown, root, hash32(entry.state));
  const opened = { account: shown.account, unit: textOf(shown.unit) };
  if (shown.limit !== null) opened.limit = shown.limit;
  COUNTERS.forEach((name, at) => { opened[name] = shown.counters[at]; });
  return opened;
}

// The 16-ary map of a unit: per level from the leaves the fifteen other children.
async function mapRoot(leaf, position, path) {
  const depth = path.length;
  if (depth < MAP_DEPTH_MIN || depth > MAP_DEPTH_MAX || position >> BigInt(4 * depth)) {
    refuse("the path has a wrong number of levels");
  }
  let at = leaf;
  for (const level of path) {
    if (level.length !== 15) refuse("a level has fifteen other children");
    const children = level.map(hash32);
    children.splice(Number(position & 15n), 0, at);
    at = await sha256(concat([1]), ...children);
    position >>= 4n;
  }
  return at;
}

async function checkState(shown, root, state) {
  const units = shown.units.map(([unit, text, ...more]) => {
    if (more.length) refuse("a unit has a name and a root");
    return { name: bytes(textOf(unit)), unit, root: hash32(text) };
  });
  for (let at = 1; at < units.length; at += 1) {
    if (!before(units[at - 1].name, units[at].name)) refuse("the units are not in their order");
  }
  if (!units.some((each) => each.unit === shown.unit && equal(each.root, root))) {
    refuse("the account does not lead to the root of its unit");
  }
  const parts = units.flatMap(({ name, root: each }) => [
    concat([name.length >> 8, name.length & 255]), name, each,
  ]);
  if (!equal(await sha256(concat([3]), ...parts), state)) {
    refuse("the units do not lead to the state root of the block");
  }
}

async function checkCommitment(salt, opening, committed, what) {
  if (!equal(await sha256(salt, opening), hash32(committed))) {
    refuse(`the entry does not commit to ${what}`);
  }
}

// Canonical JSON of objects, arrays, strings and null: what would be written otherwise is refused.
function readCanonical(data) {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  const document = JSON.parse(text);
  if (canonical(document) !== text) refuse("it is not canonical JSON");
  return document;
}

function canonical(value) {
  if (value === null) return "null";
  if (typeof value === "string") {
    if (!value.isWellFormed()) refuse("a text is not Unicode");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) refuse("numbers are written as texts");
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

function before(left, right) {
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    if (left[at] !== right[at]) return left[at] < right[at];
  }
  return left.length < right.length;
}

function exactly(value, names) {
  if (!isObject(value) || Object.keys(value).sort().join(" ") !== names.join(" ")) {
    refuse(`expected exactly ${names.join(", ")}`);
  }
  return value;
}

function own(value, name) {
  if (!isObject(value) || !Object.hasOwn(value, name)) refuse(`the entry has no ${name}`);
  return value[name];
}

function textOf(value) {
  if (typeof value !== "string") refuse("a text is missing");
  return value;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
