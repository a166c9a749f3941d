// Notifications as the system shows them: one per conversation, whichever window made it.

const PREFIX = "chatty.";

/** Show one, in place of the conversation's earlier one. `again`: call for attention once more. */
export async function showNotification({ id, title, body, url, again = false, silent = true }) {
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
  else showPageNotification(title, options);
}

/** Ids of the conversations that have one. */
export async function notificationIds() {
  return (await all()).map((notification) => notification.data?.id);
}

/** Take away the one of a conversation, or all of them. */
export async function closeNotifications(id = null) {
  for (const notification of await all()) {
    if (id === null || notification.data?.id === id) notification.close();
  }
}

// Where there is no service worker, a banner lives with its window.

const pageNotifications = new Map(); // tag -> Notification

function showPageNotification(title, options) {
  const notification = new Notification(title, options);
  pageNotifications.set(options.tag, notification);
  notification.onclose = () =>
    pageNotifications.get(options.tag) === notification && pageNotifications.delete(options.tag);
  notification.onclick = () => {
    notification.close();
    window.focus();
    location.assign(options.data.url);
  };
}

async function all() {
  const theirs = (await (await registration())?.getNotifications()) ?? [];
  return [...theirs.filter(({ tag }) => tag.startsWith(PREFIX)), ...pageNotifications.values()];
}

async function registration() {
  return navigator.serviceWorker?.getRegistration();
}
