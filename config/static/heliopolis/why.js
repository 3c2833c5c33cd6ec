// Every link that explains a number opens in a dialog; without this script it opens as a page.
"use strict";

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-why]");
  const dialog = document.querySelector("[data-why-dialog]");
  const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
  if (!link || !dialog || !isPlain || typeof dialog.showModal !== "function") return;
  event.preventDefault();
  try {
    await htmx.ajax("GET", link.href, { target: "#why-body", swap: "innerHTML" });
  } catch {
    window.location.assign(link.href);
    return;
  }
  dialog.showModal();
  dialog.scrollTop = 0;
});
