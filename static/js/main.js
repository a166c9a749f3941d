// Enhances the page. Templates say which views start where (views/loader.js). Each starts on its own: if one fails,
// its forms and links still work without it.

import { TEMPLATES } from "chatty/templates.js";
import { loadTemplates } from "chatty/views/dom.js";
import { Page } from "chatty/views/page.js";

// In browsers that are too old, pages work as without scripts. The README names the versions.
if (CSS.supports("selector(:has(*))") && matchMedia("(scripting: enabled)").matches) {
  loadTemplates(TEMPLATES);
  new Page(JSON.parse(document.getElementById("app-data").textContent)).connect();
}
