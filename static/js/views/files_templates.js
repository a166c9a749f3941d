// Adds the templates for files (templates/_files_templates.html) to the page.

import { TEMPLATES } from "chatty/files_templates.js";
import { setServerHtml } from "chatty/views/dom.js";

const loaded = document.createElement("template");
setServerHtml(loaded, TEMPLATES);
document.body.append(loaded.content);
