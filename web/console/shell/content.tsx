import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";

import { queryFor } from "../api/queries";
import { graphql } from "../gql";
import { MemberbaseChanges } from "../live/changes";
import { MEMBERBASE_PAGES, SERVER_PAGES, type MemberbasePage } from "../pages";
import { href, navigate, useRoute } from "../router";
import { hasAccess, useToken } from "../token";
import { ButtonLink } from "../ui/button";
import { Page } from "../ui/page";
import { Empty, Failure, Loading } from "../ui/states";
import { ErrorBoundary } from "./error-boundary";

export const FindMemberbase = graphql(`
  query FindMemberbase($id: ID!) {
    memberbase(id: $id) {
      id
      name
    }
  }
`);

/** Renders the page in the address if the token has access to it. */
export function Content() {
  const { path } = useRoute();
  const token = useToken();
  const [section = "", id, name = "members"] = path;
  const home = token.memberbaseId ? href(["memberbases", token.memberbaseId, "members"]) : href(["memberbases"]);
  const isBound = token.memberbaseId !== null;

  const shouldRedirect = path.length === 0 || (path.length === 1 && section === "memberbases" && isBound);
  useEffect(() => {
    if (shouldRedirect) navigate(home, { replace: true });
  }, [shouldRedirect, home]);
  if (shouldRedirect) return null;

  if (section === "memberbases" && id) {
    return (
      <ErrorBoundary key={`${id}/${name}`}>
        <WithinMemberbase id={id} name={name} home={home} />
      </ErrorBoundary>
    );
  }
  const page = SERVER_PAGES.find((page) => page.path === section);
  if (!page || path.length > 1 || !hasAccess(token, page.requiredAccess) || (isBound && !page.allowsBoundTokens)) {
    return <NoPage home={home} />;
  }
  return (
    <ErrorBoundary key={page.path}>
      <page.component />
    </ErrorBoundary>
  );
}

function WithinMemberbase({ id, name, home }: { id: string; name: string; home: string }) {
  const token = useToken();
  const { data, error, refetch } = useQuery(queryFor(id, FindMemberbase, { id }));
  const page = MEMBERBASE_PAGES.find((page) => page.path === name);
  if (!page) return <NoPage home={home} />;
  if (!hasAccess(token, page.requiredAccess)) return <NoAccess page={page} home={home} />;
  // A failed refetch keeps the page, because the person may have typed into it.
  if (error && !data) return <Failure title="Couldn't load the memberbase" error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading lines={8} />;
  if (!data.memberbase) {
    return (
      <Page title="Not found">
        <Empty
          icon="memberbase"
          title="Memberbase not found"
          actions={<ButtonLink href={home}>Go to the start page</ButtonLink>}
        >
          It was deleted, the address is wrong, or your token is for another memberbase.
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

function NoAccess({ page, home }: { page: MemberbasePage; home: string }) {
  const { access } = useToken();
  return (
    <Page title={page.label}>
      <Empty
        icon="token"
        title={`Your token has ${access} access only`}
        actions={<ButtonLink href={home}>Go to the start page</ButtonLink>}
      >
        This page needs a token with {page.requiredAccess} access. Ask the person who runs the server for one.
      </Empty>
    </Page>
  );
}

function NoPage({ home }: { home: string }) {
  return (
    <Page title="Not found">
      <Empty icon="search" title="Page not found" actions={<ButtonLink href={home}>Go to the start page</ButtonLink>}>
        The address is wrong, or your token has no access to this page.
      </Empty>
    </Page>
  );
}
