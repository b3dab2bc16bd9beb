import { type FormEvent, useState } from "react";
import { failureOf } from "../api/failure.ts";
import { signInByToken } from "../api/sign-in.ts";
import { Button } from "../ui/button.tsx";
import { CodeBlock } from "../ui/code-block.tsx";
import { Field } from "../ui/field.tsx";
import { Notice } from "../ui/notice.tsx";
import "./signed-out.css";

/** Says how to get in. */
export function SignedOut({ why }: { readonly why: string }) {
  const [token, setToken] = useState("");
  const [failure, setFailure] = useState<string>();
  const [isBusy, setIsBusy] = useState(false);
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    setIsBusy(true);
    setFailure(undefined);
    signInByToken(token)
      .catch((error: unknown) => setFailure(failureOf(error).message))
      .finally(() => setIsBusy(false));
  };
  return (
    <div className="signed-out">
      <h1>You are not signed in</h1>
      <p>
        On the machine that BoxRun runs on, or with a context for it anywhere else, this opens the dashboard with a link
        that signs your browser in:
      </p>
      <CodeBlock label="command" text="boxrun ui" />
      <form onSubmit={onSubmit} className="signed-out-form">
        <Field label="Or with the server’s token" hint="its BOXRUN_TOKEN; it is not kept here" error={failure}>
          <input
            className="input"
            type="password"
            autoComplete="off"
            value={token}
            onChange={(event) => setToken(event.target.value)}
          />
        </Field>
        <Button type="submit" kind="primary" disabled={token === ""} busy={isBusy}>
          Sign in
        </Button>
      </form>
      <Notice kind="quiet">
        <span className="quiet small">{why}</span>
      </Notice>
    </div>
  );
}
