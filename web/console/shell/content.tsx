import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";

import { asking } from "../api/queries";
import { graphql } from "../gql";
import { MemberbaseChanges } from "../live/changes";
import { MEMBERBASE_PAGES, SERVER_PAGES } from "../pages";
import { href, navigate, useRoute } from "../router";
import { may, useToken } from "../token";
import { ButtonLink } from "../ui/button";
import { Page } from "../ui/page";
import { Empty, Failure, Loading } from "../ui/states";
import { Boundary } from "./boundary";

export const FindMemberbase = graphql(`
  query FindMemberbase($id: ID!) {
    memberbase(id: $id) {
      id
      name
    }
  }
`);

/** The page that the address names, if the token may see it. */
export function Content() {
  const { path } = useRoute();
  const token = useToken();
  const [section = "", id, name = "members"] = path;
  const home = token.memberbaseId ? href(["memberbases", token.memberbaseId, "members"]) : href(["memberbases"]);

  const astray = path.length === 0 || (path.length === 1 && section === "memberbases" && token.memberbaseId !== null);
  useEffect(() => {
    if (astray) navigate(home, { replace: true });
  }, [astray, home]);
  if (astray) return null;

  if (section === "memberbases" && id) {
    return (
      <Boundary key={`${id}/${name}`}>
        <WithinMemberbase id={id} name={name} home={home} />
      </Boundary>
    );
  }
  const page = SERVER_PAGES.find((page) => page.path === section);
  if (!page || path.length > 1 || !may(token, page.needs) || (token.memberbaseId !== null && !page.forBound)) {
    return <NoPage home={home} />;
  }
  return (
    <Boundary key={page.path}>
      <page.component />
    </Boundary>
  );
}

function WithinMemberbase({ id, name, home }: { id: string; name: string; home: string }) {
  const token = useToken();
  const { data, error, refetch } = useQuery(asking(id, FindMemberbase, { id }));
  const page = MEMBERBASE_PAGES.find((page) => page.path === name);
  if (!page || !may(token, page.needs)) return <NoPage home={home} />;
  // A question that fails later takes nothing away from what is shown, and typed into it.
  if (error && !data) return <Failure title="The memberbase could not be read" error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading lines={8} />;
  if (!data.memberbase) {
    return (
      <Page title="No such memberbase">
        <Empty icon="memberbase" title="It is not there" actions={<ButtonLink href={home}>Go to the start</ButtonLink>}>
          It was deleted, the address is incomplete, or your token is for another one.
        </Empty>
      </Page>
    );
  }
  return (
    <MemberbaseChanges key={id} memberbaseId={id}>
      <page.component memberbase={data.memberbase} />
    </MemberbaseChanges>
  );
}

function NoPage({ home }: { home: string }) {
  return (
    <Page title="No such page">
      <Empty icon="search" title="Nothing is here" actions={<ButtonLink href={home}>Go to the start</ButtonLink>}>
        The address names no page, or your token does not give access to it.
      </Empty>
    </Page>
  );
}
