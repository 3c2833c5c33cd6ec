// News of one's own orders renew the book; without this script the page is as new as its loading.
"use strict";

const live = document.getElementById("live");
const said = document.getElementById("said");
const SETTLE_MILLISECONDS = 400; // news come in flocks: one look serves all of them
let waiting = null;

function renew() {
  waiting = null;
  // Whoever is about to press a button in there keeps it.
  if (live.contains(document.activeElement)) {
    waiting = setTimeout(renew, 2000);
    return;
  }
  htmx.ajax("GET", live.dataset.ordersPage, { target: "#live", swap: "innerHTML" });
  said.textContent = "";
  setTimeout(() => { said.textContent = said.dataset.news; }, 100); // said again, if it was before
}

if (live && "EventSource" in window) {
  const stream = new EventSource(live.dataset.ordersStream);
  stream.addEventListener("orders", () => {
    waiting ??= setTimeout(renew, SETTLE_MILLISECONDS);
  });
  window.addEventListener("pagehide", () => stream.close());
}
