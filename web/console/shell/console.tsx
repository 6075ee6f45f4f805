import { QueryClientProvider, useQuery } from "@tanstack/react-query";
import { Suspense, useEffect } from "react";

import { queryFor, queries, SERVER_SCOPE } from "../api/queries";
import { notFound } from "../api/error";
import { useSession } from "../session";
import { CurrentToken, TokenContext } from "../token";
import { Failure, Loading } from "../ui/states";
import { Toasts } from "../ui/toast";
import { ErrorBoundary } from "./error-boundary";
import { Layout } from "./layout";
import { Content } from "./content";
import { SignIn } from "./sign-in";
import style from "./console.module.css";

export function Console() {
  return (
    <ErrorBoundary>
      <QueryClientProvider client={queries}>
        <SignInGate />
        <Toasts />
      </QueryClientProvider>
    </ErrorBoundary>
  );
}

/** Shows the sign-in form until a token is set. */
function SignInGate() {
  const { token, rejected } = useSession();
  // The cache is cleared with the token, so that the next token sees none of its data.
  useEffect(() => () => queries.clear(), [token]);
  return token ? <SignedIn key={token} /> : <SignIn rejected={rejected} />;
}

function SignedIn() {
  const { data, error, refetch } = useQuery({ ...queryFor(SERVER_SCOPE, CurrentToken, {}), staleTime: Infinity });
  if (error) {
    return (
      <main className={style.centered}>
        <Failure title="Couldn't start the console" error={error} onRetry={() => void refetch()} />
      </main>
    );
  }
  if (!data) {
    return (
      <main className={style.centered}>
        <Loading />
      </main>
    );
  }
  if (!data.currentApiToken) return <Failure error={notFound("the token")} />;
  return (
    <TokenContext value={data.currentApiToken}>
      <Layout>
        <Suspense fallback={<Loading lines={8} />}>
          <Content />
        </Suspense>
      </Layout>
    </TokenContext>
  );
}
