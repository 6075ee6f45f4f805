// Asks the server and graphql-js about one request, and compares what they say.
import { ALLOWED } from "./allowed.js";
import { compareResults, compareVerdicts } from "./compare.js";

// Mutations that have no dry run, and would change the data that is compared; a dry run that names a sync marks members.
const LASTING =
  /\b(create|update|set|start|commit|abandon|revoke|syncId|deleteClips|deleteStampCollections|deleteTransactions)/;

export class Oracle {
  #reference;
  #server;
  #data;

  constructor(reference, server, data) {
    this.#reference = reference;
    this.#server = server;
    this.#data = data;
  }

  /**
   * Returns `{ kind, verdict, response, expected, allowed }`: `kind` names a disagreement, `allowed` the rule that
   * excuses one.
   */
  async ask(request, token = this.#token(request)) {
    try {
      return await this.#compare(request, token);
    } catch (error) {
      const verdict = { kind: "failed", errors: [error] };
      return { verdict, response: {}, kind: `the comparison fails: ${error.message}` };
    }
  }

  async #compare(request, token) {
    const verdict = this.#reference.judge(request);
    let response;
    try {
      response = await this.#server.send(request, token);
    } catch (error) {
      const message = error instanceof SyntaxError ? "its body is not JSON" : error.message;
      return { verdict, response: { errors: [{ message }] }, kind: `no response: ${message}` };
    }
    const report = { request, verdict, response };
    const rule = ALLOWED.find(({ allows }) => allows(report));
    if (rule) return { ...report, kind: null, allowed: rule.name };
    report.kind = compareVerdicts(request, verdict, response);
    if (report.kind || verdict.kind !== "executed") return report;
    report.expected = await this.#reference.run(verdict, request, token);
    const rejected = report.expected.errors?.find(({ extensions }) => extensions?.rejected);
    if (rejected) return { ...report, kind: `variables of a simple document are rejected: ${rejected.message}` };
    const limited = report.expected.errors?.some(({ extensions }) => extensions?.code === "LIMIT_EXCEEDED");
    if (limited) return { ...report, kind: null, allowed: "limit" };
    report.kind = compareResults(request, verdict, report.expected, response);
    return report;
  }

  /** A READ token for mutations that are not known to be a dry run: they are checked, and then fail with FORBIDDEN. */
  #token({ document, variables, intact }) {
    const isSafe = !document.includes("mutation") || (intact && !LASTING.test(document + variables));
    return isSafe ? this.#data.admin : this.#data.reader;
  }
}
