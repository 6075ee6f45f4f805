import { useQuery } from "@tanstack/react-query";

import { asking } from "../api/queries";
import { formatNumber } from "../format";
import { graphql } from "../gql";
import { Pending } from "../ui/states";

const CountMembers = graphql(`
  query CountMembers($memberbaseId: ID!) {
    members(memberbaseId: $memberbaseId, first: 0) {
      totalCount
    }
  }
`);

/** A question of its own: counting a large memberbase takes longer than naming it. */
export function MemberCount({ memberbaseId }: { memberbaseId: string }) {
  const { data, error } = useQuery(asking(memberbaseId, CountMembers, { memberbaseId }));
  if (error) return <span title={error.message}>not counted</span>;
  return data?.members ? formatNumber(data.members.totalCount) : <Pending label="counting" />;
}
