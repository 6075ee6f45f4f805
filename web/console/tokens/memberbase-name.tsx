import { useQuery } from "@tanstack/react-query";

import { asking } from "../api/queries";
import { href } from "../router";
import { FindMemberbase } from "../shell/content";
import { Pending } from "../ui/states";

/** The name of a memberbase, which leads there. */
export function MemberbaseName({ id }: { id: string }) {
  const { data, error } = useQuery(asking(id, FindMemberbase, { id }));
  if (!data && !error) return <Pending label="loading the name" />;
  return <a href={href(["memberbases", id, "members"])}>{data?.memberbase?.name ?? id}</a>;
}
