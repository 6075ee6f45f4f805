import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { queryFor } from "../api/queries";
import { AttributeSchema } from "../members/documents";
import type { CurrentMemberbase } from "../pages";
import { href } from "../router";
import { ButtonLink } from "../ui/button";
import { Card, Page } from "../ui/page";
import { Empty, Failure, Loading } from "../ui/states";
import { CheckStep } from "./check-step";
import { ColumnsStep } from "./columns-step";
import { begin, forget, useCurrent } from "./current";
import { FileStep } from "./file-step";
import type { Inspection } from "./parameters";
import { importParameters, type Plan } from "./plan";
import { RunStep } from "./run-step";
import { Steps } from "./steps";

export default function ImportPage({ memberbase }: { memberbase: CurrentMemberbase }) {
  const current = useCurrent();
  const isElsewhere = current !== null && current.memberbase.id !== memberbase.id;
  return (
    <Page
      title="Import"
      within={memberbase.name}
      description="Import members from a file. You can import the same file again: members that have not changed stay as they are."
    >
      {current === null || (isElsewhere && current.work.state.phase === "ended") ? (
        <Prepare memberbase={memberbase} />
      ) : !isElsewhere ? (
        <>
          <Steps current="import" />
          <RunStep {...current} onAgain={forget} />
        </>
      ) : (
        <Card>
          <Empty
            icon="import"
            title={`An import into ${current.memberbase.name} is in progress`}
            actions={
              <ButtonLink href={href(["memberbases", current.memberbase.id, "import"])} variant="primary">
                View import
              </ButtonLink>
            }
          >
            One import per tab at a time.
          </Empty>
        </Card>
      )}
    </Page>
  );
}

function Prepare({ memberbase }: { memberbase: CurrentMemberbase }) {
  const [plan, setPlan] = useState<Plan | null>(null);
  /** That of the plan, once it is to be checked. */
  const [checked, setChecked] = useState<Inspection | null>(null);
  const { data, error, refetch } = useQuery(queryFor(memberbase.id, AttributeSchema, { id: memberbase.id }));
  const schema = data?.memberbase?.attributeSchema;
  // A failed refetch keeps the page.
  if (error && !schema) {
    return <Failure title="Couldn't load the attributes" error={error} onRetry={() => void refetch()} />;
  }
  if (!schema) {
    return (
      <Card>
        <Loading />
      </Card>
    );
  }
  const start = (plan: Plan, inspection: Inspection, maxDeletedPercent: number) =>
    begin(memberbase, {
      file: plan.file,
      memberbaseId: memberbase.id,
      parameters: importParameters(plan, inspection, maxDeletedPercent),
      dryRun: false,
    });
  return (
    <>
      <Steps current={plan === null ? "file" : checked === null ? "columns" : "check"} />
      {plan === null ? (
        <FileStep memberbaseId={memberbase.id} onPlan={setPlan} />
      ) : checked === null ? (
        <ColumnsStep
          memberbaseId={memberbase.id}
          schema={schema}
          plan={plan}
          onChange={setPlan}
          onBack={() => setPlan(null)}
          onReady={setChecked}
        />
      ) : (
        <CheckStep
          memberbaseId={memberbase.id}
          plan={plan}
          inspection={checked}
          onBack={() => setChecked(null)}
          onImport={(maxDeletedPercent) => start(plan, checked, maxDeletedPercent)}
        />
      )}
    </>
  );
}
