import { useMemo, useState } from "react";

import type { MemberFilter } from "../gql/graphql";

export interface Chosen {
  id: string;
  ref: string;
}

export interface Selection {
  /** All that match the filter, on whatever page. */
  all: boolean;
  /** Those that were chosen one by one, on whatever page; empty where all are. */
  chosen: Map<string, Chosen>;
  has: (id: string) => boolean;
  choose: (members: Chosen[], on: boolean) => void;
  only: (members: Chosen[]) => void;
  chooseAll: () => void;
  clear: () => void;
}

const NONE = { all: false, chosen: new Map<string, Chosen>() };

/** Stays while the reader turns pages. Another filter is another list, of which nothing is selected. */
export function useSelection(filter: MemberFilter | null): Selection {
  const of = JSON.stringify(filter);
  const [state, setState] = useState({ of, ...NONE });
  const { all, chosen } = state.of === of ? state : NONE;
  return useMemo(
    () => ({
      all,
      chosen,
      has: (id) => all || chosen.has(id),
      choose: (members, on) => {
        const next = new Map(chosen);
        for (const { id, ref } of members) {
          if (on) next.set(id, { id, ref });
          else next.delete(id);
        }
        setState({ of, all: false, chosen: next });
      },
      only: (members) => setState({ of, all: false, chosen: new Map(members.map(({ id, ref }) => [id, { id, ref }])) }),
      chooseAll: () => setState({ of, all: true, chosen: new Map() }),
      clear: () => setState({ of, ...NONE }),
    }),
    [all, chosen, of],
  );
}
