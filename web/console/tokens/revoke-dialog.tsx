import { useMutation } from "@tanstack/react-query";

import { request } from "../api/request";
import { refresh, SERVER_SCOPE } from "../api/queries";
import { formatDateTime } from "../format";
import { graphql } from "../gql";
import { signOut } from "../session";
import { useToken } from "../token";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Failure } from "../ui/states";
import { toast } from "../ui/toast";
import type { ApiToken } from "./tokens-page";

const RevokeApiToken = graphql(`
  mutation RevokeApiToken($input: RevokeApiTokenInput!) {
    revokeApiToken(input: $input) {
      apiToken {
        id
        revokedAt
      }
    }
  }
`);

export function RevokeDialog({ token, onClose }: { token: ApiToken; onClose: () => void }) {
  const isOwn = useToken().id === token.id;
  const name = token.description || token.id;
  const revoke = useMutation({
    mutationFn: () => request(RevokeApiToken, { input: { apiTokenId: token.id } }),
    onSuccess: () => {
      if (isOwn) return signOut();
      toast(`Revoked ${name}`);
      void refresh(SERVER_SCOPE);
      onClose();
    },
  });
  return (
    <Dialog
      isOpen
      alert
      onClose={onClose}
      title={`Revoke ${name}?`}
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button variant="danger" isPending={revoke.isPending} onPress={() => revoke.mutate()}>
            Revoke token
          </Button>
        </>
      }
    >
      <p>
        Programs and people that use this token lose access immediately. You can't undo this.
        {isOwn && <strong> You are signed in with this token and will be signed out.</strong>}
      </p>
      <p>{token.lastUsedAt ? `It was last used on ${formatDateTime(token.lastUsedAt)}.` : "It has never been used."}</p>
      {revoke.error && <Failure error={revoke.error} />}
    </Dialog>
  );
}
