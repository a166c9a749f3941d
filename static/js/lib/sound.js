/** False if the browser allows sound only after user activation, and there was none yet. */
export function canSound() {
  return navigator.userActivation.hasBeenActive;
}
