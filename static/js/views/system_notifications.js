// System notifications: one per conversation, shared by all windows.

import { go } from "chatty/views/go.js";

const PREFIX = "chatty.";

/** Show a notification, replacing the conversation's previous one. `again`: alert the user again. */
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

/** Ids of the conversations with a notification. */
export async function notificationIds() {
  return (await all()).map((notification) => notification.data?.id);
}

/** Close the notification of a conversation, or all of them. */
export async function closeNotifications(id = null) {
  for (const notification of await all()) {
    if (id === null || notification.data?.id === id) notification.close();
  }
}

// Without a service worker, notifications belong to their window.

const pageNotifications = new Map(); // tag -> Notification

function showPageNotification(title, options) {
  const notification = new Notification(title, options);
  pageNotifications.set(options.tag, notification);
  notification.onclose = () =>
    pageNotifications.get(options.tag) === notification && pageNotifications.delete(options.tag);
  notification.onclick = () => {
    notification.close();
    window.focus();
    go(options.data.url);
  };
}

async function all() {
  const theirs = (await (await registration())?.getNotifications()) ?? [];
  return [...theirs.filter(({ tag }) => tag.startsWith(PREFIX)), ...pageNotifications.values()];
}

async function registration() {
  return navigator.serviceWorker?.getRegistration();
}
