import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import { request } from "../api/request";
import { refresh, SERVER_SCOPE } from "../api/queries";
import { graphql } from "../gql";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { Failure } from "../ui/states";
import { toast } from "../ui/toast";

const CreateMemberbase = graphql(`
  mutation CreateMemberbase($input: CreateMemberbaseInput!) {
    createMemberbase(input: $input) {
      memberbase {
        id
      }
    }
  }
`);

const RenameMemberbase = graphql(`
  mutation RenameMemberbase($input: UpdateMemberbaseInput!) {
    updateMemberbase(input: $input) {
      memberbase {
        id
      }
    }
  }
`);

interface Properties {
  /** The memberbase to rename; omitted to create one. */
  memberbase?: { id: string; name: string };
  onClose: () => void;
  onDone?: (id: string) => void;
}

export function NameDialog({ memberbase, onClose, onDone }: Properties) {
  const [name, setName] = useState(memberbase?.name ?? "");
  const save = useMutation({
    mutationFn: async (name: string) => {
      if (memberbase) {
        await request(RenameMemberbase, { input: { memberbaseId: memberbase.id, name } });
        return memberbase.id;
      }
      const { createMemberbase } = await request(CreateMemberbase, { input: { name } });
      return createMemberbase!.memberbase.id;
    },
    onSuccess: (id) => {
      void refresh(SERVER_SCOPE);
      void refresh(id);
      toast(memberbase ? `Renamed to ${name}` : `Created memberbase ${name}`);
      onClose();
      onDone?.(id);
    },
  });
  const tooLong = [...name].length > 256;
  const ready = name.trim() !== "" && !tooLong && name !== memberbase?.name;
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={memberbase ? "Rename memberbase" : "New memberbase"}
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" form="name" variant="primary" isPending={save.isPending} isDisabled={!ready}>
            {memberbase ? "Rename" : "Create"}
          </Button>
        </>
      }
    >
      <form
        id="name"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !save.isPending) save.mutate(name);
        }}
      >
        <TextField
          label="Name"
          value={name}
          onChange={setName}
          hint="Need not be unique."
          error={tooLong ? "A name has at most 256 characters." : undefined}
          autoFocus
        />
      </form>
      {save.error && <Failure error={save.error} />}
    </Dialog>
  );
}
