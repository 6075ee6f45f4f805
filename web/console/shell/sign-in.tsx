import { type FormEvent, useEffect, useState } from "react";

import { signIn } from "../session";
import { Button } from "../ui/button";
import { TextField } from "../ui/field";
import { Mark } from "./mark";
import style from "./sign-in.module.css";

const REFUSED = "The server does not know this token: it is mistyped, revoked or past its time.";

export function SignIn({ refused }: { refused: boolean }) {
  const [secret, setSecret] = useState("");
  const [missing, setMissing] = useState(false);
  const [told, setTold] = useState(refused);
  useEffect(() => {
    document.title = "Sign in · Memberbase";
  }, []);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const token = secret.trim();
    // What no header can carry is no token.
    if (/^[\x21-\x7e]+$/.test(token)) signIn(token);
    else {
      setMissing(!token);
      setTold(Boolean(token));
    }
  };

  return (
    <main className={style.sign}>
      <form className={style.card} onSubmit={submit} noValidate>
        <Mark />
        <div className={style.words}>
          <h1>Sign in</h1>
          <p>With an API token. It stays in this browser tab, and is gone when the tab is closed.</p>
        </div>
        <TextField
          label="API token"
          value={secret}
          onChange={(value) => {
            setSecret(value);
            setMissing(false);
            setTold(false);
          }}
          error={missing ? "Paste a token first." : told ? REFUSED : undefined}
          mono
          autoFocus
        />
        <Button type="submit" variant="primary">
          Sign in
        </Button>
        <details className={style.how}>
          <summary>Where do I get a token?</summary>
          <p>
            From whoever runs the server. The server prints one at its first start, and this makes another; put{" "}
            <code>read</code> or <code>write</code> in place of <code>admin</code> for less access:
          </p>
          <pre tabIndex={0}>memberbase token create --access admin --description "Console"</pre>
        </details>
      </form>
    </main>
  );
}
