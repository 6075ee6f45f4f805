import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { request } from "../api/request";
import { queries, refresh, SERVER_SCOPE } from "../api/queries";
import { counted } from "../format";
import { graphql } from "../gql";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { Failure, Loading } from "../ui/states";
import { toast } from "../ui/toast";
import { DeletedCounts } from "./deleted-counts";

const DeleteMemberbase = graphql(`
  mutation DeleteMemberbase($input: DeleteMemberbaseInput!) {
    deleteMemberbase(input: $input) {
      deleted {
        members
        attributes
        clips
        stampCollections
        transactions
      }
    }
  }
`);

interface Properties {
  memberbase: { id: string; name: string };
  onClose: () => void;
}

/** Shows what will be deleted, asks for the name, and deletes at most the shown number of members. */
export function DeleteDialog({ memberbase, onClose }: Properties) {
  const [typed, setTyped] = useState("");
  const preview = useQuery({
    queryKey: ["delete", memberbase.id],
    queryFn: ({ signal }) =>
      request(DeleteMemberbase, { input: { memberbaseId: memberbase.id, dryRun: true } }, signal),
    gcTime: 0,
    staleTime: 0,
  });
  const counts = preview.data?.deleteMemberbase?.deleted;
  const remove = useMutation({
    mutationFn: (atMostMembers: number) =>
      request(DeleteMemberbase, { input: { memberbaseId: memberbase.id, atMostMembers } }),
    onSuccess: () => {
      toast(`Deleted memberbase ${memberbase.name}`);
      queries.removeQueries({ queryKey: [memberbase.id] });
      void refresh(SERVER_SCOPE);
      onClose();
    },
  });
  const matches = typed === memberbase.name;
  return (
    <Dialog
      isOpen
      alert
      onClose={onClose}
      title={`Delete ${memberbase.name}?`}
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button
            type="submit"
            form="delete"
            variant="danger"
            isDisabled={!matches || !counts || preview.isFetching}
            isPending={remove.isPending}
          >
            Delete memberbase
          </Button>
        </>
      }
    >
      <p>
        This permanently deletes the memberbase and everything in it, including its syncs and the API tokens bound to it. You
        can't undo this.
      </p>
      {preview.error ? (
        <Failure error={preview.error} onRetry={() => void preview.refetch()} />
      ) : counts ? (
        <DeletedCounts counts={counts} />
      ) : (
        <Loading lines={3} label="Checking what will be deleted" />
      )}
      {counts && (
        <form
          id="delete"
          onSubmit={(event) => {
            event.preventDefault();
            if (matches && !remove.isPending) remove.mutate(counts.members);
          }}
        >
          <TextField
            label={`Type the memberbase name to delete ${counted(counts.members, "member")}`}
            hint={<code>{memberbase.name}</code>}
            value={typed}
            onChange={setTyped}
          />
        </form>
      )}
      {remove.error && <Failure error={remove.error} onRetry={() => void preview.refetch()} />}
    </Dialog>
  );
}
