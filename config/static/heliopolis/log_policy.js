// Whom a reader trusts: the policy file of C2SP tlog-policy.

import { Malformed, bytes, checkName, concat, equal, fromBase64, sha256 } from "./log_note.js";

const NONE = "none";
const TYPES = { log: 0x01, witness: 0x04 };

// What is wrong with a policy, with the number of its line.
export class PolicyInvalid extends Error {
  constructor(line, problem) {
    super(line ? `${line}: ${problem}` : problem);
    this.line = line;
  }
}

export class Policy {
  constructor() {
    this.logs = [];
    this.witnesses = [];
    this.groups = new Map();
    this.quorum = null;
    this.members = new Set();
  }

  // Ids of keys are hashes, which a browser only makes asynchronously: see `checked`.
  static parse(text) {
    const policy = new Policy();
    if (text && !text.endsWith("\n")) text += "\n";
    for (const [at, line] of text.split("\n").entries()) {
      if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) {
        throw new PolicyInvalid(at + 1, "a control character");
      }
      const items = line.replace(/^[ \t]+|[ \t]+$/g, "");
      if (items && !items.startsWith("#")) policy.#read(items.split(/[ \t]+/), at + 1);
    }
    if (policy.quorum === null) throw new PolicyInvalid(0, "there is no quorum line");
    return policy;
  }

  // Throws unless every key's id is the hash of its name, type and bytes.
  async checked() {
    for (const { key, line } of [...this.logs, ...this.witnesses]) {
      const id = await sha256(bytes(`${key.name}\n`), concat([key.type]), key.public);
      if (!equal(id.slice(0, 4), key.id)) {
        throw new PolicyInvalid(line, `the id of key ${key.name} is not that of its bytes`);
      }
    }
    return this;
  }

  get asksNobody() {
    return this.quorum === NONE;
  }

  isQuorum(names) {
    const signed = new Set([NONE, ...names]);
    for (const [name, { threshold, members }] of this.groups) {
      if (members.filter((member) => signed.has(member)).length >= threshold) signed.add(name);
    }
    return signed.has(this.quorum);
  }

  #read([keyword, ...items], line) {
    const wrong = (problem) => { throw new PolicyInvalid(line, problem); };
    const isKnown = (name) =>
      this.groups.has(name) || this.witnesses.some((witness) => witness.name === name);
    const define = (name) => {
      if (name === NONE || isKnown(name)) wrong(`the name ${name} is taken`);
      return name;
    };
    if (keyword === "log") {
      if (items.length < 1 || items.length > 2) wrong("write: log KEY [URL]");
      this.#add(this.logs, { key: parseKey(items[0], TYPES.log, line), line });
    } else if (keyword === "witness") {
      if (items.length < 2 || items.length > 3) wrong("write: witness NAME KEY [URL]");
      const name = define(items[0]);
      this.#add(this.witnesses, { name, key: parseKey(items[1], TYPES.witness, line), line });
    } else if (keyword === "group") {
      const [name, wanted, ...members] = items;
      if (!members.length) wrong("write: group NAME all|any|K NAME...");
      define(name);
      for (const member of members) {
        if (!isKnown(member)) wrong(`no witness or group ${member} stands above`);
        if (this.members.has(member)) wrong(`${member} is in a group already`);
        this.members.add(member);
      }
      this.groups.set(name, { threshold: thresholdOf(wanted, members.length, line), members });
    } else if (keyword === "quorum") {
      if (items.length !== 1) wrong("write: quorum NAME");
      if (this.quorum !== null) wrong("a second quorum");
      if (items[0] !== NONE && !isKnown(items[0])) wrong(`${items[0]} is not defined above`);
      [this.quorum] = items;
    } else {
      wrong(`${keyword} begins no line`);
    }
  }

  #add(list, entry) {
    if (list.some(({ key }) => equal(key.public, entry.key.public))) {
      throw new PolicyInvalid(entry.line, "this key stands here a second time");
    }
    list.push(entry);
  }
}

function thresholdOf(wanted, count, line) {
  if (wanted === "all") return count;
  if (wanted === "any") return 1;
  if (!/^[1-9][0-9]{0,8}$/.test(wanted) || Number(wanted) > count) {
    throw new PolicyInvalid(line, `${wanted} is no threshold for ${count} members`);
  }
  return Number(wanted);
}

// A key is written name+id+base64; the base64 may hold a "+" too.
function parseKey(text, type, line) {
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? [];
  try {
    checkName(name);
    const material = fromBase64(encoded);
    if (material.length !== 33 || material[0] !== type) throw new Malformed("wrong type");
    const idBytes = Uint8Array.from(id.match(/../g), (pair) => Number.parseInt(pair, 16));
    return { name, id: idBytes, type, public: material.slice(1), isCosigner: type === 4 };
  } catch {
    throw new PolicyInvalid(line, "this is not a key of the kind that belongs here");
  }
}
