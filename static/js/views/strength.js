// Says how good a new password is while it is typed. The server decides: what its rules refuse is refused here, too.
// Only the server has a list of the most common passwords, of which less than one in 500 is called good here.

const SIMILAR = 0.7; // as in Django's UserAttributeSimilarityValidator
const GOOD = 12.5; // letters that can't be guessed from those before them
const STRONG = 16;
const PREDICTABLE = 0.25; // what a letter is worth that can be
const KIND = 2; // what each further kind of letters is worth
const PAUSE = 1_000; // ms without typing after which screen readers say it
const KINDS = [/\p{Ll}/u, /\p{Lu}/u, /\p{Nd}/u, /[^\p{L}\p{Nd}]/u];
const KEYS =
  "qwertyuiop qwertzuiop asdfghjkl zxcvbnm yxcvbnm 1234567890 1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p qazwsxedcrfv 1q2w3e4r5t6y7u8i9o0p";
const LOOKS = { "@": "a", 4: "a", 3: "e", 1: "i", "!": "i", 0: "o", $: "s", 5: "s", 7: "t" };

/**
 * `element`: templates/_strength.html. All that it can say is in there, so that it has its place from the start.
 * @param {HTMLElement} element
 */
export function connect(element) {
  const field = element.closest(".field").querySelector("input");
  const { form } = field;
  const least = Number(element.dataset.least);
  const status = element.querySelector("[role=status]");
  let timer = 0;
  const update = () => {
    const inputs = [...form.querySelectorAll("[name=email], [name=username], [name=name]")];
    const own = [element.dataset.own ?? "", ...inputs.map(({ value }) => value)];
    const { problems, level } = strengthOf(field.value, { least, own });
    element.dataset.level = String(level);
    const shown = problems[0] && level ? problems[0] : String(level);
    for (const text of element.querySelectorAll("[data-state]")) {
      text.toggleAttribute("data-shown", text.dataset.state === shown);
    }
    return level ? element.querySelector("[data-shown]").textContent : "";
  };
  field.addEventListener("input", () => {
    const text = update();
    clearTimeout(timer);
    timer = setTimeout(() => (status.textContent = text), PAUSE);
  });
  update(); // what the browser has restored
}

/**
 * {problems, level}: why the server refuses the password, and 0 if it is empty, 1 if it is refused, 2 weak, 3 good,
 * 4 strong. `least`: its minimum length. `own`: the person's address and name.
 * @param {string} password
 * @param {{ least: number, own?: string[] }} about
 */
export function strengthOf(password, { least, own = [] }) {
  const letters = [...password];
  const problems = [];
  if (letters.length < least) problems.push("short");
  if (/^\p{Nd}+$/u.test(password)) problems.push("numeric");
  if (own.some((each) => isSimilar(password, each))) problems.push("similar");
  if (!letters.length || problems.length) return { problems, level: letters.length ? 1 : 0 };
  const kinds = kindsOf(password);
  const worth = worthOf(letters) + KIND * (kinds - 1);
  // A long word is in dictionaries, several words together are not.
  if (worth >= STRONG && kinds > 1) return { problems, level: 4 };
  return { problems, level: worth >= GOOD ? 3 : 2 };
}

/** Whether most letters are those of the address, the name, or a part of it, in any order. */
function isSimilar(password, text) {
  const whole = text.trim().toLowerCase();
  const letters = [...password.toLowerCase()];
  return [...whole.split(/[^\p{L}\p{N}_]+/u), whole].some((part) => {
    const left = [...part];
    const all = letters.length + left.length;
    let shared = 0;
    for (const letter of letters) {
      const index = left.indexOf(letter);
      if (index < 0) continue;
      left.splice(index, 1);
      shared += 1;
    }
    return part && (2 * shared) / all >= SIMILAR;
  });
}

/** The number of kinds of letters, without what people add to a word to have more: "P@ssw0rd1!" is one kind. */
function kindsOf(password) {
  const word = password
    .replace(/[^\p{L}]+$/u, "")
    .replace(/^\p{Lu}/u, (letter) => letter.toLowerCase())
    .replace(/[@4310!$57]/g, (letter) => LOOKS[letter]);
  return Math.max(1, KINDS.filter((kind) => kind.test(word)).length);
}

/** How many letters there are, without repetitions, rows of keys and of the alphabet. */
function worthOf(letters) {
  const seen = new Set();
  let worth = 0;
  const folded = letters.map((each) => each.toLowerCase());
  const follows = (index, distance) => isNext(folded[index - distance], folded[index]);
  for (const [index, letter] of folded.entries()) {
    const pair = folded[index - 1] + letter;
    const isBetween = follows(index, 2) && follows(index - 1, 2); // "1a2s3d" is two rows in one
    worth += follows(index, 1) || isBetween || seen.has(pair) ? PREDICTABLE : 1;
    seen.add(pair);
  }
  return worth;
}

/** Whether two letters are the same, or neighbours in the alphabet or on the keys. */
function isNext(before, letter) {
  if (!before || !letter) return false;
  const step = Math.abs(before.codePointAt(0) - letter.codePointAt(0));
  return step < 2 || KEYS.includes(before + letter) || KEYS.includes(letter + before);
}
