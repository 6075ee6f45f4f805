import { type RefObject, useEffect, useState } from "react";

import type { Verdict } from "./ask";

interface Properties {
  token: string;
  verdict: Verdict;
  onToken: (token: string) => void;
  field: RefObject<HTMLInputElement | null>;
}

/** Whoever types and does not press Enter is done after this time. */
const PAUSE = 600;

/** The field for the token, and a word on it where one is wanted. */
export function TokenBar({ token, verdict, onToken, field }: Properties) {
  const [draft, setDraft] = useState(token);
  const typed = draft.trim();

  useEffect(() => {
    if (typed === token) return;
    const timer = setTimeout(onToken, PAUSE, typed);
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
        {/* No password field: browsers offer to keep those. */}
        <input
          id="token"
          ref={field}
          className="secret"
          type="text"
          autoComplete="off"
          autoCapitalize="off"
          autoCorrect="off"
          spellCheck={false}
          placeholder="paste it here"
          aria-describedby="word"
          aria-invalid={verdict === "refused"}
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
        />
      </form>
      <p id="word" role="status" className={token ? verdict : "wanted"}>
        {word(token, verdict)}
      </p>
    </header>
  );
}

function word(token: string, verdict: Verdict) {
  if (!token) {
    return (
      <>
        Paste an API token to begin: the server prints one at its first start, and{" "}
        <code>memberbase token create --access admin --description playground</code> makes another. It stays in this
        browser tab and goes when the tab is closed.
      </>
    );
  }
  return verdict === "refused" ? "The server does not know this token: it is mistyped, revoked or past its time." : null;
}
