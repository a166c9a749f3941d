// Unsent text from before a database restore, by the scopes it was stored under.

import { Drafts } from "chatty/chat/drafts.js";
import { OutboxStorage } from "chatty/chat/outbox_storage.js";

/** [{drafts, storage}]. The caller must close each storage. */
export function openFormer(scopes) {
  return scopes.map((scope) => ({ drafts: new Drafts(scope), storage: new OutboxStorage(scope) }));
}

export async function countFormer(scopes) {
  let count = 0;
  for (const { drafts, storage } of openFormer(scopes)) {
    count += drafts.size + ((await storage.all())?.length ?? 0);
    storage.close();
  }
  return count;
}

export async function clearFormer(scopes) {
  for (const { drafts, storage } of openFormer(scopes)) {
    drafts.clear();
    await storage.clear();
    storage.close();
  }
}
