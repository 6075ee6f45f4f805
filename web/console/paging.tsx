// Cursor pagination of lists, with the cursor in the address.

import { href, navigate, useRoute } from "./router";
import { Pager } from "./ui/table";

const PAGE_SIZE = 25;

/** Returns the page in the address as connection arguments. A `reversed` list is shown from its end. */
export function usePaging(reversed = false) {
  const { search } = useRoute();
  const [after, before] = [search.get("after"), search.get("before")];
  const forward = reversed ? after !== null : before === null;
  return forward ? { first: PAGE_SIZE, after } : { last: PAGE_SIZE, before };
}

interface Properties {
  /** The path of the list. */
  path: string[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor?: string | null; endCursor?: string | null };
  reversed?: boolean;
  shown: number;
  one: string;
}

/** Renders buttons to the other pages, or nothing if there is only one page. */
export function ListPager({ path, pageInfo, reversed = false, shown, one }: Properties) {
  const { hasNextPage, hasPreviousPage, startCursor, endCursor } = pageInfo;
  if (!hasNextPage && !hasPreviousPage) return null;
  const go = (parameters: Record<string, string>) => () => navigate(href(path, parameters));
  const before = hasPreviousPage && startCursor ? go({ before: startCursor }) : undefined;
  const after = hasNextPage && endCursor ? go({ after: endCursor }) : undefined;
  const [previous, next] = reversed ? [after, before] : [before, after];
  return <Pager shown={shown} one={one} onFirst={previous && go({})} onPrevious={previous} onNext={next} />;
}
