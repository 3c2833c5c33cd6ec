// What came onto the page without a new one is said to those who do not see it: the new part's own
// words for it (data-said), else its first heading.
document.addEventListener("htmx:afterSwap", (event) => {
  const part = event.detail.target;
  const heading = part.querySelector("h1, h2, h3, caption");
  const words = part.dataset.said || heading?.textContent || "";
  document.getElementById("said").textContent = words.trim();
});
