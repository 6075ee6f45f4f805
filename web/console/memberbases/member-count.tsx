import { useQuery } from "@tanstack/react-query";

import { queryFor } from "../api/queries";
import { formatNumber } from "../format";
import { graphql } from "../gql";
import { Pending } from "../ui/states";

export const CountMembers = graphql(`
  query CountMembers($memberbaseId: ID!) {
    members(memberbaseId: $memberbaseId, first: 0) {
      totalCount
    }
  }
`);

/** A separate query, because counting the members of a large memberbase is slower than loading the list. */
export function MemberCount({ memberbaseId }: { memberbaseId: string }) {
  const { data, error } = useQuery(queryFor(memberbaseId, CountMembers, { memberbaseId }));
  if (error) return <span title={error.message}>Count failed</span>;
  return data?.members ? formatNumber(data.members.totalCount) : <Pending label="Counting members" />;
}
