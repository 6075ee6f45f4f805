import type { FetcherParams } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { GraphQLError } from "graphql";
import { useCallback, useRef, useState } from "react";

import { addKnownValues, type KnownValues } from "./known-values";
import { NarrowLayout } from "./narrow-layout";
import { request, type TokenStatus } from "./request";
import { SchemaErrorReset } from "./schema-error";
import * as storage from "./storage";
import { TABS } from "./tabs";
import { TokenBar } from "./token-bar";
import { VariableAutofill } from "./variable-autofill";

storage.seedFirstTab(TABS[0]);

const NO_TOKEN = "no API token: paste one into the field at the top of the page";

export function Playground() {
  const [token, setToken] = useState(storage.token.read);
  const [status, setStatus] = useState<TokenStatus>("accepted");
  const [known, setKnown] = useState<KnownValues>(() => storage.autofill.read().known);
  const field = useRef<HTMLInputElement>(null);

  const changeToken = useCallback((next: string) => {
    storage.token.write(next);
    setStatus("accepted");
    setToken(next);
  }, []);

  // A new fetcher makes GraphiQL load the schema again, with the new token.
  const fetcher = useCallback(
    async (parameters: FetcherParams) => {
      if (!token) {
        field.current?.focus();
        return { errors: [new GraphQLError(NO_TOKEN)] };
      }
      const response = await request(token, parameters, setStatus);
      if (parameters.operationName !== "IntrospectionQuery") {
        const known = addKnownValues(storage.autofill.read().known, parameters.query, response.data);
        storage.autofill.write({ known });
        setKnown(known);
      }
      return response;
    },
    [token],
  );

  return (
    <>
      <TokenBar token={token} status={status} onToken={changeToken} field={field} />
      <main>
        <GraphiQL
          fetcher={fetcher}
          // null keeps GraphiQL from loading the schema without a token.
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
          <VariableAutofill known={known} />
          <NarrowLayout />
          <SchemaErrorReset />
        </GraphiQL>
      </main>
    </>
  );
}
