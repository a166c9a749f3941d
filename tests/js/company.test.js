import { Company } from "chatty/chat/company.js";
import { equal } from "tests/check.js";

const BOB = { id: 2, name: "Bob", seq: 4, since: 0 };
const CAROL = { id: 3, name: "Carol", seq: 4, since: 0 };

function companyOf(members = [BOB, CAROL], here = []) {
  return new Company({ here, members });
}

export function test_who_comes_and_goes_is_here_or_not() {
  const company = companyOf([BOB, CAROL], [2]);
  equal(company.names, ["Bob"]);
  company.heardPresence({ online: [3, 9], offline: [2], reset: false });
  equal(company.names, ["Carol"]);
  equal([company.isHere(9), company.isHere(2)], [true, false]);
  company.heardPresence({ online: [2], offline: [], reset: true });
  equal([company.names, company.isHere(9)], [["Bob"], false]);
  company.forgetHere();
  equal(company.names, []);
}

export function test_seen_is_whose_mark_has_come_so_far() {
  const company = companyOf();
  equal(company.seenBy(5), { names: [], everybody: false });
  company.heardMarks([{ user: 2, seq: 5 }, { user: 77, seq: 9 }]);
  equal(company.seenBy(5), { names: ["Bob"], everybody: false });
  company.heardMarks([{ user: 3, seq: 6 }]);
  equal(company.seenBy(5), { names: ["Bob", "Carol"], everybody: true });
  company.heardMarks([{ user: 2, seq: 1 }]); // set back by hand
  equal(company.seenBy(5).names, ["Carol"]);
  equal(company.seenBy(Infinity).names, []); // still on its way
}

export function test_who_came_later_has_not_seen_what_was_before() {
  const company = companyOf();
  const notice = { kind: "added", author: { id: 1 }, seq: 8, notice: { data: { user: 4, name: "Dan" } } };
  company.heardNotice(notice);
  company.heardMarks([{ user: 4, seq: 9 }]);
  equal(company.seenBy(7).names, []);
  equal(company.seenBy(9).names, ["Dan"]);
  company.heardNotice({ kind: "left", author: { id: 4 }, seq: 10, notice: { data: {} } });
  company.heardNotice({ kind: "renamed", author: { id: 2 }, seq: 11, notice: { data: {} } });
  equal(company.seenBy(9).names, []);
  equal(company.seenBy(4).names, ["Bob", "Carol"]);
}

export function test_where_nobody_is_told_of_nobody_comes_into_it() {
  const company = companyOf(null);
  company.heardNotice({ kind: "joined", author: BOB, seq: 3, notice: { data: {} } });
  equal([company.isTold, company.names], [false, []]);
}

export function test_who_comes_to_somebody_alone_is_seen() {
  const company = companyOf([]);
  company.heardNotice({ kind: "joined", author: BOB, seq: 3, notice: { data: {} } });
  company.heardPresence({ online: [2], offline: [], reset: false });
  company.heardMarks([{ user: 2, seq: 4 }]);
  equal([company.names, company.seenBy(4).names], [["Bob"], ["Bob"]]);
}
