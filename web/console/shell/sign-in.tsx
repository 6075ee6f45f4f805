import { type FormEvent, useEffect, useState } from "react";

import { signIn } from "../session";
import { Button } from "../ui/button";
import { TextField } from "../ui/field";
import { Logo } from "./logo";
import style from "./sign-in.module.css";

const REJECTED = "The server does not recognise this token: it is mistyped, revoked or expired.";

export function SignIn({ rejected }: { rejected: boolean }) {
  const [secret, setSecret] = useState("");
  const [isMissing, setMissing] = useState(false);
  const [isInvalid, setInvalid] = useState(rejected);
  useEffect(() => {
    document.title = "Sign in · Memberbase";
  }, []);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const token = secret.trim();
    // Other characters cannot be sent in a header, so they are not part of a token.
    if (/^[\x21-\x7e]+$/.test(token)) signIn(token);
    else {
      setMissing(!token);
      setInvalid(Boolean(token));
    }
  };

  return (
    <main className={style.sign}>
      <form className={style.card} onSubmit={submit} noValidate>
        <Logo />
        <div className={style.text}>
          <h1>Sign in</h1>
          <p>Use an API token. It is kept in this browser tab only, until you sign out or close the tab.</p>
        </div>
        <TextField
          label="API token"
          value={secret}
          onChange={(value) => {
            setSecret(value);
            setMissing(false);
            setInvalid(false);
          }}
          error={isMissing ? "Enter an API token." : isInvalid ? REJECTED : undefined}
          mono
          autoFocus
        />
        <Button type="submit" variant="primary">
          Sign in
        </Button>
        <details className={style.help}>
          <summary>Where do I get a token?</summary>
          <p>
            Ask the person who runs the server. The server prints a token when it first starts. This command creates another;
            replace <code>admin</code> with <code>read</code> or <code>write</code> for less access:
          </p>
          <pre tabIndex={0}>memberbase token create --access admin --description "Console"</pre>
        </details>
      </form>
    </main>
  );
}
