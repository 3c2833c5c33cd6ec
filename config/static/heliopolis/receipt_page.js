// The page "check it yourself": takes a receipt from a file, a paste or the address, and shows
// each step of the check. After loading it asks nobody anything; the page's header forbids it.

import { PolicyInvalid } from "./log_policy.js";
import { STEPS, checkReceipt } from "./receipt.js";

const words = JSON.parse(document.getElementById("words").textContent);
const language = document.documentElement.lang;
const byId = (id) => document.getElementById(id);
const LINK_BYTES_MAX = 1_000_000;
let turn = 0;

function made(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function number(text) {
  return BigInt(text).toLocaleString(language);
}

function moment(seconds) {
  const when = new Date(seconds * 1000);
  return Number.isNaN(when.getTime()) ? "" :
    when.toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });
}

// Sentences hold their values as {name}.
function filled(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

async function check(text) {
  const mine = (turn += 1);
  const shown = byId("result");
  if (!text.trim()) {
    say(shown, [made("p", words.empty)]);
    return;
  }
  byId("receipt").value = text;
  let result;
  try {
    await needEd25519();
    result = await checkReceipt(text, byId("policy").value);
  } catch (error) {
    const known = error instanceof PolicyInvalid ? words.bad_policy : words.no_ed25519;
    result = null;
    if (mine === turn) {
      say(shown, [made("h2", `✗ ${known}`, "refused"), detail(error.message)]);
    }
  }
  // A slower check of an older text must not overwrite the newer one.
  if (result && mine === turn) show(shown, result);
}

async function needEd25519() {
  // In a page from the network without TLS browsers keep their cryptography to themselves.
  if (!globalThis.crypto?.subtle) throw new Error(words.insecure);
  await crypto.subtle.importKey("raw", new Uint8Array(32), "Ed25519", false, ["verify"]);
}

function say(shown, elements) {
  shown.replaceChildren(...elements);
  shown.hidden = false;
  shown.focus();
}

function detail(text) {
  const line = made("p", undefined, "soft");
  const code = made("code", text);
  code.lang = "en";
  line.append(code);
  return line;
}

function show(shown, result) {
  const isWhole = result.holds && result.attested;
  let verdict = words.refused;
  if (result.holds) verdict = result.attested ? words.holds : words.holds_alone;
  const head = made("h2", `${result.holds ? "✓" : "✗"} ${verdict}`);
  head.className = result.holds ? (isWhole ? "holds" : "holds alone") : "refused";
  const parts = [head];
  if (result.holds) parts.push(facts(result.facts));
  parts.push(made("h3", words.steps_heading), steps(result));
  say(shown, parts);
}

function steps(result) {
  const list = made("ol", undefined, "steps");
  for (const step of STEPS) {
    const isDone = result.done.includes(step);
    const isFailed = result.failed === step;
    const item = made("li", undefined, isDone ? "done" : isFailed ? "failed" : "skipped");
    item.dataset.step = step;
    item.append(made("span", isDone ? "✓" : isFailed ? "✗" : "–", "mark"));
    const side = made("div");
    const sentence = isDone ? words.done[step] : isFailed ? words.failed[step] : words.skipped;
    side.append(made("strong", words.names[step]), made("p", filled(sentence, values(result))));
    if (isFailed) side.append(detail(result.problem));
    if (isDone && step === "cosignatures") side.append(cosigners(result));
    item.append(side);
    list.append(item);
  }
  return list;
}

function values({ facts: known }) {
  return {
    index: known.index === undefined ? "" : number(known.index),
    size: known.size === undefined ? "" : number(known.size),
    origin: known.origin,
    count: String(known.cosigners?.length ?? 0),
  };
}

function cosigners(result) {
  if (!result.facts.cosigners.length) return made("p", words.nobody, "soft");
  const list = made("ul");
  for (const { name, at } of result.facts.cosigners) {
    list.append(made("li", `${name} · ${moment(at)}`));
  }
  return list;
}

function facts({ kind, opened, entry, index, size }) {
  const list = made("dl", undefined, "facts");
  const add = (label, text) => {
    if (text !== undefined && text !== "") {
      const line = made("div");
      line.append(made("dt", label), made("dd", text));
      list.append(line);
    }
  };
  add(words.labels.what, words.kinds[kind]);
  if (kind === "transfer") transferFacts(add, opened);
  if (kind === "balance") balanceFacts(add, opened, entry);
  if (kind === "document" || kind === "row") documentFacts(add, kind, opened, entry);
  add(words.labels.place, filled(words.place, { index: number(index), size: number(size) }));
  return list;
}

function transferFacts(add, opened) {
  add(words.labels.number, number(opened.id));
  add(words.labels.amount, filled(words.smallest, { amount: number(opened.amount) }));
  add(words.labels.move, words.moves[opened.kind] ?? opened.kind);
  add(words.labels.reason, words.reasons[opened.code] ?? opened.code);
  add(words.labels.from, opened.debit);
  add(words.labels.to, opened.credit);
  add(words.labels.time, moment(Number(BigInt(opened.time) / 1_000_000n)));
  if (opened.corrects) add(words.labels.corrects, number(opened.corrects));
  if (opened.hold) add(words.labels.hold, number(opened.hold));
}

// A unit says after its stroke how many decimals its amounts have.
function inUnit(amount, unit) {
  const [, name, decimals] = /^(.*)\/([0-9]{1,2})$/.exec(unit) ?? [null, unit, "0"];
  const sign = amount < 0n ? "−" : "";
  const digits = String(amount < 0n ? -amount : amount).padStart(Number(decimals) + 1, "0");
  const at = digits.length - Number(decimals);
  const whole = number(digits.slice(0, at));
  return `${sign}${whole}${at < digits.length ? `.${digits.slice(at)}` : ""} ${name}`;
}

function balanceFacts(add, opened, entry) {
  const amount = (name) => BigInt(opened[name]);
  const unit = opened.unit;
  add(words.labels.account, opened.account);
  add(words.labels.balance, inUnit(amount("credits_posted") - amount("debits_posted"), unit));
  add(words.labels.came_in, inUnit(amount("credits_posted"), unit));
  add(words.labels.went_out, inUnit(amount("debits_posted"), unit));
  add(words.labels.reserved, inUnit(amount("debits_pending"), unit));
  if (opened.limit !== undefined) add(words.labels.limit, inUnit(BigInt(opened.limit), unit));
  add(words.labels.block, number(entry.block));
  add(words.labels.time, moment(Number(BigInt(entry.time) / 1_000_000n)));
}

function documentFacts(add, kind, opened, entry) {
  add(words.labels.document, entry.kind);
  let shown = opened;
  if (kind === "row") {
    const { index, row, ...fields } = opened;
    add(words.labels.row, number(index));
    shown = { ...fields, ...JSON.parse(row) };
  }
  for (const [name, text] of Object.entries({ ...entry.public, ...shown })) {
    add(words.fields[name] ?? name, fieldText(name, text));
  }
}

// Of an interval's book; what it says in other documents stands as it is.
function fieldText(name, text) {
  if (text === null) return "–";
  if (["closes", "ends", "starts"].includes(name) && /^[0-9]{1,17}$/.test(text)) {
    return moment(Number(BigInt(text) / 1_000_000n));
  }
  return typeof text === "string" ? text : JSON.stringify(text);
}

async function fromLink(packed) {
  const text = atob(packed.replaceAll("-", "+").replaceAll("_", "/"));
  const data = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const reader = new Blob([data]).stream()
    .pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const parts = [];
  let length = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    length += next.value.length;
    if (length > LINK_BYTES_MAX) throw new Error("too long");
    parts.push(next.value);
  }
  return decoded(await new Blob(parts).arrayBuffer());
}

function decoded(buffer) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(buffer);
}

async function checkData(read) {
  try {
    await check(await read());
  } catch (error) {
    turn += 1;
    say(byId("result"), [made("h2", `✗ ${words.unreadable}`, "refused"), detail(error.message)]);
  }
}

function checkLink() {
  const packed = location.hash.slice(1);
  if (packed) checkData(() => fromLink(packed));
}

const pasted = (text) => (text && !text.endsWith("\n") ? `${text}\n` : text);
const holdsFile = (event) => [...event.dataTransfer.types].includes("Files");

byId("check").addEventListener("submit", (event) => {
  event.preventDefault();
  // Who copies a text often loses the end of its last line: it says nothing.
  checkData(() => pasted(byId("receipt").value));
});
byId("file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  if (file) checkData(async () => decoded(await file.arrayBuffer()));
});
document.addEventListener("dragover", (event) => {
  if (holdsFile(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!holdsFile(event)) return;
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) checkData(async () => decoded(await file.arrayBuffer()));
});
addEventListener("hashchange", checkLink);
byId("check").hidden = false;
checkLink();
