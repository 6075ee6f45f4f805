import { useMutation, useQueries } from "@tanstack/react-query";

import { ask } from "../api/ask";
import { asking, refresh } from "../api/queries";
import { counted } from "../format";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Failure, Pending } from "../ui/states";
import { toast } from "../ui/toast";
import style from "./attributes.module.css";
import { CountWithAttribute, type Definition, SetAttributeSchema, typeLabel } from "./schema";

interface Properties {
  memberbaseId: string;
  schema: Definition[];
  draft: Definition[];
  onClose: () => void;
  onSaved: () => void;
}

/** Tells what changes, and which of it the API would refuse: a key that members have values of stays as it is. */
export function SaveDialog({ memberbaseId, schema, draft, onClose, onSaved }: Properties) {
  const find = (attributes: Definition[], key: string) => attributes.find((attribute) => attribute.key === key);
  const added = draft.filter(({ key }) => !find(schema, key));
  const touched = schema.filter(({ key, type }) => find(draft, key)?.type !== type);
  const counts = useQueries({
    queries: touched.map(({ key }) => ({ ...asking(memberbaseId, CountWithAttribute, { memberbaseId, key }), staleTime: 0 })),
  });
  const failed = counts.find(({ error }) => error);
  const held = counts.some(({ data }) => (data?.members?.totalCount ?? 0) > 0);
  const isCounting = counts.some(({ isFetching }) => isFetching);
  const save = useMutation({
    mutationFn: () => ask(SetAttributeSchema, { input: { memberbaseId, attributes: draft } }),
    onSuccess: async () => {
      toast("Saved the attributes");
      await refresh(memberbaseId);
      onSaved();
    },
  });
  return (
    <Dialog
      isOpen
      alert={touched.length > 0}
      onClose={onClose}
      title="Save these changes?"
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button
            variant="primary"
            isDisabled={held || isCounting || failed !== undefined}
            isPending={save.isPending}
            onPress={() => save.mutate()}
          >
            Save
          </Button>
        </>
      }
    >
      <ul className={style.changes}>
        {added.map(({ key, type }) => (
          <li key={key}>
            <strong>Add</strong> <code>{key}</code>: {typeLabel(type)}
          </li>
        ))}
        {touched.map(({ key, type }, place) => {
          const now = find(draft, key);
          const count = counts[place]?.data?.members?.totalCount;
          return (
            <li key={key}>
              {now ? (
                <>
                  <strong>Change</strong> <code>{key}</code>: {typeLabel(type)} to {typeLabel(now.type)}
                </>
              ) : (
                <>
                  <strong>Remove</strong> <code>{key}</code>
                </>
              )}
              <p className={count ? style.held : style.note}>
                {count === undefined ? (
                  <Pending label="counting the members that have a value of it" />
                ) : count === 0 ? (
                  "No member has a value of it."
                ) : (
                  `${counted(count, "member has", "members have")} a value of it. It can’t be ${now ? "given another type" : "removed"} until that is gone.`
                )}
              </p>
            </li>
          );
        })}
      </ul>
      {failed?.error && (
        <Failure
          title="The members could not be counted"
          error={failed.error}
          onRetry={() => counts.forEach(({ refetch }) => void refetch())}
        />
      )}
      {save.error && <Failure error={save.error} onRetry={() => counts.forEach(({ refetch }) => void refetch())} />}
    </Dialog>
  );
}
