import { useMutation } from "@tanstack/react-query";

import { ask } from "../api/ask";
import { refresh } from "../api/queries";
import { counted, formatDateTime } from "../format";
import { graphql } from "../gql";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Failure } from "../ui/states";
import { toast } from "../ui/toast";

export const AbandonSync = graphql(`
  mutation AbandonSync($input: AbandonSyncInput!) {
    abandonSync(input: $input) {
      sync {
        id
        state
      }
    }
  }
`);

interface Properties {
  memberbaseId: string;
  sync: { id: string; startedAt: string; seen: number };
  onClose: () => void;
}

export function AbandonDialog({ memberbaseId, sync, onClose }: Properties) {
  const abandon = useMutation({
    mutationFn: () => ask(AbandonSync, { input: { syncId: sync.id } }),
    onSuccess: () => {
      toast("Abandoned the sync");
      void refresh(memberbaseId);
      onClose();
    },
  });
  return (
    <Dialog
      isOpen
      alert
      onClose={onClose}
      title="Abandon this sync?"
      footer={
        <>
          <Button onPress={onClose}>Keep it open</Button>
          <Button variant="danger" isPending={abandon.isPending} onPress={() => abandon.mutate()}>
            Abandon
          </Button>
        </>
      }
    >
      <p>
        It began on {formatDateTime(sync.startedAt)} and has seen {counted(sync.seen, "member")}. Whatever runs it is refused
        from now on. What it stored stays, and nobody is deleted.
      </p>
      {abandon.error && <Failure error={abandon.error} />}
    </Dialog>
  );
}
