import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { ask } from "../api/ask";
import { queries, refresh, SERVER } from "../api/queries";
import { counted } from "../format";
import { graphql } from "../gql";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { Failure, Loading } from "../ui/states";
import { toast } from "../ui/toast";
import { Gone } from "./gone";

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

/** First tells what would go, then lets the name be typed, and deletes no more than it told. */
export function DeleteDialog({ memberbase, onClose }: Properties) {
  const [typed, setTyped] = useState("");
  const preview = useQuery({
    queryKey: ["delete", memberbase.id],
    queryFn: ({ signal }) =>
      ask(DeleteMemberbase, { input: { memberbaseId: memberbase.id, dryRun: true } }, signal),
    gcTime: 0,
    staleTime: 0,
  });
  const gone = preview.data?.deleteMemberbase?.deleted;
  const remove = useMutation({
    mutationFn: (atMostMembers: number) =>
      ask(DeleteMemberbase, { input: { memberbaseId: memberbase.id, atMostMembers } }),
    onSuccess: () => {
      toast(`Deleted the memberbase ${memberbase.name}`);
      queries.removeQueries({ queryKey: [memberbase.id] });
      void refresh(SERVER);
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
            isDisabled={!matches || !gone || preview.isFetching}
            isPending={remove.isPending}
          >
            Delete for good
          </Button>
        </>
      }
    >
      <p>All that is in it goes with it, also its syncs and the tokens bound to it. This can't be undone.</p>
      {preview.error ? (
        <Failure error={preview.error} onRetry={() => void preview.refetch()} />
      ) : gone ? (
        <Gone rows={gone} />
      ) : (
        <Loading lines={3} label="Counting what would go" />
      )}
      {gone && (
        <form
          id="delete"
          onSubmit={(event) => {
            event.preventDefault();
            if (matches && !remove.isPending) remove.mutate(gone.members);
          }}
        >
          <TextField
            label={`Type its name to delete ${counted(gone.members, "member")}`}
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
