// Enhances the page. Each part starts on its own: if one fails, its forms and links still work without it.

import { Chat } from "chatty/chat/chat.js";
import { Drafts } from "chatty/chat/drafts.js";
import { Outbox } from "chatty/chat/outbox.js";
import { Rest } from "chatty/chat/rest.js";
import { ConversationList } from "chatty/chat/conversation_list.js";
import { OutboxStorage } from "chatty/chat/outbox_storage.js";
import { Socket } from "chatty/chat/socket.js";
import { Store } from "chatty/chat/store.js";
import { Unsent } from "chatty/chat/unsent.js";
import { BufferedEmitter } from "chatty/lib/emitter.js";
import { Times } from "chatty/lib/times.js";
import { Composer } from "chatty/views/composer.js";
import { TEMPLATES } from "chatty/templates.js";
import { startDetails } from "chatty/views/details_start.js";
import { isWatched, loadTemplates, slot, view } from "chatty/views/dom.js";
import { MessageView } from "chatty/views/message.js";
import { Permissions } from "chatty/views/permissions.js";
import { Shortcuts } from "chatty/views/shortcuts.js";
import { ReadMarksView } from "chatty/views/read_marks.js";
import { Sidebar } from "chatty/views/sidebar.js";
import { Timeline } from "chatty/views/timeline.js";
import { t } from "chatty/views/i18n.js";

const RELOAD_PAUSE = 10_000; // ms: no second automatic reload within this time

async function main() {
  loadTemplates(TEMPLATES);
  view("forms").then(({ help }) => help());
  /** @type {Wire.PageData} */
  const data = JSON.parse(document.getElementById("app-data").textContent);
  const { user: me, epoch, conversation, urls } = data;
  const scope = `${me.id}.${epoch}`;

  const conversationList = new ConversationList({ me: me.id, rows: data.conversations });
  const store = conversation && new Store({ me: me.id, page: conversation.history });
  const rest = new Rest({ root: urls.api, token: csrfToken, t });
  const socket = new Socket(socketUrl(urls.socket));
  const chat = new Chat({
    me: me.id,
    epoch,
    conversation: conversation?.id ?? null,
    lastRead: conversation?.last_read_seq ?? 0,
    socket,
    rest,
    store,
    conversationList,
    t,
  });
  const drafts = new Drafts(scope, data.writer);
  let isLeaving = false; // already navigating, such as after a form: the next page says what happened
  addEventListener("beforeunload", () => (isLeaving = true));
  let composer = null;
  let timeline = null;
  // Lock the page rather than navigate or reload as another account: either would put the text being
  // typed where its author isn't looking.
  const lock = (change) => {
    if (isLeaving) return;
    composer?.lock(change);
    timeline?.lock(change);
    view("locked_bar").then(({ showLocked }) => showLocked({ change, composer, home: urls.home }));
  };
  const unlock = () => {
    composer.unlock();
    timeline.lock("");
    view("locked_bar").then(({ hideLocked }) => hideLocked());
    view("orphaned_text").then(({ hideArchived }) => hideArchived());
  };
  chat.on("removed", ({ change }) => lock(change));
  chat.on("readded", () => composer?.locked === "removed" && reload());
  chat.on("foreign", ({ change }) => {
    if (composer && (composer.text || isWatched())) lock(change);
    else reload();
  });

  const badge = view("badge").then(({ Badge }) => new Badge({ conversationList }).connect());
  for (const part of [
    new Sidebar({ conversationList, current: conversation?.id ?? null }),
    new Shortcuts({ me: me.id, rest, conversationList }),
  ]) {
    attempt(() => part.connect());
  }
  const outbox = new Outbox({ scope, storage: new OutboxStorage(scope), deliver: chat.createDeliver() });
  const unsent = new Unsent({ outbox, drafts });
  attempt(() => drafts.removeOld());
  view("connection").then(({ ConnectionView }) =>
    new ConnectionView({
      chat,
      outbox,
      unsent,
      place: document.getElementById("connection"),
      signIn: urls.sign_in,
    }).connect(),
  );
  view("background").then(({ startBackground }) =>
    startBackground({ me: me.id, scope, chat, conversationList }),
  );
  view("sign_out").then(({ SignOut }) => new SignOut({ unsent }).connect());
  const using = chat.use(outbox);
  if (conversation) {
    attempt(() => {
      ({ composer, timeline } = openConversation({
        data,
        chat,
        rest,
        store,
        conversationList,
        drafts,
        badge,
        lock,
        unlock,
      }));
    });
  }
  socket.on("frame", ({ type, user }) => {
    if (type !== "person") return;
    view("people").then(({ updatePerson }) => updatePerson(user, { me, conversationList, store }));
  });
  startBuffered(
    "presence",
    [
      [socket, "frame"],
      [chat, "status", "message"],
    ],
    ({ PresenceView }, events) =>
      new PresenceView({ conversation, socket: events, chat: events, store, rest }).connect(),
  );
  attempt(() => chat.connect());
  await using;
  const orphans = [...new Set([...drafts.conversations(), ...outbox.conversations()])].filter((id) =>
    id === conversation?.id ? composer?.locked === "archived" : !conversationList.get(id),
  );
  if (orphans.length || drafts.formerScopes.length) {
    view("orphaned_text").then(({ showOrphans }) =>
      showOrphans({ orphans, rest, drafts, outbox, here: conversation?.id }),
    );
  }
}

function openConversation({ data, chat, rest, store, conversationList, drafts, badge, lock, unlock }) {
  const { user: me, conversation, limits } = data;
  const times = new Times({ zone: me.time_zone, language: document.documentElement.lang });
  const permissions = new Permissions({
    place: document.getElementById("conversation"),
    conversation,
    conversationList,
  });
  const message = new MessageView({ me, times, permissions });
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
  let actions = null; // until the module has loaded, its links and forms work without it
  const form = document.getElementById("composer");
  const composer = new Composer({
    form,
    chat,
    drafts,
    store,
    conversation: conversation.id,
    onSent: () => {
      timeline.toLatest();
      reading?.messageSent();
    },
    editLast: () => actions?.editLast() ?? false,
  });
  reading = new ReadMarksView({ chat, store, conversationList, timeline, conversation });

  attempt(() => timeline.connect());
  attempt(() => composer.connect());
  attempt(() => reading.connect());
  attempt(() => permissions.connect());
  permissions.on("archived", ({ archived }) => {
    if (archived && !composer.locked) lock("archived");
    if (!archived && composer.locked === "archived") unlock();
  });
  if (permissions.archived) {
    // The page says so already. Text from before needs the bar, to be copied or discarded.
    composer.lock("archived");
    if (composer.text) lock("archived");
  }
  startDetails(chat);
  view("message_links").then(({ MessageLinks }) =>
    new MessageLinks({ chat, rest, timeline, conversation: conversation.id }).connect(),
  );
  Promise.all([view("message_actions"), view("keyboard")]).then(([{ MessageActions }, { Keyboard }]) => {
    actions = new MessageActions({
      chat,
      store,
      timeline,
      message,
      drafts,
      conversation: conversation.id,
      me,
      max: limits.body,
      permissions,
    });
    actions.connect({ composer });
    new Keyboard({ timeline, actions, composer }).connect();
  });
  const writing = { form, chat, rest, conversation: conversation.id, me };
  view("forms").then(({ offerMentions }) => offerMentions(writing));
  const announcer = document.getElementById("announcer");
  startBuffered("announcer", [[chat, "message"]], ({ Announcer }, events) =>
    new Announcer({ chat: events, place: announcer }).connect(),
  );
  startBuffered("typing", [[chat, "typing", "message"]], ({ Typing }, events) =>
    new Typing({ chat: events, place: slot(form, "typing") }).connect(),
  );
  Promise.all([view("heading"), badge]).then(([{ Heading }, shown]) =>
    new Heading({ conversation: conversation.id, conversationList, badge: shown }).connect(),
  );
  return { composer, timeline };
}

/** Load a part later and buffer its events until it has started. `sources`: see BufferedEmitter. */
function startBuffered(name, sources, start) {
  const events = new BufferedEmitter(...sources);
  // Also replay if the module fails to load, or the buffer would grow forever.
  view(name)
    .then((module) => start(module, events))
    .finally(() => events.replay());
}

function socketUrl(path) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}${path}`;
}

function csrfToken() {
  return document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
}

/** Reload the page, but not in a loop: see RELOAD_PAUSE. */
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
