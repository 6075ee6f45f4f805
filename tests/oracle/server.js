// The server under test, over HTTP.
import http from "node:http";

export class Server {
  #url;
  #agent;

  constructor(url, concurrency) {
    this.#url = new URL("/graphql", url);
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });
  }

  /** Sends a request whose variables are JSON text, because JavaScript cannot hold every number that JSON can write. */
  async send({ document, variables = "{}", operationName = null }, token) {
    const name = JSON.stringify(operationName);
    const body = `{"query":${JSON.stringify(document)},"variables":${variables},"operationName":${name}}`;
    return parseOnce(await this.#post(body, token));
  }

  /** Sends a request that has to succeed, and returns its data. */
  async request(document, variables, token) {
    const response = await this.send({ document, variables: JSON.stringify(variables ?? {}) }, token);
    if (response.errors) {
      throw new Error(`${document} ${JSON.stringify(variables)}: ${JSON.stringify(response.errors)}`);
    }
    return response.data;
  }

  close() {
    this.#agent.destroy();
  }

  #post(body, token) {
    const headers = {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(body),
      Accept: "application/json",
      Authorization: `Bearer ${token}`,
    };
    return new Promise((resolve, reject) => {
      const request = http.request(this.#url, { method: "POST", agent: this.#agent, headers }, (response) => {
        response.setEncoding("utf8");
        let text = "";
        response.on("data", (chunk) => (text += chunk));
        response.on("end", () => resolve(text));
        response.on("error", reject);
      });
      request.setTimeout(30_000, () => request.destroy(new Error("the server did not respond within 30 s")));
      request.on("error", reject);
      request.end(body);
    });
  }
}

/** Parses JSON, and fails on an object with one key twice, of which JavaScript would only see the second. */
function parseOnce(text) {
  const value = JSON.parse(text);
  // Attributes have spaces between their values.
  const compact = text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");
  if (JSON.stringify(value).length < compact.length && !/\\u|\d[eE]|\.0\b/.test(text)) {
    throw new Error("a key of the response occurs twice");
  }
  return value;
}
