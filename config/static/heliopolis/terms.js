// Keys of one's own: made here, kept where no script can read them out, used to sign texts as shown.
"use strict";

const ALGORITHM = { name: "Ed25519" };
const DATABASE = "heliopolis";
const STORE = "signing keys";
const STARTED_AT = performance.now();

const toBase64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const bytesOf = (text) => new TextEncoder().encode(text);

/** Run one request on the store of keys; each key is kept under its public half. */
function inStore(mode, act) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const transaction = opening.result.transaction(STORE, mode, { durability: "strict" });
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => {
        opening.result.close();
        resolve(request.result);
      };
      transaction.onabort = () => reject(transaction.error);
    };
  });
}

async function sign(form, key, body) {
  form.elements.body.value = body;
  form.elements.signature.value = toBase64(
    await crypto.subtle.sign(ALGORITHM, key, bytesOf(body)),
  );
  form.submit();
}

/** Do something when a form is sent, and show its notice when that cannot be done. */
function onSubmit(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const unable = form.querySelector("[data-unable]");
    unable.hidden = true;
    try {
      await act();
    } catch {
      unable.hidden = false;
    }
  });
}

for (const form of document.querySelectorAll("form[data-make-key]")) {
  onSubmit(form, async () => {
    // Not extractable: the private half never leaves the browser's own store.
    const pair = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
    const key = toBase64(await crypto.subtle.exportKey("raw", pair.publicKey));
    await inStore("readwrite", (store) => store.put(pair.privateKey, key));
    // The hall's clock, not ours: the page carries its time in microseconds.
    const passed = BigInt(Math.floor((performance.now() - STARTED_AT) * 1000));
    const issued = BigInt(form.dataset.issued) + passed;
    const { participant } = form.dataset;
    // Canonical JSON: names in order, no blanks; none of these values needs an escape.
    const body = `{"issued":"${issued}","key":"${key}","participant":"${participant}",` +
      `"type":"heliopolis/own-key/1"}`;
    await sign(form, pair.privateKey, body);
  });
}

for (const form of document.querySelectorAll("form[data-sign]")) {
  onSubmit(form, async () => {
    const key = await inStore("readonly", (store) => store.get(form.dataset.key));
    await sign(form, key, form.elements.body.value);
  });
}

for (const place of document.querySelectorAll("[data-check]")) {
  (async () => {
    const raw = fromBase64(place.dataset.key);
    const key = await crypto.subtle.importKey("raw", raw, ALGORITHM, false, ["verify"]);
    const text = document.querySelector("[data-text]").textContent;
    const signature = fromBase64(place.dataset.signature);
    const holds = await crypto.subtle.verify(ALGORITHM, key, signature, bytesOf(text));
    place.querySelector(holds ? "[data-holds]" : "[data-fails]").hidden = false;
  })().catch(() => {
    // A browser that knows no Ed25519 says nothing; the hall has checked it in any case.
  });
}
