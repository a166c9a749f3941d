// Notifications as the system shows them: one per conversation, whichever window made it.

const PREFIX = "chatty.";

/** Show one, in place of the conversation's earlier one. `again`: call for attention once more. */
export async function showBanner({ id, title, body, url, again = false, silent = true }) {
  if (globalThis.Notification?.permission !== "granted") return;
  const options = {
    tag: PREFIX + id,
    body,
    icon: document.querySelector('link[rel="apple-touch-icon"]')?.href,
    renotify: again,
    silent,
    data: { id, url },
  };
  const worker = await registration();
  if (worker?.active) await worker.showNotification(title, options);
  else showOwn(title, options);
}

/** Ids of the conversations that have one. */
export async function bannerIds() {
  return (await all()).map((banner) => banner.data?.id);
}

/** Take away the one of a conversation, or all of them. */
export async function closeBanners(id = null) {
  for (const banner of await all()) {
    if (id === null || banner.data?.id === id) banner.close();
  }
}

// Where there is no service worker, a banner lives with its window.

const own = new Map(); // tag -> Notification

function showOwn(title, options) {
  const banner = new Notification(title, options);
  own.set(options.tag, banner);
  banner.onclose = () => own.get(options.tag) === banner && own.delete(options.tag);
  banner.onclick = () => {
    banner.close();
    window.focus();
    location.assign(options.data.url);
  };
}

async function all() {
  const theirs = (await (await registration())?.getNotifications()) ?? [];
  return [...theirs.filter(({ tag }) => tag.startsWith(PREFIX)), ...own.values()];
}

async function registration() {
  return navigator.serviceWorker?.getRegistration();
}
