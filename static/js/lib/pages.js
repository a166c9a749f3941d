// Pages of our own server that are fetched by a script.

import { trusted } from "chatty/lib/trusted_types.js";

const PAGE = "text/html";

/** True if a response names another build than `ours`. Overloaded servers name none. */
export function isOfOtherBuild(response, ours) {
  return (response.headers.get("Chatty-Build") ?? ours) !== ours;
}

/** The document in a response of our own server. It is empty if the response is not a page. */
export async function parsePage(response) {
  if (new URL(response.url).origin !== location.origin) throw new TypeError(`Not our page: ${response.url}`);
  const isPage = response.headers.get("Content-Type")?.startsWith(PAGE);
  return new DOMParser().parseFromString(trusted.createHTML(isPage ? await response.text() : ""), PAGE);
}
