// The members of a memberbase, a page at a time: what `usePaginationFragment` does for a component, without React.
import { fetchQuery, getFragment, getSingularSelector, graphql } from "relay-runtime";
import type {
  MemberList_memberbase$data,
  MemberList_memberbase$key,
} from "./__generated__/MemberList_memberbase.graphql";
import PageQuery, { type MemberListPageQuery } from "./__generated__/MemberListPageQuery.graphql";
import { environment } from "./environment";

const MemberListFragment = graphql`
  fragment MemberList_memberbase on Memberbase
  @refetchable(queryName: "MemberListPageQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" }) {
    id
    members(first: $count, after: $cursor, orderBy: { field: REF }) @connection(key: "MemberList_members") {
      edges {
        node {
          id
          ref
          createdAt
          attributes
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`;

/** What the store holds of the list by now: all pages that were loaded, joined. */
export function readMemberList(key: MemberList_memberbase$key): MemberList_memberbase$data {
  const selector = getSingularSelector(getFragment(MemberListFragment), key);
  return environment.lookup(selector!).data as MemberList_memberbase$data;
}

/** Loads the next page by the query that the compiler made from the fragment. Answers whether there was one. */
export async function loadNext(key: MemberList_memberbase$key): Promise<boolean> {
  const { id, members } = readMemberList(key);
  if (!members.pageInfo.hasNextPage) return false;
  const cursor = members.pageInfo.endCursor;
  await fetchQuery<MemberListPageQuery>(environment, PageQuery, { id, cursor }).toPromise();
  return true;
}
