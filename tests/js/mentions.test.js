import { caseFolded } from "chatty/lib/match.js";
import { fitting } from "chatty/views/mentions.js";
import { equal } from "tests/assert.js";

// conversations/tests/test_mentions.py tests the server with the same cases.
async function cases() {
  return (await fetch("/tests/js/mentions.json")).json();
}

export async function test_members_are_suggested_by_the_first_letters_of_their_names() {
  for (const { name, typed, offered } of await cases()) {
    const other = { id: 2, name: `${name} Second` };
    const found = fitting([{ id: 1, name }, other], typed.normalize("NFC"));
    equal(
      found.some(({ id }) => id === 1),
      offered,
      `${name} @${typed}`,
    );
  }
}

export async function test_full_names_match_as_on_the_server() {
  for (const { name, call, mentioned } of await cases()) {
    const [person, written] = [name, call].map((text) => caseFolded(text.normalize("NFC")));
    equal(person === written, mentioned, `${name} @${call}`);
    if (mentioned) equal(fitting([{ id: 1, name }], call), [], `${name} @${call}`);
  }
}
