import { useMutation } from "@tanstack/react-query";

import { request } from "../api/request";
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
    mutationFn: () => request(AbandonSync, { input: { syncId: sync.id } }),
    onSuccess: () => {
      toast("Sync abandoned");
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
          <Button onPress={onClose}>Keep sync open</Button>
          <Button variant="danger" isPending={abandon.isPending} onPress={() => abandon.mutate()}>
            Abandon sync
          </Button>
        </>
      }
    >
      <p>
        It started on {formatDateTime(sync.startedAt)} and has seen {counted(sync.seen, "member")}. The program that runs it
        can't continue it. Members that it stored are kept, and no members are deleted.
      </p>
      {abandon.error && <Failure error={abandon.error} />}
    </Dialog>
  );
}
