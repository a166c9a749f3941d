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

// The DOM library of tsc has no Trusted Types, so sinks ask for strings.
interface TrustedRules {
  createHTML(html: string): string;
  createScriptURL(address: string): string;
}

declare var trustedTypes: { createPolicy(name: string, rules: TrustedRules): TrustedRules } | undefined;

// Rendered by conversations/web/script_templates.py.
declare module "chatty/files_templates.js" {
  export const TEMPLATES: string;
}
declare module "chatty/templates.js" {
  export const TEMPLATES: string;
}
declare module "chatty/writing_templates.js" {
  export const TEMPLATES: string;
}
