import { caseFolded } from "chatty/lib/match.js";
import { fitting } from "chatty/views/mentions.js";
import { equal } from "tests/assert.js";

// conversations/tests/test_mentions.py goes through the same file, on the server.
async function cases() {
  return (await fetch("/tests/js/mentions.json")).json();
}

export async function test_members_are_offered_by_the_first_letters_of_their_names() {
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

export async function test_a_name_written_out_is_the_one_the_server_finds() {
  for (const { name, call, mentioned } of await cases()) {
    const [person, written] = [name, call].map((text) => caseFolded(text.normalize("NFC")));
    equal(person === written, mentioned, `${name} @${call}`);
    if (mentioned) equal(fitting([{ id: 1, name }], call), [], `${name} @${call}`);
  }
}
