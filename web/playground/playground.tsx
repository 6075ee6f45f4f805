import type { FetcherParams } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { GraphQLError } from "graphql";
import { useCallback, useRef, useState } from "react";

import { type Verdict, ask } from "./ask";
import { AtHand } from "./at-hand";
import { type Known, learn } from "./ids";
import { Narrow } from "./narrow";
import { SchemaError } from "./schema-error";
import * as storage from "./storage";
import { TABS } from "./tabs";
import { TokenBar } from "./token-bar";

storage.begin(TABS[0]);

const MISSING = "no token yet: paste one into the field at the top of the page";

export function Playground() {
  const [token, setToken] = useState(storage.token.read);
  const [verdict, setVerdict] = useState<Verdict>("welcome");
  const [known, setKnown] = useState<Known>(() => storage.atHand.read().known);
  const field = useRef<HTMLInputElement>(null);

  const accept = useCallback((next: string) => {
    storage.token.write(next);
    setVerdict("welcome");
    setToken(next);
  }, []);

  // Another token is another fetcher, with which GraphiQL asks for the schema anew.
  const fetcher = useCallback(
    async (parameters: FetcherParams) => {
      if (!token) {
        field.current?.focus();
        return { errors: [new GraphQLError(MISSING)] };
      }
      const answer = await ask(token, parameters, setVerdict);
      if (parameters.operationName !== "IntrospectionQuery") {
        const known = learn(storage.atHand.read().known, parameters.query, answer.data);
        storage.atHand.write({ known });
        setKnown(known);
      }
      return answer;
    },
    [token],
  );

  return (
    <>
      <TokenBar token={token} verdict={verdict} onToken={accept} field={field} />
      <main>
        <GraphiQL
          fetcher={fetcher}
          // Without a token there is nothing to ask for: null keeps GraphiQL from trying.
          {...(token ? {} : { schema: null })}
          schemaDescription
          inputValueDeprecation
          storage={storage.storage}
          shouldPersistHeaders={false}
          isHeadersEditorEnabled={false}
          defaultEditorToolsVisibility="variables"
          defaultTabs={TABS}
        >
          <GraphiQL.Logo>
            <span className="logo">GraphiQL</span>
          </GraphiQL.Logo>
          <AtHand known={known} />
          <Narrow />
          <SchemaError />
        </GraphiQL>
      </main>
    </>
  );
}
