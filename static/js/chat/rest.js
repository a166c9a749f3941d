// The REST client: history, edits, deletions, reactions, and everything else while no socket is open.

const PATIENCE = 20_000; // ms

/** An error response. `retry`: the same request may succeed later. */
export class ApiError extends Error {
  constructor({ status = 0, code, detail, retry = false, retryAfter = 0, current = null }) {
    super(detail);
    this.status = status; // 0: the server was not reached
    this.code = code;
    this.detail = detail;
    this.retry = retry;
    this.retryAfter = retryAfter; // seconds
    this.current = current; // the current message, if an edit conflicts with a later one
  }
}

export class Rest {
  #root;
  #token;
  #t;

  /** `root` ends in a slash, `token()` returns the CSRF token, and `t` translates error messages. */
  constructor({ root = "/api/", token, t }) {
    this.#root = root;
    this.#token = token;
    this.#t = t;
  }

  get(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(given).toString();
    return this.#ask("GET", search ? `${path}?${search}` : path);
  }

  post(path, body = {}) {
    return this.#ask("POST", path, body);
  }

  patch(path, body) {
    return this.#ask("PATCH", path, body);
  }

  put(path, body = {}) {
    return this.#ask("PUT", path, body);
  }

  delete(path) {
    return this.#ask("DELETE", path);
  }

  /**
   * A request whose response the caller reads. Rejects with an ApiError if the server can't be reached.
   * @param {{ headers?: Record<string, string>, body?: BodyInit, signal?: AbortSignal }} [request]
   */
  async fetch(method, path, request = {}) {
    const { headers = {}, body, signal = AbortSignal.timeout(PATIENCE) } = request;
    if (method !== "GET") headers["X-CSRFToken"] = this.#token();
    headers.Accept = "application/json";
    try {
      return await fetch(this.#root + path, { method, headers, body, cache: "no-store", signal });
    } catch {
      throw new ApiError({ code: "unreachable", detail: this.#t("error.unreachable"), retry: true });
    }
  }

  /** The content of a response. Throws an ApiError if it isn't a success. */
  async read(response) {
    const answer = await this.#parse(response);
    if (response.ok) return answer;
    throw new ApiError({
      status: response.status,
      code: answer?.code ?? "server_error",
      detail: answer?.detail ?? this.#t("error.server"),
      retry: answer?.retry ?? response.status >= 500,
      retryAfter: Number(answer?.retry_after ?? response.headers.get("Retry-After")) || 0,
      current: answer?.message,
    });
  }

  async #ask(method, path, body) {
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    return this.read(await this.fetch(method, path, { headers, body: JSON.stringify(body) }));
  }

  async #parse(response) {
    if (response.status === 204) return null;
    try {
      return await response.json();
    } catch {
      if (!response.ok) return null;
      throw new ApiError({ code: "server_error", detail: this.#t("error.server"), retry: true });
    }
  }
}
