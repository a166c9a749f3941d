// The templates of what is loaded when someone begins to write or to react (templates/_writing_templates.html).

import { TEMPLATES } from "chatty/writing_templates.js";
import { loadTemplates } from "chatty/views/dom.js";
import { templateData } from "chatty/views/template_data.js";

loadTemplates(TEMPLATES);

/** The addresses of the style sheet (`styles`) and of the emoji in the language of the page (`source`). */
export function writingFiles() {
  return templateData("picker-template");
}
