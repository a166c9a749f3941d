// Types of elements found by selector or id are not checked, since they depend on the page.

interface ParentNode {
  querySelector(selectors: string): any;
  querySelectorAll(selectors: string): NodeListOf<any>;
}

interface Element {
  closest(selectors: string): any;
}

interface NonElementParentNode {
  getElementById(id: string): any;
}

interface Document {
  getElementById(id: string): any;
}

// Rendered by conversations/web/script_templates.py.
declare module "chatty/templates.js" {
  export const TEMPLATES: string;
}
