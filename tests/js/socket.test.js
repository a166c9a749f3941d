import { Socket } from "chatty/chat/socket.js";
import { equal, ok, pause, until } from "tests/assert.js";

const HELLO = { type: "hello", user: { id: 1 }, epoch: "e", conversations: [] };

/** Stands in for the browser's WebSocket; `made` are all that were opened. */
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

/** A socket whose waits are nothing at all, and what it said. */
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

export function test_it_offers_the_subprotocol_and_is_online_with_the_hello() {
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

export async function test_a_lost_line_is_opened_again_for_every_code_that_may_pass() {
  for (const code of [1000, 1001, 1006, 1011, 1012, 4408, 4999]) {
    const { socket, made } = connected();
    made[0].t(HELLO);
    made[0].end(code);
    equal(socket.state, "waiting");
    await until(() => made.length === 2, `after ${code}`);
    socket.disconnect();
  }
}

export async function test_codes_that_will_not_pass_end_it() {
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

export async function test_credentials_are_renewed_before_trying_again() {
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

export async function test_it_waits_as_long_as_it_is_told() {
  const { socket, made } = connected();
  made[0].t(HELLO);
  made[0].t({ type: "error", code: "slow_down", retry: true, retry_after: 0.05 });
  made[0].end(4429);
  await pause(20);
  equal(made.length, 1);
  await until(() => made.length === 2);
  socket.disconnect();
}

export async function test_frames_that_are_no_json_are_passed_over() {
  const { socket, made, said } = connected();
  made[0].t(HELLO);
  made[0].t("{no");
  made[0].t({ type: "heartbeat" });
  equal(said.at(-1), ["frame", "heartbeat", null]);
  socket.disconnect();
}

export async function test_a_line_of_long_ago_says_nothing_any_more() {
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

export async function test_coming_back_online_does_not_wait() {
  const { socket, made } = connected({ random: () => 1 });
  made[0].t(HELLO);
  made[0].end(1006);
  dispatchEvent(new Event("online"));
  equal(made.length, 2);
  socket.disconnect();
}

export async function test_a_doubtful_line_is_asked_and_not_dropped() {
  const { socket, made } = connected();
  made[0].t(HELLO);
  dispatchEvent(new Event("offline"));
  equal(made[0].sent, [{ type: "ping" }]);
  made[0].t({ type: "pong" });
  ok(socket.online);
  socket.disconnect();
}

export async function test_disconnecting_ends_everything() {
  const { socket, made } = connected();
  made[0].t(HELLO);
  socket.disconnect();
  dispatchEvent(new Event("online"));
  await pause(10);
  equal([made.length, socket.state], [1, "off"]);
}

export async function test_attempts_without_any_success_are_counted() {
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
