/** Call `work`. An error is reported, and the other parts of the page start without it. */
export function attempt(work) {
  try {
    work();
  } catch (error) {
    reportError(error);
  }
}
