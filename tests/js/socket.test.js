import { afterClose } from "chatty/chat/protocol.js";
import { Socket } from "chatty/chat/socket.js";
import { equal, ok, pause, until } from "tests/assert.js";

const HELLO = { type: "hello", user: { id: 1 }, epoch: "e", conversations: [] };

/** Replaces the browser's WebSocket with a fake. Returns an array of all instances. */
function fakeConnection() {
  const made = [];
  class FakeSocket {
    static OPEN = 1;
    readyState = 1;
    sent = [];

    constructor(url, protocol) {
      Object.assign(this, { url, protocol });
      made.push(this);
    }

    send(text) {
      this.sent.push(JSON.parse(text));
    }

    close() {
      this.readyState = 3;
    }

    t(frame) {
      this.onmessage({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
    }

    end(code) {
      this.readyState = 3;
      this.onclose({ code });
    }
  }
  globalThis.WebSocket = FakeSocket;
  return made;
}

/** A connected Socket without delays, and the events it emitted. */
function connected({ random = () => 0 } = {}) {
  const made = fakeConnection();
  const socket = new Socket("ws://test/ws/", { random });
  const said = [];
  for (const word of ["status", "hello", "frame", "renew"]) {
    socket.on(word, (detail) =>
      said.push([word, detail.state ?? detail.type ?? null, detail.state && detail.code]),
    );
  }
  socket.connect();
  return { socket, made, said };
}

export function test_socket_requests_the_subprotocol_and_is_online_after_hello() {
  const { socket, made, said } = connected();
  equal(made[0].protocol, "chatty.v2");
  ok(!socket.send({ type: "ping" }), "nothing is sent before the hello");
  made[0].t(HELLO);
  ok(socket.online);
  ok(socket.send({ type: "ping" }));
  equal(made[0].sent, [{ type: "ping" }]);
  equal(
    said.map(([word, what]) => [word, what]),
    [
      ["status", "connecting"],
      ["status", "online"],
      ["hello", "hello"],
    ],
  );
}

/** Those of Chatty itself are golden cases: tests/golden/constants.json. */
export function test_after_close_codes_of_the_websocket_standard() {
  equal([1000, 1001, 1006, 1009].map(afterClose), ["reconnect", "reconnect", "reconnect", "stop"]);
}

export async function test_socket_reconnects_after_temporary_close_codes() {
  for (const code of [1000, 1001, 1006, 1011, 1012, 4408, 4999]) {
    const { socket, made } = connected();
    made[0].t(HELLO);
    made[0].end(code);
    equal(socket.state, "waiting");
    await until(() => made.length === 2, `after ${code}`);
    socket.disconnect();
  }
}

export async function test_socket_stops_after_permanent_close_codes() {
  for (const code of [4001, 4403, 4409, 4400, 1009]) {
    const { socket, made, said } = connected();
    made[0].t(HELLO);
    made[0].end(code);
    await pause(10);
    equal(made.length, 1);
    equal(said.at(-1), ["status", "stopped", code]);
    equal(socket.code, code);
  }
}

export async function test_socket_emits_renew_after_4401_and_reconnects_on_resume() {
  const { socket, made, said } = connected();
  made[0].t(HELLO);
  made[0].end(4401);
  await pause(10);
  equal(made.length, 1);
  equal(said.at(-1)[0], "renew");
  socket.resume();
  equal(made.length, 2);
  socket.disconnect();
}

export async function test_socket_waits_for_retry_after() {
  const { socket, made } = connected();
  made[0].t(HELLO);
  made[0].t({ type: "error", code: "slow_down", retry: true, retry_after: 0.05 });
  made[0].end(4429);
  await pause(20);
  equal(made.length, 1);
  await until(() => made.length === 2);
  socket.disconnect();
}

export async function test_invalid_json_is_ignored() {
  const { socket, made, said } = connected();
  made[0].t(HELLO);
  made[0].t("{no");
  made[0].t({ type: "heartbeat" });
  equal(said.at(-1), ["frame", "heartbeat", null]);
  socket.disconnect();
}

export async function test_frames_of_a_previous_socket_are_ignored() {
  const { socket, made, said } = connected();
  made[0].t(HELLO);
  const old = made[0];
  const { onmessage } = old;
  old.end(1006);
  await until(() => made.length === 2);
  const before = said.length;
  onmessage({ data: JSON.stringify({ type: "pong" }) });
  equal(said.length, before);
  socket.disconnect();
}

export async function test_online_event_reconnects_immediately() {
  const { socket, made } = connected({ random: () => 1 });
  made[0].t(HELLO);
  made[0].end(1006);
  dispatchEvent(new Event("online"));
  equal(made.length, 2);
  socket.disconnect();
}

export async function test_time_until_the_next_attempt_is_known_while_it_is_waited_for() {
  const { socket, made } = connected({ random: () => 1 });
  made[0].t(HELLO);
  made[0].end(1006);
  const left = () => socket.retryAt - performance.now();
  const first = left();
  ok(first > 400 && first <= 500);
  await pause(20);
  ok(left() < first);
  socket.retry();
  equal(socket.state, "connecting");
  made[1].end(1006);
  ok(left() > 900); // the delays grow
  equal(socket.state, "waiting");
  socket.disconnect();
  equal(socket.state, "off");
}

export async function test_offline_event_pings_instead_of_disconnecting() {
  const { socket, made } = connected();
  made[0].t(HELLO);
  dispatchEvent(new Event("offline"));
  equal(made[0].sent, [{ type: "ping" }]);
  made[0].t({ type: "pong" });
  ok(socket.online);
  socket.disconnect();
}

export async function test_disconnect_stops_reconnecting() {
  const { socket, made } = connected();
  made[0].t(HELLO);
  socket.disconnect();
  dispatchEvent(new Event("online"));
  await pause(10);
  equal([made.length, socket.state], [1, "off"]);
}

export async function test_failed_attempts_are_counted_until_the_first_hello() {
  const { socket, made } = connected();
  made[0].end(1006);
  await until(() => made.length === 2);
  made[1].end(1006);
  equal(socket.failedAttempts, 2);
  await until(() => made.length === 3);
  made[2].t(HELLO);
  equal(socket.failedAttempts, 0);
  socket.disconnect();
}

export async function test_window_without_a_socket_gets_one_when_asked_or_looked_at() {
  const { socket, made } = connected();
  made[0].end(4409);
  socket.retry();
  equal([made.length, socket.state, socket.code], [2, "connecting", 4409]);
  made[1].end(4409);
  equal(socket.state, "stopped");
  document.dispatchEvent(new Event("visibilitychange"));
  equal(made.length, 3);
  made[2].t(HELLO);
  ok(socket.online);
  socket.retry();
  equal(made.length, 3, "a socket that works is kept");
  socket.disconnect();
}

export function test_socket_that_waits_opens_when_asked() {
  const { socket, made } = connected();
  made[0].t({ type: "error", code: "slow_down", retry: true, retry_after: 60 });
  made[0].end(1013);
  socket.retry();
  equal([made.length, socket.state], [2, "connecting"]);
  socket.retry();
  equal(made.length, 2, "it is being tried already");
  socket.disconnect();
}

export async function test_window_without_a_socket_tries_again_after_a_while() {
  const real = globalThis.setTimeout;
  const waits = [];
  globalThis.setTimeout = (work, delay) => waits.push([work, delay]);
  const { socket, made } = connected();
  made[0].end(4409);
  globalThis.setTimeout = real;
  const [work, delay] = waits.at(-1);
  equal([made.length, delay], [1, 30_000]);
  work();
  equal(made.length, 2);
  socket.disconnect();
}

export function test_stopped_socket_is_not_retried_for_other_reasons() {
  const { socket, made } = connected();
  made[0].end(4001);
  socket.retry();
  document.dispatchEvent(new Event("visibilitychange"));
  equal([made.length, socket.state], [1, "stopped"]);
}
