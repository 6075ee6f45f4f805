import { useQuery } from "@tanstack/react-query";

import { queryFor } from "../api/queries";
import { href } from "../router";
import { FindMemberbase } from "../shell/content";
import { Pending } from "../ui/states";

/** The name of a memberbase, as a link to it. */
export function MemberbaseName({ id }: { id: string }) {
  const { data, error } = useQuery(queryFor(id, FindMemberbase, { id }));
  if (!data && !error) return <Pending label="Loading the name" />;
  return <a href={href(["memberbases", id, "members"])}>{data?.memberbase?.name ?? id}</a>;
}
