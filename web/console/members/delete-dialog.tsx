import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { refresh } from "../api/queries";
import { counted, formatNumber } from "../format";
import type { MemberFilter } from "../gql/graphql";
import { DeletedCounts } from "../memberbases/deleted-counts";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { Failure } from "../ui/states";
import { toast } from "../ui/toast";
import style from "./delete-dialog.module.css";
import { collect, preview, remove } from "./delete-members";
import type { SelectedMember } from "./selection";

/** The members to delete: a list, or all that match a filter. */
export type Target = { members: SelectedMember[] } | { filter: MemberFilter | null };

/** Above this number of members, the person has to type the number to confirm. */
const CONFIRM_NUMBER_ABOVE = 200;
const MAX_LISTED_REFS = 5;

interface Properties {
  memberbaseId: string;
  target: Target;
  onClose: () => void;
  /** Called with a function that returns whether a member was among the deleted ones. */
  onDone: (isDeleted: (memberId: string) => boolean) => void;
}

/** Shows what will be deleted, then deletes exactly these members, and at most the shown number of them. */
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
      setStep(`Checking ${counted(members.length, "member")}`);
      const ids = members.map(({ id }) => id);
      return { ids, listed: members.slice(0, MAX_LISTED_REFS), ...(await preview(memberbaseId, ids, signal)) };
    },
    gcTime: 0,
    staleTime: Infinity,
    retry: false,
  });
  const deletion = useMutation({
    mutationFn: () => remove(memberbaseId, plan.data!.batches, (deleted) => setStep(`Deleted ${counted(deleted, "member")}`)),
    onSuccess: (deleted) => {
      const ids = new Set(plan.data!.ids);
      toast(`Deleted ${counted(deleted, "member")}`);
      void refresh(memberbaseId);
      onDone((id) => ids.has(id));
      onClose();
    },
    // Batches before the failed one are deleted.
    onError: () => void refresh(memberbaseId),
  });
  const counts = plan.data?.deleted;
  const mustTypeNumber = counts !== undefined && counts.members > CONFIRM_NUMBER_ABOVE;
  const isConfirmed = !mustTypeNumber || typed.replace(/\D/g, "") === String(counts.members);
  const ready = counts !== undefined && counts.members > 0 && isConfirmed && !plan.isFetching;
  const retry = () => {
    deletion.reset();
    setTyped("");
    void plan.refetch();
  };
  return (
    <Dialog
      isOpen
      alert
      onClose={() => !deletion.isPending && onClose()}
      title={counts ? `Delete ${counted(counts.members, "member")}?` : "Delete members?"}
      footer={
        <>
          <Button onPress={onClose} isDisabled={deletion.isPending} autoFocus>
            Cancel
          </Button>
          <Button type="submit" form="delete" variant="danger" isDisabled={!ready} isPending={deletion.isPending}>
            {counts ? `Delete ${counted(counts.members, "member")}` : "Delete"}
          </Button>
        </>
      }
    >
      {plan.error ? (
        <Failure title="Couldn't check what will be deleted" error={plan.error} onRetry={retry} />
      ) : plan.isFetching || !plan.data || !counts ? (
        <p role="status" className={style.step}>
          {step || "Checking what will be deleted"}…
        </p>
      ) : (
        <>
          <p>
            {counts.members === 1
              ? "Permanently deletes this member and everything attached to it."
              : "Permanently deletes these members and everything attached to them."}{" "}
            You can't undo this.
          </p>
          <ul className={style.refs} aria-label="Members">
            {plan.data.listed.map(({ id, ref }) => (
              <li key={id}>{ref}</li>
            ))}
            {counts.members > MAX_LISTED_REFS && (
              <li className={style.more}>and {formatNumber(counts.members - MAX_LISTED_REFS)} more</li>
            )}
          </ul>
          <DeletedCounts counts={counts} />
          {counts.members === 0 && <p>Already deleted.</p>}
          <form
            id="delete"
            onSubmit={(event) => {
              event.preventDefault();
              if (ready && !deletion.isPending) deletion.mutate();
            }}
          >
            {mustTypeNumber && (
              <TextField
                label={`Type ${counts.members} to confirm`}
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
        <Failure title="Couldn't finish deleting" error={deletion.error} onRetry={retry} />
      )}
    </Dialog>
  );
}
