// A form that is sent as soon as a choice is made. Without scripts, it has a button.

export function connect(form) {
  form.querySelector("button").hidden = true;
  form.addEventListener("change", () => form.requestSubmit());
}
