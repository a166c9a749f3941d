// The offline page: checks whether the server is reachable again, then loads the requested page.

const FIRST = 2_000; // ms
const LONGEST = 30_000; // ms

let pause = FIRST;
let timer = null;

async function look() {
  clearTimeout(timer);
  try {
    const answer = await fetch("/offline/", { method: "HEAD", cache: "no-store" });
    if (answer.ok) return location.reload();
  } catch {
    // Still offline.
  }
  timer = setTimeout(look, pause);
  pause = Math.min(LONGEST, pause * 1.5);
  return undefined;
}

function lookNow() {
  pause = FIRST;
  look();
}

// Opened at its own URL, there is no other page to load.
if (location.pathname !== "/offline/") {
  document.getElementById("trying").hidden = false;
  addEventListener("online", lookNow);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") lookNow();
  });
  timer = setTimeout(look, pause);
}
document.getElementById("retry").addEventListener("click", (event) => {
  event.preventDefault();
  location.reload();
});
