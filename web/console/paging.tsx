// Lists of which the address names one page, by a cursor.

import { href, navigate, useRoute } from "./router";
import { Pager } from "./ui/table";

const PAGE_SIZE = 25;

/** The page that the address names, as variables of a connection. A list that is `reversed` is shown from its end. */
export function usePaging(reversed = false) {
  const { search } = useRoute();
  const [after, before] = [search.get("after"), search.get("before")];
  const forward = reversed ? after !== null : before === null;
  return forward ? { first: PAGE_SIZE, after } : { last: PAGE_SIZE, before };
}

interface Properties {
  /** The address of the list. */
  at: string[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor?: string | null; endCursor?: string | null };
  reversed?: boolean;
  shown: number;
  one: string;
}

/** The ways to the other pages, where there are any. */
export function ListPager({ at, pageInfo, reversed = false, shown, one }: Properties) {
  const { hasNextPage, hasPreviousPage, startCursor, endCursor } = pageInfo;
  if (!hasNextPage && !hasPreviousPage) return null;
  const go = (parameters: Record<string, string>) => () => navigate(href(at, parameters));
  const before = hasPreviousPage && startCursor ? go({ before: startCursor }) : undefined;
  const after = hasNextPage && endCursor ? go({ after: endCursor }) : undefined;
  const [previous, next] = reversed ? [after, before] : [before, after];
  return <Pager shown={shown} one={one} onFirst={previous && go({})} onPrevious={previous} onNext={next} />;
}
