import { Drafts } from "chatty/chat/drafts.js";
import { Emitter } from "chatty/lib/emitter.js";
import { connect } from "chatty/views/connection.js";
import { offerAction } from "chatty/views/connection_action.js";
import { equal } from "tests/assert.js";

const PAGE = `<template id="translations"><span data-i18n="connection.unstored">Not saved</span>
  <span data-i18n="connection.signed_out.way">Sign in again</span></template>
  <div id="announcer"></div><main id="main"><input></main>`;

/** Nothing can be stored while `isFull`. */
class Storage {
  isFull = false;

  getItem() {
    return null;
  }

  setItem() {
    if (this.isFull) throw new Error("full");
  }

  removeItem() {}
}

export async function test_draft_that_the_storage_refuses_is_told_and_asked_about() {
  document.body.innerHTML = PAGE;
  const storage = new Storage();
  const drafts = new Drafts("connection.test", "writer", storage);
  const outbox = Object.assign(new Emitter(), { stored: true });
  const chat = Object.assign(new Emitter(), { status: { state: "online", isDown: false } });
  const sending = { drafts, outbox };
  const page = Object.assign(new Emitter(), { chat, sending, part: async () => sending });
  connect(null, page);
  await page.part();

  const real = globalThis.setTimeout;
  globalThis.setTimeout = (work) => work(); // the bar appears when someone pauses
  const type = (body) => {
    drafts.write(7, { body });
    document.querySelector("input").dispatchEvent(new Event("input", { bubbles: true }));
    const leaving = new Event("beforeunload", { cancelable: true });
    dispatchEvent(leaving);
    return [document.querySelector(".connection-bar")?.textContent ?? "", leaving.defaultPrevented];
  };
  equal(type("Stored"), ["", false]);
  storage.isFull = true;
  new Drafts("connection.test", "another", storage); // who writes is not worth a question
  equal(type(""), ["", false]);
  equal(type("Refused"), ["Not saved", true]);
  drafts.write(7, {});
  outbox.emit("sent", {});
  equal(document.querySelector(".connection-bar"), null);
  type("Refused");
  storage.isFull = false;
  equal(type("Stored now"), ["", false]);
  globalThis.setTimeout = real;
}

export function test_closed_account_can_sign_in_again_once_it_is_reopened() {
  document.body.innerHTML = PAGE;
  const bar = document.createElement("div");
  bar.dataset.problem = "closed";
  offerAction(bar, { data: { urls: { sign_in: "/sign-in/" } } });
  const link = bar.querySelector("a");
  equal([link.textContent, link.pathname], ["Sign in again", "/sign-in/"]);
}
