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

/** Returns the token that is signed in. */
export function useToken(): Token {
  const token = useContext(TokenContext);
  if (!token) throw new Error("no token is signed in");
  return token;
}

const RANK: Record<Access, number> = { READ: 0, WRITE: 1, ADMIN: 2 };

/** Returns whether the token has at least this access. The console hides actions that it does not allow. */
export function hasAccess(token: Token, access: Access) {
  return RANK[token.access] >= RANK[access];
}
