// What the page asks the server: models, the size of their context, streamed answers. Addresses
// are relative, so the page also works below a path of a reverse proxy.

/** An answer that is no answer: `status` of HTTP (0: not reached), `message` for the reader. */
export class ServerError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** Message in an error body of any dialect, or null. */
function errorText(body) {
  const error = body?.error;
  if (typeof error === "string") return error;
  return typeof error?.message === "string" ? error.message : null;
}

async function request(path, { key, signal, body } = {}) {
  const headers = {};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    const method = body ? "POST" : "GET";
    response = await fetch(path, { method, headers, signal, body: body && JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server cannot be reached. Is it still running?");
  }
  if (response.ok) return response;
  const text = await response.text().catch(() => "");
  let message = null;
  try {
    message = errorText(JSON.parse(text));
  } catch {
    // Not JSON, from a proxy for instance: the status has to do.
  }
  message ??= `The server answered ${response.status} ${response.statusText}`.trim();
  const wait = response.headers.get("Retry-After");
  if (wait && (response.status === 429 || response.status === 503)) {
    message += ` Try again in ${wait} s.`;
  }
  throw new ServerError(message, response.status);
}

/** Names of the models, in the order of the server. */
export async function listModels(key) {
  const body = await (await request("v1/models", { key })).json();
  return (body.data ?? []).map((model) => model.id);
}

/** Tokens of context that a loaded model has, or null where the server does not say. */
export async function contextSize(model, key) {
  try {
    const { models = [] } = await (await request("api/ps", { key })).json();
    const found = models.find((entry) => sameName(entry.name, model)) ??
      (models.length === 1 ? models[0] : null);
    return found?.context_length || null;
  } catch {
    return null;
  }
}

const sameName = (one, other) =>
  one?.replace(/:latest$/, "").toLowerCase() === other?.replace(/:latest$/, "").toLowerCase();

/** Lines of `data:` of an event stream, as they are complete. */
export async function* eventData(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      const events = rest.split(/\r?\n\r?\n/);
      rest = events.pop();
      for (const event of events) {
        const data = event.split(/\r?\n/).filter((line) => line.startsWith("data:"));
        if (data.length) yield data.map((line) => line.slice(5).trimStart()).join("\n");
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * Chunks of one streamed chat answer. Throws ServerError for a refusal, for an error event in the
 * stream and for a stream that ends early, AbortError when `signal` was used.
 */
export async function* streamChat(body, { key, signal }) {
  const response = await request("v1/chat/completions", { key, signal, body });
  let finished = false;
  try {
    for await (const data of eventData(response.body)) {
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      const message = errorText(chunk);
      if (message !== null) throw new ServerError(message, chunk.error.code ?? 500);
      finished ||= Boolean(chunk.choices?.[0]?.finish_reason);
      yield chunk;
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof ServerError) throw error;
    throw new ServerError("The connection was lost in the middle of the answer.");
  }
  if (!finished) throw new ServerError("The connection was lost in the middle of the answer.");
}
