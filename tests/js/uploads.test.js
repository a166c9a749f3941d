import { dropUnused, keepFile, readFile } from "chatty/chat/file_storage.js";
import { ApiError } from "chatty/chat/rest.js";
import { descriptionsOf, keysInUse, Uploads } from "chatty/chat/uploads.js";
import { equal, ok, pause, until } from "tests/assert.js";

const t = (name) => name;

/** A server that stores uploads by key, and answers requests as the functions in `answers` say, one each. */
class Server {
  uploads = new Map(); // id -> {id, key, size, bytes}
  pieces = []; // [offset, length] of each that arrived
  answers = [];
  removed = [];

  async post(_path, { key, size }) {
    await pause();
    const answer = this.answers.shift()?.({ key });
    if (answer) throw answer;
    const known = [...this.uploads.values()].find((upload) => upload.key === key);
    const upload = known ?? { id: `u${this.uploads.size + 1}`, key, size, bytes: [] };
    this.uploads.set(upload.id, upload);
    return { id: upload.id, offset: upload.bytes.length };
  }

  async fetch(_method, path, { headers, body, signal }) {
    await pause();
    const [, id] = path.match(/^uploads\/(\w+)\/$/);
    const offset = Number(headers["Upload-Offset"]);
    const answer = this.answers.shift()?.({ upload: this.uploads.get(id), offset, body });
    if (signal.aborted || answer instanceof ApiError) throw answer ?? unreachable();
    if (answer) return answer;
    const upload = this.uploads.get(id);
    if (!upload) return response(404, {}, { code: "not_found", detail: "Not found." });
    if (offset !== upload.bytes.length) return response(409, { "Upload-Offset": upload.bytes.length }, {});
    append(upload, body);
    this.pieces.push([offset, body.byteLength]);
    return response(204, { "Upload-Offset": upload.bytes.length });
  }

  async read(answer) {
    const { code = "server_error", detail = "Failed." } = await answer.json().catch(() => ({}));
    throw new ApiError({ status: answer.status, code, detail, retry: answer.status >= 500 });
  }

  async delete(path) {
    this.removed.push(path);
  }

  /** The bytes of its only upload. */
  get bytes() {
    const [upload] = this.uploads.values();
    return upload.bytes;
  }
}

function append({ bytes }, body) {
  for (const byte of new Uint8Array(body)) bytes.push(byte);
}

const unreachable = () => new ApiError({ code: "unreachable", detail: "Can’t reach Chatty.", retry: true });

function response(status, headers = {}, body = null) {
  return new Response(body && JSON.stringify(body), { status, headers });
}

function fileOf(size, name = "a.bin") {
  return new File([new Uint8Array(size).map((_, index) => (index * 7) % 251)], name);
}

async function bytesOf(file) {
  return [...new Uint8Array(await file.arrayBuffer())];
}

let scopes = 0;

function make(server, options = {}) {
  scopes += 1;
  const uploads = new Uploads({ rest: server, t, delay: () => 5, locks: null, ...options });
  return { uploads, scope: `files.${scopes}` };
}

export async function test_file_is_sent_in_pieces_that_grow() {
  const server = new Server();
  const { uploads, scope } = make(server);
  const file = fileOf(1_500_000);
  const id = await uploads.finish(uploads.add(file, { scope }));
  equal(id, "u1");
  equal(server.bytes, await bytesOf(file));
  equal(server.pieces.slice(0, 2), [
    [0, 262_144],
    [262_144, 524_288],
  ]);
}

export async function test_upload_resumes_where_the_server_is() {
  const server = new Server();
  const { uploads, scope } = make(server);
  const file = fileOf(600_000);
  // The first piece arrives, but its answer is lost.
  server.answers = [
    () => null,
    ({ upload, body }) => {
      append(upload, body);
      return unreachable();
    },
  ];
  await until(() => uploads.finish(uploads.add(file, { scope })).catch(() => null));
  await until(() => [...server.uploads.values()].every(({ size, bytes }) => bytes.length === size));
  equal(server.bytes, await bytesOf(file));
  equal(server.pieces[0][0], 262_144, "nothing is sent twice");
}

export async function test_upload_goes_on_in_another_page() {
  const server = new Server();
  const { uploads, scope } = make(server);
  const file = fileOf(500_000);
  server.answers = [() => null, () => null, unreachable, ...Array(1_000).fill(unreachable)];
  const description = uploads.add(file, { scope });
  await until(() => server.pieces.length === 1);
  await until(async () => Boolean(await readFile(description.key)));
  server.answers = [];
  uploads.get(description.key).ending.abort(); // the tab is closed
  const { uploads: later } = make(server);
  const [again] = descriptionsOf(JSON.stringify([description]));
  equal(await later.finish(again), "u1");
  equal(server.uploads.size, 1, "the key finds the upload");
  equal(server.bytes, await bytesOf(file));
}

export async function test_upload_that_was_not_examined_yet_is_completed() {
  const server = new Server();
  const { uploads, scope } = make(server);
  // All bytes arrive, but the server is killed before it answers.
  server.answers = [
    () => null,
    ({ upload, body }) => {
      append(upload, body);
      return unreachable();
    },
  ];
  await until(() => uploads.finish(uploads.add(fileOf(1_000), { scope })).catch(() => null));
  await until(() => server.pieces.length > 0);
  ok(
    server.pieces.some(([offset, length]) => offset === 1_000 && length === 0),
    "an empty piece",
  );
}

export async function test_another_offset_is_taken_over() {
  const server = new Server();
  const { uploads, scope } = make(server);
  const file = fileOf(300_000);
  // Another tab has sent the first piece.
  server.answers = [
    () => null,
    ({ upload, body }) => {
      append(upload, body.slice(0, 1_000));
      return null;
    },
  ];
  await uploads.finish(uploads.add(file, { scope }));
  equal(server.bytes, await bytesOf(file));
  equal(server.pieces[0][0], 1_000);
}

export async function test_limit_of_a_proxy_makes_pieces_smaller() {
  const server = new Server();
  const { uploads, scope } = make(server);
  const html = () => new Response("<h1>413 Request Entity Too Large</h1>", { status: 413 });
  const limited = ({ body }) => (body?.byteLength > 100_000 ? html() : null);
  server.answers = Array(50).fill(limited);
  const file = fileOf(200_000);
  await uploads.finish(uploads.add(file, { scope }));
  equal(server.bytes, await bytesOf(file));
  ok(server.pieces.every(([, length]) => length <= 100_000));
}

export async function test_proxy_that_refuses_any_piece_is_explained() {
  const server = new Server();
  const { uploads, scope } = make(server);
  const refusing = ({ body }) => body && new Response("<h1>413</h1>", { status: 413 });
  server.answers = Array(50).fill(refusing);
  const description = uploads.add(fileOf(200_000), { scope });
  const error = await uploads.finish(description).catch((failure) => failure);
  equal([error.code, error.detail, error.retry], ["proxy", "upload.proxy", false]);
  equal(uploads.get(description.key).state, "failed");
  server.answers = [];
  uploads.retry(description.key);
  equal(await uploads.finish(description), "u1");
}

export async function test_refusal_of_the_server_is_shown_and_not_repeated() {
  const server = new Server();
  const { uploads, scope } = make(server);
  const refusal = new ApiError({ status: 413, code: "file_too_big", detail: "Too big.", retry: false });
  server.answers = [() => refusal];
  const description = uploads.add(fileOf(10), { scope });
  const error = await uploads.finish(description).catch((failure) => failure);
  equal([error.code, uploads.get(description.key).error.detail], ["file_too_big", "Too big."]);
  await pause(30);
  equal(server.uploads.size, 0);
}

export async function test_upload_that_the_server_removed_begins_again() {
  const server = new Server();
  const { uploads, scope } = make(server);
  server.answers = [
    () => null,
    () => {
      server.uploads.clear();
      return null;
    },
  ];
  const file = fileOf(1_000);
  const description = uploads.add(file, { scope });
  await until(() => uploads.finish(description).catch(() => null));
  equal(server.bytes, await bytesOf(file));
}

export async function test_cancelled_upload_is_removed_everywhere() {
  const server = new Server();
  const { uploads, scope } = make(server);
  server.answers = [() => null, ...Array(100).fill(unreachable)];
  const description = uploads.add(fileOf(1_000), { scope });
  await until(() => uploads.get(description.key).state === "waiting");
  const waiting = uploads.finish(description).catch((error) => error.code);
  uploads.cancel(description.key);
  equal(server.removed, ["uploads/u1/"]);
  ok(["unreachable", "file_lost"].includes(await waiting));
  equal(uploads.get(description.key), undefined);
  await until(async () => !(await readFile(description.key)));
}

export async function test_at_most_two_files_are_sent_at_the_same_time() {
  const server = new Server();
  const { uploads, scope } = make(server);
  let [busy, most] = [0, 0];
  const { fetch } = server;
  server.fetch = async (...given) => {
    busy += 1;
    most = Math.max(most, busy);
    await pause(5);
    busy -= 1;
    return fetch.apply(server, given);
  };
  const made = [1, 2, 3, 4].map((number) => uploads.add(fileOf(100 * number), { scope }));
  await Promise.all(made.map((description) => uploads.finish(description)));
  equal([server.uploads.size, most], [4, 2]);
}

export async function test_files_that_nothing_refers_to_are_removed_after_a_week() {
  const scope = "files.tidy";
  const now = Date.now();
  for (const key of ["kept", "draft", "old"]) {
    await keepFile({ scope, key, file: fileOf(1) }, key === "kept" ? now : now - 700_000_000);
  }
  const content = (key) => ({ files: JSON.stringify([{ key }]) });
  const drafts = { names: () => ["7"], read: () => content("draft") };
  const outbox = { conversations: () => [7], entries: () => [content("queued"), { body: "words" }] };
  const keys = keysInUse({ drafts, outbox });
  equal([...keys], ["draft", "queued"]);
  await dropUnused(scope, keys, now);
  const left = await Promise.all(["kept", "draft", "old"].map(readFile));
  equal(left.map(Boolean), [true, true, false]);
}
