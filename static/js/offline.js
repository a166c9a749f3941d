// The offline page: shows what was saved for reading offline. If nothing is, checks whether the server is reachable
// again, then loads the requested page.

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

function wait() {
  document.getElementById("main").classList.remove("signed-out__main--late");
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
}

async function start() {
  if (!document.getElementById("offline-frame") || location.pathname === "/offline/") return false;
  return (await import("chatty/views/offline_start.js")).start();
}

start().then(
  (isShown) => isShown || wait(),
  (error) => {
    reportError(error);
    wait();
  },
);
