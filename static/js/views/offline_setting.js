// The setting that keeps messages in this browser for reading offline.

/** @param {import("chatty/views/page.js").Page} page */
export function connect(place, page) {
  if (page.data.offline_reading)
    page.part("offline_reading").then((reading) => reading && show(place, reading));
}

function show(place, reading) {
  const box = place.querySelector("input");
  place.hidden = false;
  box.checked = reading.isOn;
  box.addEventListener("change", () => (reading.isOn = box.checked));
}
