import { useMemo, useState } from "react";

import type { MemberFilter } from "../gql/graphql";

export interface SelectedMember {
  id: string;
  ref: string;
}

export interface Selection {
  /** Whether all members that match the filter are selected, on every page. */
  all: boolean;
  /** The members that were selected one by one, on any page; empty if all are selected. */
  selected: Map<string, SelectedMember>;
  has: (id: string) => boolean;
  select: (members: SelectedMember[], on: boolean) => void;
  selectOnly: (members: SelectedMember[]) => void;
  selectAll: () => void;
  clear: () => void;
}

const NONE = { all: false, selected: new Map<string, SelectedMember>() };

/** Keeps the selection across pages, and clears it when the filter changes. */
export function useSelection(filter: MemberFilter | null): Selection {
  const filterKey = JSON.stringify(filter);
  const [state, setState] = useState({ filterKey, ...NONE });
  const { all, selected } = state.filterKey === filterKey ? state : NONE;
  return useMemo(
    () => ({
      all,
      selected,
      has: (id) => all || selected.has(id),
      select: (members, on) => {
        const next = new Map(selected);
        for (const { id, ref } of members) {
          if (on) next.set(id, { id, ref });
          else next.delete(id);
        }
        setState({ filterKey, all: false, selected: next });
      },
      selectOnly: (members) => {
        const next = new Map(members.map(({ id, ref }) => [id, { id, ref }]));
        setState({ filterKey, all: false, selected: next });
      },
      selectAll: () => setState({ filterKey, all: true, selected: new Map() }),
      clear: () => setState({ filterKey, ...NONE }),
    }),
    [all, selected, filterKey],
  );
}
