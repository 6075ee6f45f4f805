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
import { columnsOf, type Plan } from "./plan";
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
  const [isChecked, setChecked] = useState(false);
  const { data, error, refetch } = useQuery(queryFor(memberbase.id, AttributeSchema, { id: memberbase.id }));
  const schema = data?.memberbase?.attributeSchema;
  // What was read before still holds.
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
  const order = (plan: Plan) => ({
    file: plan.file,
    kind: plan.sample.kind,
    columns: columnsOf(plan, schema),
    memberbaseId: memberbase.id,
    mode: plan.mode,
    replaces: plan.replaces,
  });
  const step = plan === null ? "file" : isChecked ? "check" : "columns";
  return (
    <>
      <Steps current={step} />
      {plan === null ? (
        <FileStep schema={schema} onPlan={setPlan} />
      ) : !isChecked ? (
        <ColumnsStep
          memberbaseId={memberbase.id}
          schema={schema}
          plan={plan}
          onChange={setPlan}
          onBack={() => setPlan(null)}
          onReady={(plan) => {
            setPlan(plan);
            setChecked(true);
          }}
        />
      ) : (
        <CheckStep
          plan={plan}
          order={order(plan)}
          onBack={() => setChecked(false)}
          onImport={() => begin(memberbase, plan.file.name, { ...order(plan), dryRun: false, maxRows: Infinity })}
        />
      )}
    </>
  );
}
