// Keeps what is entered in a form for going back to it, in its entry of the history: browsers don't store pages that
// show what is private. Neither passwords nor files, nor what the server has put in.

const KINDS = ["text", "search", "textarea", "select-one", "checkbox", "radio"];

/** @param {HTMLFormElement} form */
export function connect(form) {
  const save = () => history.replaceState({ ...history.state, form: valuesOf(form) }, "");
  const { form: values } = history.state ?? {};
  if (values) restore(form, values);
  else save(); // what was entered before this has loaded
  form.addEventListener("input", save);
}

function fieldsOf(form) {
  return [...form.elements].filter(({ name, type }) => name && KINDS.includes(type));
}

function valuesOf(form) {
  return fieldsOf(form)
    .filter(({ type, checked }) => checked || !isTicked(type))
    .map(({ name, value }) => [name, value]);
}

function restore(form, values) {
  for (const field of fieldsOf(form)) {
    const mine = values.filter(([name]) => name === field.name).map(([, value]) => value);
    if (isTicked(field.type)) field.checked = mine.includes(field.value);
    else if (mine.length) [field.value] = mine;
  }
}

function isTicked(type) {
  return type === "checkbox" || type === "radio";
}
