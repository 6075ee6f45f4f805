import type { CurrentMemberbase } from "../pages";
import { Page } from "../ui/page";

export default function MembersPage({ memberbase }: { memberbase: CurrentMemberbase }) {
  return (
    <Page title="Members" within={memberbase.name}>
      {null}
    </Page>
  );
}
