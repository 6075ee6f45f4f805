import { QueryClientProvider, useQuery } from "@tanstack/react-query";
import { Suspense, useEffect } from "react";

import { asking, queries, SERVER } from "../api/queries";
import { notFound } from "../api/error";
import { useSession } from "../session";
import { CurrentToken, TokenContext } from "../token";
import { Failure, Loading } from "../ui/states";
import { Toasts } from "../ui/toast";
import { Boundary } from "./boundary";
import { Frame } from "./frame";
import { Content } from "./content";
import { SignIn } from "./sign-in";
import style from "./console.module.css";

export function Console() {
  return (
    <Boundary>
      <QueryClientProvider client={queries}>
        <Gate />
        <Toasts />
      </QueryClientProvider>
    </Boundary>
  );
}

/** The way in, by a token that the server knows. */
function Gate() {
  const { token, refused } = useSession();
  // Nothing that one token was shown is shown to the next.
  useEffect(() => () => queries.clear(), [token]);
  return token ? <SignedIn key={token} /> : <SignIn refused={refused} />;
}

function SignedIn() {
  const { data, error, refetch } = useQuery({ ...asking(SERVER, CurrentToken, {}), staleTime: Infinity });
  if (error) {
    return (
      <main className={style.alone}>
        <Failure title="The console can't start" error={error} onRetry={() => void refetch()} />
      </main>
    );
  }
  if (!data) {
    return (
      <main className={style.alone}>
        <Loading />
      </main>
    );
  }
  if (!data.currentApiToken) return <Failure error={notFound("the token")} />;
  return (
    <TokenContext value={data.currentApiToken}>
      <Frame>
        <Suspense fallback={<Loading lines={8} />}>
          <Content />
        </Suspense>
      </Frame>
    </TokenContext>
  );
}
