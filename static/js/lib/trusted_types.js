// The one policy that pages allow to turn text into elements or into the address of a script (`trusted-types chatty`
// in the Content-Security-Policy). tests/test_layers.py lists the few modules that use it.

const WORKER = "/service-worker.js";

// Browsers without Trusted Types use the rules themselves.
const rules = {
  /** `html`: rendered and sanitised by the server. */
  createHTML: (html) => html,
  createScriptURL(address) {
    if (address === WORKER) return address;
    throw new TypeError(address);
  },
};
export const trusted = globalThis.trustedTypes?.createPolicy("chatty", rules) ?? rules;
