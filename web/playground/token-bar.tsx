import { type RefObject, useEffect, useState } from "react";

import type { TokenStatus } from "./request";

interface Properties {
  token: string;
  status: TokenStatus;
  onToken: (token: string) => void;
  field: RefObject<HTMLInputElement | null>;
}

/** Time after the last keystroke at which the token is used without Enter. */
const DEBOUNCE_MS = 600;

/** The token field, with a message if the token is missing or rejected. */
export function TokenBar({ token, status, onToken, field }: Properties) {
  const [draft, setDraft] = useState(token);
  const typed = draft.trim();

  useEffect(() => {
    if (typed === token) return;
    const timer = setTimeout(onToken, DEBOUNCE_MS, typed);
    return () => clearTimeout(timer);
  }, [typed, token, onToken]);

  return (
    <header>
      <h1>Memberbase</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onToken(typed);
        }}
      >
        <label htmlFor="token">API token</label>
        {/* Not a password field: browsers offer to save passwords. */}
        <input
          id="token"
          ref={field}
          className="secret"
          type="text"
          autoComplete="off"
          autoCapitalize="off"
          autoCorrect="off"
          spellCheck={false}
          placeholder="Paste a token"
          aria-describedby="token-status"
          aria-invalid={status === "rejected"}
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
        />
      </form>
      <p id="token-status" role="status" className={token ? status : "missing"}>
        {message(token, status)}
      </p>
    </header>
  );
}

function message(token: string, status: TokenStatus) {
  if (!token) {
    return (
      <>
        Paste an API token to start. The server prints one when it first starts;{" "}
        <code>memberbase token create --access admin --description playground</code> creates another. The token is kept in
        this browser tab only, until you close it.
      </>
    );
  }
  return status === "rejected" ? "The server does not recognise this token: it is mistyped, revoked or expired." : null;
}
