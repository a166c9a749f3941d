// Style sheets of views that are loaded on demand.

const loading = new Map(); // address -> a promise

/** Load a style sheet, once. Rejects if that fails. */
export function loadStyles(url) {
  if (!loading.has(url)) loading.set(url, load(url));
  return loading.get(url);
}

function load(url) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = url;
  return new Promise((resolve, reject) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", () => {
      loading.delete(url);
      link.remove();
      reject(new Error(url));
    });
    document.head.append(link);
  });
}
