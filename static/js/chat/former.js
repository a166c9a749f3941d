// What the same person wrote here before a restore of the database, by the scopes it was kept under.

import { Drafts } from "chatty/chat/drafts.js";
import { Shelf } from "chatty/chat/shelf.js";

/** [{drafts, shelf}]. Each shelf is to be closed. */
export function openFormer(scopes) {
  return scopes.map((scope) => ({ drafts: new Drafts(scope), shelf: new Shelf(scope) }));
}

export async function countFormer(scopes) {
  let count = 0;
  for (const { drafts, shelf } of openFormer(scopes)) {
    count += drafts.size + ((await shelf.all())?.length ?? 0);
    shelf.close();
  }
  return count;
}

export async function clearFormer(scopes) {
  for (const { drafts, shelf } of openFormer(scopes)) {
    drafts.clear();
    await shelf.clear();
    shelf.close();
  }
}
