// What a browser requests when a form is submitted, for forms that are submitted without leaving the page.

/**
 * {url, body}: `body` is null for GET. It is FormData if the form's encoding is multipart, which alone sends
 * files. `base`: the URL of the page the form is from.
 */
export function requestOf(form, submitter, base) {
  // Not form.action and so on: a field of that name would hide them.
  const given = (name) => submitter?.getAttribute(`form${name}`) || form.getAttribute(name) || "";
  const url = new URL(given("action"), base);
  const fields = new FormData(form, submitter);
  if (given("method").toLowerCase() !== "post") {
    url.search = String(urlEncoded(fields));
    return { url: url.href, body: null };
  }
  const isMultipart = given("enctype").toLowerCase() === "multipart/form-data";
  return { url: url.href, body: isMultipart ? fields : urlEncoded(fields) };
}

/** As browsers encode it: a file as its name. */
function urlEncoded(fields) {
  const text = (value) => (value instanceof File ? value.name : value.replace(/\r\n?|\n/g, "\r\n"));
  return new URLSearchParams([...fields].map(([name, value]) => [name, text(value)]));
}
