import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { refresh } from "../api/queries";
import { counted, formatNumber } from "../format";
import type { MemberFilter } from "../gql/graphql";
import { Gone } from "../memberbases/gone";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { Failure } from "../ui/states";
import { toast } from "../ui/toast";
import style from "./delete-dialog.module.css";
import { collect, preview, remove } from "./delete";
import type { Chosen } from "./selection";

/** Whom to delete: these, or all that match. */
export type Target = { members: Chosen[] } | { filter: MemberFilter | null };

/** Of more members than this the number is to be typed. */
const MANY = 200;
const NAMED = 5;

interface Properties {
  memberbaseId: string;
  target: Target;
  onClose: () => void;
  /** Called with a test of whether a member was among them. */
  onDone: (deleted: (memberId: string) => boolean) => void;
}

/** First tells what would go, then deletes those very members, and no more of them than it told. */
export function DeleteDialog({ memberbaseId, target, onClose, onDone }: Properties) {
  const [typed, setTyped] = useState("");
  const [step, setStep] = useState("");
  const plan = useQuery({
    queryKey: ["delete members", memberbaseId, target],
    queryFn: async ({ signal }) => {
      const members =
        "members" in target
          ? target.members
          : await collect(memberbaseId, target.filter, signal, (found) => setStep(`Found ${counted(found, "member")}`));
      setStep(`Counting what belongs to ${counted(members.length, "member")}`);
      const ids = members.map(({ id }) => id);
      return { ids, named: members.slice(0, NAMED), ...(await preview(memberbaseId, ids, signal)) };
    },
    gcTime: 0,
    staleTime: Infinity,
    retry: false,
  });
  const deletion = useMutation({
    mutationFn: () => remove(memberbaseId, plan.data!.batches, (gone) => setStep(`Deleted ${counted(gone, "member")}`)),
    onSuccess: (gone) => {
      const ids = new Set(plan.data!.ids);
      toast(`Deleted ${counted(gone, "member")}`);
      void refresh(memberbaseId);
      onDone((id) => ids.has(id));
      onClose();
    },
    // Batches before the one that failed are gone.
    onError: () => void refresh(memberbaseId),
  });
  const gone = plan.data?.deleted;
  const many = gone !== undefined && gone.members > MANY;
  const sure = !many || typed.replace(/\D/g, "") === String(gone.members);
  const ready = gone !== undefined && gone.members > 0 && sure && !plan.isFetching;
  const again = () => {
    deletion.reset();
    setTyped("");
    void plan.refetch();
  };
  return (
    <Dialog
      isOpen
      alert
      onClose={() => !deletion.isPending && onClose()}
      title={gone ? `Delete ${counted(gone.members, "member")}?` : "Delete members?"}
      footer={
        <>
          <Button onPress={onClose} isDisabled={deletion.isPending} autoFocus>
            Cancel
          </Button>
          <Button type="submit" form="delete" variant="danger" isDisabled={!ready} isPending={deletion.isPending}>
            {gone ? `Delete ${counted(gone.members, "member")}` : "Delete"}
          </Button>
        </>
      }
    >
      {plan.error ? (
        <Failure title="What would go could not be read" error={plan.error} onRetry={again} />
      ) : plan.isFetching || !plan.data || !gone ? (
        <p role="status" className={style.step}>
          {step || "Looking at what would go"}…
        </p>
      ) : (
        <>
          <p>
            They go for good, with all that belongs to them. Their refs are free at once; an upsert of one makes a new
            member.
          </p>
          <ul className={style.refs} aria-label="Members">
            {plan.data.named.map(({ id, ref }) => (
              <li key={id}>{ref}</li>
            ))}
            {gone.members > NAMED && <li className={style.more}>and {formatNumber(gone.members - NAMED)} more</li>}
          </ul>
          <Gone rows={gone} />
          {gone.members === 0 && <p>None of them is there any more.</p>}
          <form
            id="delete"
            onSubmit={(event) => {
              event.preventDefault();
              if (ready && !deletion.isPending) deletion.mutate();
            }}
          >
            {many && (
              <TextField
                label={`Type ${gone.members} to delete that many members`}
                value={typed}
                onChange={setTyped}
                isDisabled={deletion.isPending}
              />
            )}
          </form>
          {deletion.isPending && (
            <p role="status" className={style.step}>
              {step}…
            </p>
          )}
        </>
      )}
      {deletion.error && (
        <Failure title="Not all of them were deleted" error={deletion.error} onRetry={again} />
      )}
    </Dialog>
  );
}
