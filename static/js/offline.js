// The page without a connection looks whether there is one again, and then loads what was asked for.

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
    // Still none.
  }
  timer = setTimeout(look, pause);
  pause = Math.min(LONGEST, pause * 1.5);
  return undefined;
}

function lookNow() {
  pause = FIRST;
  look();
}

// At its own address there is nothing else to load.
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
