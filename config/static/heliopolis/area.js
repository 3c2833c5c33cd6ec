// A box drawn on the catalogue's map becomes the area searched; without this script, its edges and
// the names of places do the same.
"use strict";

(() => {
  const NAMES = ["west", "south", "east", "north"];
  const LEAST_PX = 6;
  let start = null;
  let drawn = null;

  const mapOf = (target) => target instanceof Element && target.closest("[data-draw-area] svg.map");

  // A point of the screen in the map's own units, and kept inside it.
  const pointOn = (map, event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
    const { width, height } = map.viewBox.baseVal;
    return { x: Math.min(Math.max(at.x, 0), width), y: Math.min(Math.max(at.y, 0), height) };
  };

  const boxOf = (one, other) => ({
    left: Math.min(one.x, other.x),
    top: Math.min(one.y, other.y),
    width: Math.abs(one.x - other.x),
    height: Math.abs(one.y - other.y),
  });

  const edgesOf = (map, box) => {
    const { width, height } = map.viewBox.baseVal;
    const [west, south, east, north] = NAMES.map((name) => Number(map.dataset[name]));
    const longitude = (x) => west + (x / width) * (east - west);
    const latitude = (y) => north - (y / height) * (north - south);
    return {
      west: Math.max(-180, longitude(box.left)),
      south: Math.max(-90, latitude(box.top + box.height)),
      east: Math.min(180, longitude(box.left + box.width)),
      north: Math.min(90, latitude(box.top)),
    };
  };

  document.addEventListener("pointerdown", (event) => {
    const map = mapOf(event.target);
    if (!map || event.button !== 0) return;
    start = { map, at: pointOn(map, event) };
    drawn = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    drawn.setAttribute("class", "drawn");
    map.append(drawn);
    map.setPointerCapture(event.pointerId);
    if (event.pointerType === "mouse") event.preventDefault();
  });

  document.addEventListener("pointermove", (event) => {
    if (!start) return;
    const box = boxOf(start.at, pointOn(start.map, event));
    drawn.setAttribute("x", box.left);
    drawn.setAttribute("y", box.top);
    drawn.setAttribute("width", box.width);
    drawn.setAttribute("height", box.height);
  });

  const end = () => {
    drawn.remove();
    start = drawn = null;
  };

  document.addEventListener("pointerup", (event) => {
    if (!start) return;
    const { map, at } = start;
    const box = boxOf(at, pointOn(map, event));
    end();
    if (box.width < LEAST_PX || box.height < LEAST_PX) return;
    const form = map.closest("form");
    for (const [name, value] of Object.entries(edgesOf(map, box))) {
      form.elements[name].value = value.toFixed(4);
    }
    form.elements.place.value = "";
    form.elements.north.dispatchEvent(new Event("change", { bubbles: true }));
  });

  // The finger scrolled the page instead.
  document.addEventListener("pointercancel", () => start && end());

  // A name takes the place of edges that were drawn before it was picked.
  document.addEventListener("change", (event) => {
    if (!(event.target instanceof HTMLSelectElement) || event.target.id !== "place") return;
    for (const name of NAMES) event.target.form.elements[name].value = "";
  }, true);
})();
