// The button in a password field that shows what is typed.

/** @param {HTMLButtonElement} button */
export function connect(button) {
  const field = /** @type {HTMLInputElement} */ (button.previousElementSibling);
  const label = button.querySelector("span");
  const { hide } = button.dataset;
  const show = label.textContent;
  const setShown = (isShown) => {
    field.type = isShown ? "text" : "password";
    label.textContent = isShown ? hide : show;
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    setShown(field.type === "password");
    field.focus();
  });
  // Browsers only offer to save the content of password fields.
  field.form?.addEventListener("submit", () => setShown(false));
}
