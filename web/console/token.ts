import { createContext, useContext } from "react";

import { graphql } from "./gql";
import type { Access, CurrentTokenQuery } from "./gql/graphql";

export const CurrentToken = graphql(`
  query CurrentToken {
    currentApiToken {
      id
      description
      access
      memberbaseId
      expiresAt
    }
  }
`);

export type Token = NonNullable<CurrentTokenQuery["currentApiToken"]>;

export const TokenContext = createContext<Token | null>(null);

/** The token of whoever is signed in. */
export function useToken(): Token {
  const token = useContext(TokenContext);
  if (!token) throw new Error("nobody is signed in");
  return token;
}

const RANK: Record<Access, number> = { READ: 0, WRITE: 1, ADMIN: 2 };

/** Whether the token has this access. What it may not do is not shown. */
export function may(token: Token, access: Access) {
  return RANK[token.access] >= RANK[access];
}
