import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import { ask } from "../api/ask";
import { refresh, SERVER } from "../api/queries";
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
  /** The one to rename; without it a new one is made. */
  memberbase?: { id: string; name: string };
  onClose: () => void;
  onDone?: (id: string) => void;
}

export function NameDialog({ memberbase, onClose, onDone }: Properties) {
  const [name, setName] = useState(memberbase?.name ?? "");
  const save = useMutation({
    mutationFn: async (name: string) => {
      if (memberbase) {
        await ask(RenameMemberbase, { input: { memberbaseId: memberbase.id, name } });
        return memberbase.id;
      }
      const { createMemberbase } = await ask(CreateMemberbase, { input: { name } });
      return createMemberbase!.memberbase.id;
    },
    onSuccess: (id) => {
      void refresh(SERVER);
      void refresh(id);
      toast(memberbase ? `Renamed to ${name}` : `Made the memberbase ${name}`);
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
      title={memberbase ? "Rename the memberbase" : "New memberbase"}
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
          hint="For people; several may have the same."
          error={tooLong ? "A name has 256 characters at most." : undefined}
          autoFocus
        />
      </form>
      {save.error && <Failure error={save.error} />}
    </Dialog>
  );
}
