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

  async #ask(method, path, body) {
    const response = await this.#fetch(method, path, body);
    const answer = await this.#read(response);
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

  async #fetch(method, path, body) {
    const headers = { Accept: "application/json" };
    if (method !== "GET") headers["X-CSRFToken"] = this.#token();
    if (body !== undefined) headers["Content-Type"] = "application/json";
    try {
      return await fetch(this.#root + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: "same-origin",
        cache: "no-store",
        signal: AbortSignal.timeout?.(PATIENCE),
      });
    } catch {
      throw new ApiError({ code: "unreachable", detail: this.#t("error.unreachable"), retry: true });
    }
  }

  async #read(response) {
    if (response.status === 204) return null;
    try {
      return await response.json();
    } catch {
      if (!response.ok) return null;
      throw new ApiError({ code: "server_error", detail: this.#t("error.server"), retry: true });
    }
  }
}
