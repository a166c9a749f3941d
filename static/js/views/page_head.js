// What the head of a page has: the style sheets of what is shown later, and of a fetched page its settings.

const SLOWEST = 3_000; // ms to wait for a style sheet of a fetched page

const loading = new Map(); // address -> a promise

/** Load a style sheet, once. Rejects if that fails. */
export function loadStyle(url) {
  const { href } = new URL(url, location.href);
  if (!loading.has(href)) loading.set(href, load(href));
  return loading.get(href);
}

function load(href) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  return new Promise((resolve, reject) => {
    link.onload = resolve;
    link.onerror = () => {
      loading.delete(href);
      link.remove();
      reject(new Error(href));
    };
    document.head.append(link);
  });
}

/** Load the style sheets that only the other page has. It is readable without them. */
export async function loadStyles(drawn) {
  const ours = new Set([...document.querySelectorAll("link[rel=stylesheet]")].map(({ href }) => href));
  const missing = [...drawn.querySelectorAll("link[rel=stylesheet]")]
    .map((link) => new URL(link.getAttribute("href"), location.href).href)
    .filter((href) => loading.has(href) || !ours.has(href));
  const late = new Promise((resolve) => setTimeout(resolve, SLOWEST));
  await Promise.race([Promise.allSettled(missing.map(loadStyle)), late]);
}

/**
 * Adopt the colours of a page that was fetched after a form: they may have just been changed. Returns true if the
 * language or the times were changed: then this page loads again.
 * @param {import("chatty/views/page.js").Page} page
 */
export function adoptSettings(drawn, page) {
  const [ours, theirs] = [document.documentElement, drawn.documentElement];
  /** @type {Wire.PageData} */
  const { user } = JSON.parse(drawn.getElementById("app-data").textContent);
  const isOther = (name) => user[name] !== page.me[name];
  if (ours.lang !== theirs.lang || ["time_zone", "hour_cycle"].some(isOther)) {
    location.reload();
    return true;
  }
  for (const name of ["theme", "contrast", "density"]) ours.dataset[name] = theirs.dataset[name];
  const colours = "meta[name=color-scheme], meta[name=theme-color]";
  for (const meta of document.querySelectorAll(colours)) meta.remove();
  document.head.append(...[...drawn.querySelectorAll(colours)].map((meta) => document.importNode(meta)));
  return false;
}
