import { Places } from "chatty/views/places.js";
import { equal } from "tests/assert.js";

export function test_places_survive_a_reload_and_belong_to_an_account() {
  const place = { scroll: { id: 5, seq: 3, top: 20, atEnd: false }, focus: "m5" };
  new Places("1.e").set("entry", place);
  equal(new Places("1.e").get("entry"), place);
  equal(new Places("2.e").get("entry"), null);
  equal(new Places("1.f").get("entry"), null);
}

export function test_only_the_latest_places_are_kept() {
  const places = new Places("3.e");
  for (let number = 0; number < 60; number += 1) places.set(String(number), { scroll: null, focus: "" });
  places.set("0", { scroll: null, focus: "again" });
  places.set("60", { scroll: null, focus: "" });
  equal([places.get("0")?.focus, places.get("1"), places.get("60")?.focus], ["again", null, ""]);
}
