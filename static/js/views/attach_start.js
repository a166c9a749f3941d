// Takes the files that are chosen, pasted or dropped on the page. What they need is loaded with the first of them, or
// when someone begins to write, so that files can also be attached without a connection.

import { isTypedInto, view } from "chatty/views/dom.js";

/** @param {import("chatty/views/page.js").Page} page */
export function connect(label, page) {
  const form = label.closest("form");
  const ending = new AbortController();
  const { signal } = ending;
  let attach = null;
  let isNeeded = false;
  let waiting = 0; // times that files were added and are not in the form yet
  let isSent = false; // by the user, while they are added
  let isWithin = false; // dragging something of this page. A picture of it also counts as a file.
  const load = async () => {
    isNeeded = true;
    const { Attach } = await view("attach");
    if (signal.aborted) return null;
    if (!attach) {
      attach = new Attach({ form, page });
      attach.connect();
    }
    return attach;
  };
  // Without a connection, this waits for it. If it can't be loaded, the page offers to reload.
  const use = (work) =>
    load().then(
      (it) => it && work(it),
      () => (isNeeded = false),
    );
  const add = async (files, name = "add") => {
    waiting += 1;
    const isAdded = await use((it) => it[name](files));
    waiting -= 1;
    isSent &&= isAdded; // what was refused is said, and the words wait
    if (!waiting && isSent) {
      isSent = false;
      form.requestSubmit();
    }
  };
  const on = (target, type, work, capture) => target.addEventListener(type, work, { signal, capture });
  const hasFiles = (event) => !isWithin && event.dataTransfer?.types.includes("Files");
  const take = () => {
    const chosen = [...label.control.files];
    label.control.value = "";
    if (chosen.length) add(chosen);
  };
  const restore = () => {
    const [field] = form.querySelectorAll("[data-content][name=files]");
    if (field.value) prepare();
  };

  on(label.control, "change", take);
  on(form, "change", restore); // a draft, or a message that is edited before it is sent
  const prepare = () => isNeeded || use(() => {});
  on(form, "focusin", prepare);
  on(document, "paste", (event) => {
    const { target } = event;
    if (!form.contains(target) && (isTypedInto(target) || target.closest?.("dialog"))) return;
    const { files, types } = event.clipboardData;
    // Office programs add a picture of the text that was copied.
    const isText = types.includes("text/html") && event.clipboardData.getData("text/plain");
    if (!files.length || isText) return;
    event.preventDefault();
    add([...files]);
  });
  // The message waits for its files. Before the composer, which would send the words alone.
  const wait = (event) => {
    if (!waiting) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    isSent = true;
  };
  on(form, "submit", wait, true);
  on(document, "dragstart", () => (isWithin = true));
  on(document, "dragend", () => (isWithin = false));
  on(document, "dragenter", (event) => hasFiles(event) && use((it) => it.showTarget()));
  // Without this, the browser would leave the page for the file.
  on(document, "dragover", (event) => hasFiles(event) && event.preventDefault());
  on(document, "drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    add([...event.dataTransfer.files], "drop");
  });
  const voice = form.querySelector(".composer__voice input");
  const switchVoice = () => use((it) => it.record(voice));
  on(voice, "change", switchVoice);
  // What was chosen before this had loaded, and perhaps sent: see composer.js.
  isSent = "waits" in form.dataset && label.control.files.length > 0;
  delete form.dataset.waits;
  take();
  if (voice.checked) switchVoice();
  restore();
  if (form.contains(document.activeElement)) prepare();
  return {
    disconnect() {
      ending.abort();
      attach?.disconnect();
    },
  };
}
