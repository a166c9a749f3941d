// What a template says about itself, in its data attributes.

import { templateContent } from "chatty/views/dom.js";

/** The data attributes of the one element inside <template id>. */
export function templateData(id) {
  return /** @type {HTMLElement} */ (templateContent(id).firstElementChild).dataset;
}
