// Makes the page live. Every part is put in by itself: one that fails leaves its forms and links.

import { Chat } from "chatty/chat/chat.js";
import { Drafts } from "chatty/chat/drafts.js";
import { Outbox } from "chatty/chat/outbox.js";
import { Rest } from "chatty/chat/rest.js";
import { Roster } from "chatty/chat/roster.js";
import { Shelf } from "chatty/chat/shelf.js";
import { Socket } from "chatty/chat/socket.js";
import { Store } from "chatty/chat/store.js";
import { Unsent } from "chatty/chat/unsent.js";
import { Late } from "chatty/lib/emitter.js";
import { Times } from "chatty/lib/times.js";
import { Composer } from "chatty/views/composer.js";
import { isWatched, slot, view } from "chatty/views/dom.js";
import { MessageView, readMessage } from "chatty/views/message.js";
import { Quick } from "chatty/views/quick.js";
import { Reading } from "chatty/views/reading.js";
import { Sidebar } from "chatty/views/sidebar.js";
import { Timeline } from "chatty/views/timeline.js";
import { say } from "chatty/views/words.js";

const RELOAD_PAUSE = 10_000; // ms: a page that is loaded anew for the same reason again stays

async function main() {
  view("forms").then(({ help }) => help());
  const data = JSON.parse(document.getElementById("app-data").textContent);
  const { user: me, epoch, conversation, urls } = data;
  const scope = `${me.id}.${epoch}`;

  const roster = new Roster({ me: me.id, rows: Sidebar.read() });
  const store = conversation && new Store({ me: me.id, page: pageOf(conversation) });
  const rest = new Rest({ root: urls.api, token: csrfToken, say });
  const socket = new Socket(socketUrl(urls.socket));
  const chat = new Chat({
    me: me.id,
    epoch,
    conversation: conversation?.id ?? null,
    lastRead: conversation?.last_read_seq ?? 0,
    socket,
    rest,
    store,
    roster,
    say,
  });
  const drafts = new Drafts(scope, data.writer);
  let isLeaving = false; // for a page that says what came of the form which led there
  addEventListener("beforeunload", () => (isLeaving = true));
  let composer = null;
  let timeline = null;
  // The page stays: to lead elsewhere, or to load it as somebody else, would put what is being typed
  // where its writer did not look.
  const lock = (change) => {
    if (isLeaving) return;
    composer?.lock(change);
    timeline?.lock(change);
    view("locked").then(({ showLocked }) => showLocked({ change, composer, home: urls.home }));
  };
  chat.on("gone", ({ change }) => lock(change));
  chat.on("back", () => composer?.locked === "removed" && reload());
  chat.on("foreign", ({ change }) => {
    if (composer && (composer.text || isWatched())) lock(change);
    else reload();
  });

  const badge = view("badge").then(({ Badge }) => new Badge({ roster }).connect());
  const retitle = (name) => {
    document.getElementById("conversation-name").textContent = name;
    badge.then((shown) => (shown.title = `${name} · Chatty`));
  };
  for (const part of [
    new Sidebar({ roster, current: conversation?.id ?? null }),
    new Quick({ me: me.id, rest, roster }),
  ]) {
    attempt(() => part.connect());
  }
  const outbox = new Outbox({ scope, shelf: new Shelf(scope), deliver: chat.delivery() });
  const unsent = new Unsent({ outbox, drafts });
  attempt(() => drafts.forgetOld());
  view("connection").then(({ Connection }) =>
    new Connection({
      chat,
      outbox,
      unsent,
      place: document.getElementById("connection"),
      signIn: urls.sign_in,
    }).connect(),
  );
  view("background").then(({ tellInBackground }) => tellInBackground({ me: me.id, scope, chat, roster }));
  view("sign_out").then(({ SignOut }) => new SignOut({ unsent }).connect());
  const using = chat.use(outbox);
  if (conversation) {
    attempt(() => {
      ({ composer, timeline } = openConversation({ data, chat, rest, store, roster, drafts, retitle, lock }));
    });
  }
  socket.on("frame", ({ type, user }) => {
    if (type !== "person") return;
    view("people").then(({ meet }) => meet(user, { me, roster, store, conversation, retitle }));
  });
  listening("company", [[socket, "frame"], [chat, "status", "spoken"]], ({ CompanyView }, said) =>
    new CompanyView({ conversation, socket: said, chat: said, store, rest }).connect(),
  );
  attempt(() => chat.connect());
  await using;
  const strays = [...new Set([...drafts.conversations(), ...outbox.conversations()])].filter(
    (id) => (id === conversation?.id ? !composer : !roster.get(id)),
  );
  if (strays.length || drafts.formerScopes.length) {
    view("kept").then(({ showKept }) => showKept({ strays, rest, drafts, outbox, here: conversation?.id }));
  }
}

function openConversation({ data, chat, rest, store, roster, drafts, retitle, lock }) {
  const { user: me, conversation, limits } = data;
  const times = new Times({ zone: me.time_zone, language: document.documentElement.lang });
  const message = new MessageView({
    me,
    times,
    people: conversation.members ?? [],
    canManage: conversation.can_manage && conversation.kind === "group",
    archived: conversation.archived,
  });
  let reading = null;
  const timeline = new Timeline({
    store,
    chat,
    message,
    times,
    me,
    locked: conversation.archived ? "archived" : "",
    onMove: () => reading?.look(),
  });
  let deeds = null; // until they have come, its links and forms do what they offer
  const form = document.getElementById("composer");
  const composer =
    form &&
    new Composer({
      form,
      chat,
      drafts,
      store,
      conversation: conversation.id,
      onSent: () => {
        timeline.toLatest();
        reading?.spoke();
      },
      editLast: () => deeds?.editLast() ?? false,
    });
  reading = new Reading({ chat, store, roster, timeline, conversation, me });

  attempt(() => timeline.connect());
  attempt(() => composer?.connect());
  attempt(() => reading.connect());
  const details = document.getElementById("details");
  view("details").then(
    ({ Details }) => new Details({ place: details, chat }).connect(),
    () => (details.hidden = true),
  );
  view("jumps").then(({ Jumps }) =>
    new Jumps({ chat, rest, timeline, conversation: conversation.id }).connect(),
  );
  Promise.all([view("deeds"), view("keys")]).then(([{ Deeds }, { Keys }]) => {
    deeds = new Deeds({
      chat,
      store,
      timeline,
      message,
      drafts,
      conversation: conversation.id,
      me,
      max: limits.body,
    });
    deeds.connect({ composer });
    new Keys({ timeline, deeds, composer }).connect();
  });
  if (form) {
    const page = { form, chat, rest, conversation: conversation.id, me };
    view("forms").then(({ offerNames }) => offerNames(page));
  }
  const announcer = document.getElementById("announcer");
  listening("announcer", [[chat, "spoken"]], ({ Announcer }, said) =>
    new Announcer({ chat: said, place: announcer }).connect(),
  );
  const typing = form && slot(form, "typing");
  if (typing) {
    listening("typing", [[chat, "typing", "spoken"]], ({ Typing }, said) =>
      new Typing({ chat: said, place: typing }).connect(),
    );
  }
  const page = { retitle, composer, timeline, lock };
  chat.on("spoken", ({ message: { kind, notice } }) => followNotice(kind, notice, page));
  return { composer, timeline };
}

/** A part that comes a moment later; what it listens for waits for it. `sources`: as of Late. */
function listening(name, sources, start) {
  const said = new Late(...sources);
  // Also of one that does not come: nothing is kept for ever.
  view(name).then((module) => start(module, said)).finally(() => said.open());
}

/** What a notice changes about the page around the log. */
function followNotice(kind, notice, { retitle, composer, timeline, lock }) {
  if (kind === "renamed") retitle(notice.data.new);
  if (kind === "archived" && composer && !composer.locked) lock("archived");
  if (kind === "unarchived" && composer?.locked === "archived") {
    composer.unlock();
    timeline.lock("");
    view("locked").then(({ hideLocked }) => hideLocked());
  }
  // Without a composer nothing is being written, and the server draws one.
  if (kind === "unarchived" && !composer) reload();
}

function pageOf(conversation) {
  const rows = document.querySelectorAll("#messages > [data-message-id]");
  return {
    messages: [...rows].map(readMessage),
    position: conversation.version,
    has_older: conversation.has_older,
    has_newer: conversation.has_newer,
  };
}

function socketUrl(path) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}${path}`;
}

function csrfToken() {
  return document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
}

/** Ask the server again who we are and where; not over and over. */
function reload() {
  const last = Number(sessionStorage.getItem("chatty.reloaded")) || 0;
  if (Date.now() - last < RELOAD_PAUSE) return;
  sessionStorage.setItem("chatty.reloaded", String(Date.now()));
  location.reload();
}

function attempt(work) {
  try {
    work();
  } catch (error) {
    globalThis.reportError?.(error);
  }
}

main().catch((error) => globalThis.reportError?.(error));
