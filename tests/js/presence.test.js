import { Presence } from "chatty/chat/presence.js";
import { equal } from "tests/assert.js";

const ME = 1;
const BOB = { id: 2, name: "Bob", hue: 3, seq: 4, since: 0 };
const CAROL = { id: 3, name: "Carol", hue: 9, seq: 4, since: 0 };

function presenceOf(members = [BOB, CAROL], here = []) {
  return new Presence({ me: ME, here, members });
}

export function test_presence_frames_update_who_is_online() {
  const presence = presenceOf([BOB, CAROL], [2]);
  equal(presence.names, ["Bob"]);
  presence.applyPresence({ online: [3, 9], offline: [2], reset: false });
  equal(presence.names, ["Carol"]);
  equal([presence.isOnline(9), presence.isOnline(2)], [true, false]);
  presence.applyPresence({ online: [2], offline: [], reset: true });
  equal([presence.names, presence.isOnline(9)], [["Bob"], false]);
  presence.clearOnline();
  equal(presence.names, []);
}

/** The server sends who else is online. */
export function test_i_am_online_whatever_frames_say_of_others() {
  const presence = presenceOf();
  equal(presence.isOnline(ME), true);
  presence.applyPresence({ online: [2], offline: [], reset: true });
  equal([presence.isOnline(ME), presence.names], [true, ["Bob"]]);
  presence.clearOnline();
  equal(presence.isOnline(ME), false);
  presence.applyPresence({ online: [], offline: [2], reset: false });
  equal(presence.isOnline(ME), true);
}

export function test_seen_by_lists_members_whose_mark_has_reached_the_message() {
  const presence = presenceOf();
  const seenBy = (seq) => {
    const { names, everybody } = presence.seenBy(seq);
    return { names, everybody };
  };
  equal(seenBy(5), { names: [], everybody: false });
  presence.applyMarks([
    { user: 2, seq: 5 },
    { user: 77, seq: 9 },
  ]);
  equal(seenBy(5), { names: ["Bob"], everybody: false });
  presence.applyMarks([{ user: 3, seq: 6 }]);
  equal(seenBy(5), { names: ["Bob", "Carol"], everybody: true });
  equal(presence.seenBy(5).faces, [
    { id: 2, initial: "B", hue: 3 },
    { id: 3, initial: "C", hue: 9 },
  ]);
  presence.applyMarks([{ user: 2, seq: 1 }]); // marked as unread
  equal(presence.seenBy(5).names, ["Carol"]);
  equal(presence.seenBy(Infinity).names, []); // still pending
}

export function test_messages_from_before_someone_joined_do_not_count_as_seen() {
  const presence = presenceOf();
  const notice = { kind: "added", author: { id: 1 }, seq: 8, notice: { data: { user: 4, name: "Dan" } } };
  presence.applyNotice(notice);
  presence.applyMarks([{ user: 4, seq: 9 }]);
  equal(presence.seenBy(7).names, []);
  equal(presence.seenBy(9).names, ["Dan"]);
  presence.applyNotice({ kind: "left", author: { id: 4 }, seq: 10, notice: { data: {} } });
  presence.applyNotice({ kind: "renamed", author: { id: 2 }, seq: 11, notice: { data: {} } });
  equal(presence.seenBy(9).names, []);
  equal(presence.seenBy(4).names, ["Bob", "Carol"]);
}

export function test_joined_notice_adds_no_reader_without_receipts() {
  const presence = presenceOf(null);
  presence.applyNotice({ kind: "joined", author: BOB, seq: 3, notice: { data: {} } });
  equal([presence.hasReaders, presence.names], [false, []]);
}

export function test_joined_notice_adds_a_reader_to_an_empty_group() {
  const presence = presenceOf([]);
  presence.applyNotice({ kind: "joined", author: BOB, seq: 3, notice: { data: {} } });
  presence.applyPresence({ online: [2], offline: [], reset: false });
  presence.applyMarks([{ user: 2, seq: 4 }]);
  equal([presence.names, presence.seenBy(4).names], [["Bob"], ["Bob"]]);
}
