// Uploads the files of messages: in pieces, from the time they are chosen, and on from where the server is after a lost
// line, a killed server or a closed tab.
//
// An upload has a key, like a message. Asking the server for it again returns the same upload and how much of it has
// arrived, so nothing needs to be remembered but the key and the file (file_storage.js).
//
// A file is described by {key, name, size, type, alt, width, height}. Drafts and the outbox store the descriptions of
// a message's files as JSON, in the field `files` of its content.

import { retryDelay } from "chatty/lib/backoff.js";
import { elapsedSince, momentNow } from "chatty/lib/elapsed.js";
import { Emitter } from "chatty/lib/emitter.js";
import { newKey } from "chatty/lib/idempotency_key.js";
import { Sleeper } from "chatty/lib/sleeper.js";
import { dropFiles, dropUnused, keepFile, readFile } from "chatty/chat/file_storage.js";
import { ApiError } from "chatty/chat/rest.js";

export const PIECE_MAX = 1_048_576; // bytes; the server accepts no larger one
const PIECE_MIN = 65_536;
const PIECE_FIRST = 262_144;
const [QUICK, SLOW] = [1_500, 6_000]; // ms for a piece: then they get larger or smaller
const PATIENCE = 60_000; // ms for a piece
const ABREAST = 2; // uploads at the same time
const LOCK_WAIT = 15_000; // ms to wait for another tab that uploads the same file. It may be frozen.
const LIVES = 600_000; // ms after which the server is asked again for a complete upload, which it may have removed
const SHOWN = 5_000; // ms for which the files of a message are kept after it was sent
const CONFLICTS = 5; // answers in a row that the offset is another one

/** The descriptions in the field `files` of a draft or an entry of the outbox. */
export function descriptionsOf(files) {
  try {
    return files ? JSON.parse(files) : [];
  } catch {
    return [];
  }
}

/** Keys of all files that drafts and outbox refer to. */
export function keysInUse({ drafts, outbox }) {
  const contents = [
    ...drafts.names().map((name) => drafts.read(name)),
    ...outbox.conversations().flatMap((id) => outbox.entries(id)),
  ];
  return new Set(contents.flatMap((content) => descriptionsOf(content?.files).map(({ key }) => key)));
}

let shared = null;

/** The uploads of this page: the composer starts them, and the sender waits for them. */
export function uploadsOf(rest, t) {
  shared ??= new Uploads({ rest, t });
  return shared;
}

/**
 * The content of a message with its files as the server takes them, once all are uploaded: see finish(). The files are
 * removed from this browser once `outbox` has sent it.
 */
export async function finishUploads(content, rest, t, outbox) {
  const uploads = uploadsOf(rest, t);
  uploads.forgetSent(outbox);
  const descriptions = descriptionsOf(content.files);
  const ids = await Promise.all(descriptions.map((description) => uploads.finish(description)));
  const files = ids.map((upload, index) => ({ upload, alt: descriptions[index].alt ?? "" }));
  return { ...content, files };
}

export class Uploads extends Emitter {
  #rest;
  #t;
  #storage;
  #locks;
  #delay;
  #uploads = new Map(); // key -> upload: see #create()
  #sleeper = new Sleeper();
  #piece = PIECE_FIRST;
  #stop = null; // of forgetSent()
  #running = 0;
  #queue = []; // of those that wait for their turn: what starts them

  /**
   * Emits "change" {key}. `storage`: see file_storage.js.
   */
  constructor({
    rest,
    t,
    storage = { dropFiles, dropUnused, keepFile, readFile },
    locks = navigator.locks,
    delay = retryDelay,
  }) {
    super();
    this.#rest = rest;
    this.#t = t;
    this.#storage = storage;
    this.#locks = locks;
    this.#delay = delay;
  }

  /** Store a file and upload it. Returns its description. `scope`: see Drafts. */
  add(file, { scope, name = file.name, alt = "" }) {
    const description = { key: newKey(), name, size: file.size, type: file.type, alt };
    const upload = this.#create(description);
    upload.file = file;
    this.#storage.keepFile({ scope, key: upload.key, file }).then((isKept) => {
      upload.isKept = isKept;
      this.#changed(upload);
    });
    this.#start(upload);
    return description;
  }

  /** Upload a file of a draft or an unsent message, from where the server is. */
  resume(description) {
    const upload = this.#uploads.get(description.key) ?? this.#create(description);
    if (upload.state === "new") this.#start(upload);
    return upload;
  }

  /** {sent, size, state, error, isKept}, or undefined. States: new, queued, running, waiting, failed, done. */
  get(key) {
    return this.#uploads.get(key);
  }

  /** The file, or null if it is not in this browser. */
  async fileOf(key) {
    return this.#uploads.get(key)?.file ?? (await this.#storage.readFile(key));
  }

  /** Try again now: one that has failed, or all that wait for the connection. */
  retry(key = undefined) {
    const upload = this.#uploads.get(key);
    if (upload?.state === "failed") this.#start(upload);
    this.#sleeper.wake();
  }

  /** Give up: the file is removed here and on the server. */
  cancel(key) {
    const upload = this.#uploads.get(key);
    this.forget([key]);
    if (!upload?.id) return;
    this.#rest.delete(`uploads/${upload.id}/`).catch(() => {}); // the server removes it later anyway
  }

  /** Remove files that are sent or given up. */
  forget(keys) {
    for (const key of keys) {
      this.#uploads.get(key)?.ending.abort();
      this.#uploads.delete(key);
    }
    this.#storage.dropFiles(keys);
  }

  /** Remove the files of messages when they are sent, in this tab or another one. */
  forgetSent(outbox) {
    this.#stop ??= outbox.on("sent", ({ record }) => {
      const keys = descriptionsOf(record.content?.files).map(({ key }) => key);
      // What shows them until the message arrives may still read them.
      if (keys.length) setTimeout(() => this.forget(keys), SHOWN);
    });
  }

  /** Remove stored files that are not in `keys`, after a while. */
  tidy(scope, keys) {
    return this.#storage.dropUnused(scope, keys);
  }

  /**
   * Resolves with the id of the upload once it is complete. Rejects with an ApiError, such as if the server can't be
   * reached now, and then goes on by itself. Calling it again tries again at once.
   */
  finish(description) {
    const upload = this.resume(description);
    if (upload.state === "done" && elapsedSince(upload.doneAt) < LIVES) return Promise.resolve(upload.id);
    if (upload.state === "failed" || upload.state === "done") this.#start(upload);
    else this.#sleeper.wake();
    return new Promise((resolve, reject) => upload.waiters.push({ resolve, reject }));
  }

  // Internal

  #create({ key, name, size, type }) {
    const upload = { key, name, size, type, file: null, isKept: true, id: null, sent: 0, state: "new" };
    Object.assign(upload, { error: null, doneAt: null, waiters: [], ending: new AbortController() });
    this.#uploads.set(key, upload);
    return upload;
  }

  #changed(upload, change = {}) {
    Object.assign(upload, change);
    this.emit("change", { key: upload.key });
  }

  async #start(upload) {
    this.#changed(upload, { state: "queued", error: null });
    if (this.#running >= ABREAST) await new Promise((resolve) => this.#queue.push(resolve));
    else this.#running += 1;
    await this.#run(upload);
    const next = this.#queue.shift();
    if (next) next();
    else this.#running -= 1;
  }

  async #run(upload) {
    const { signal } = upload.ending;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const before = upload.sent;
      try {
        await this.#exclusively(upload, () => this.#transfer(upload));
        this.#settle(upload, { state: "done", doneAt: momentNow() }, ({ resolve }) => resolve(upload.id));
        return;
      } catch (error) {
        if (signal.aborted) break;
        const state = error.retry ? "waiting" : "failed";
        this.#settle(upload, { state, error }, ({ reject }) => reject(error));
        if (!error.retry) return;
        if (upload.sent > before) attempt = 0;
        await this.#sleeper.sleep(Math.max(this.#delay(attempt), (error.retryAfter ?? 0) * 1000));
      }
    }
    this.#settle(upload, {}, ({ reject }) => reject(this.#lost()));
  }

  #settle(upload, change, how) {
    const waiters = upload.waiters.splice(0);
    this.#changed(upload, change);
    for (const waiter of waiters) how(waiter);
  }

  /** A lock only saves requests: two tabs that upload the same file correct each other's offset. */
  async #exclusively(upload, work) {
    if (!this.#locks) return work();
    const gate = new AbortController();
    const timer = setTimeout(() => gate.abort(), LOCK_WAIT);
    const name = `chatty.upload.${upload.key}`;
    let begun = false;
    try {
      return await this.#locks.request(name, { signal: gate.signal }, () => {
        begun = true;
        clearTimeout(timer);
        return work();
      });
    } catch (error) {
      if (begun) throw error;
      return work();
    }
  }

  async #transfer(upload) {
    const { key, name, size } = upload;
    const made = await this.#rest.post("uploads/", { key, name, size });
    this.#changed(upload, { id: made.id, sent: made.offset, state: "running" });
    let conflicts = 0;
    do {
      const before = upload.sent;
      const isAgreed = await this.#sendPiece(upload);
      conflicts = isAgreed || upload.sent > before ? 0 : conflicts + 1;
      if (conflicts >= CONFLICTS) throw this.#errorOf({ code: "server_error", retry: true }, "error.server");
      // An empty piece at the end: the server may have been killed while it examined the file.
    } while (upload.sent < size || conflicts);
  }

  /** Returns false if the server is at another offset, which is then taken over. */
  async #sendPiece(upload) {
    const { id, sent, ending } = upload;
    const body = await this.#read(upload, sent, sent + this.#piece);
    const begun = momentNow();
    const timeout = AbortSignal.timeout(PATIENCE);
    const signal = AbortSignal.any?.([ending.signal, timeout]) ?? timeout;
    const headers = { "Upload-Offset": String(sent), "Content-Type": "application/octet-stream" };
    let response;
    try {
      response = await this.#rest.fetch("PATCH", `uploads/${id}/`, { headers, body, signal });
    } catch (error) {
      this.#resize(0.5); // a smaller piece is more likely to arrive
      throw error;
    }
    if (ending.signal.aborted) throw this.#lost();
    const offset = Number(response.headers.get("Upload-Offset") ?? Number.NaN);
    if (response.ok) {
      const took = elapsedSince(begun);
      if (took < QUICK || took > SLOW) this.#resize(took < QUICK ? 2 : 0.5);
      this.#changed(upload, { sent: Number.isNaN(offset) ? sent + body.byteLength : offset });
      return true;
    }
    if (response.status === 409 && !Number.isNaN(offset)) {
      this.#changed(upload, { sent: offset });
      return false;
    }
    const error = await this.#rest.read(response).catch((failure) => failure);
    if (response.status === 413 && error.code === "server_error") {
      // Not from Chatty: a proxy before it has a limit of its own.
      if (body.byteLength > PIECE_MIN) {
        this.#resize(0.5);
        return true;
      }
      throw this.#errorOf({ status: 413, code: "proxy" }, "upload.proxy");
    }
    // The upload was removed: the next attempt begins a new one.
    if (response.status === 404 || response.status === 410) error.retry = true;
    throw error;
  }

  #resize(factor) {
    this.#piece = Math.max(PIECE_MIN, Math.min(PIECE_MAX, this.#piece * factor));
  }

  /** Bytes of the file. One that was changed or removed since it was chosen is read from the copy. */
  async #read(upload, from, to) {
    if (from >= upload.size) return new ArrayBuffer();
    const read = (file) =>
      file
        ?.slice(from, to)
        .arrayBuffer()
        .catch(() => null);
    let bytes = await read(upload.file);
    if (!bytes?.byteLength) {
      upload.file = await this.#storage.readFile(upload.key);
      bytes = await read(upload.file);
    }
    if (!bytes?.byteLength) throw this.#lost();
    return bytes;
  }

  #lost() {
    return this.#errorOf({ code: "file_lost" }, "upload.lost");
  }

  #errorOf(about, sentence) {
    return new ApiError({ ...about, detail: this.#t(sentence) });
  }
}
