import { useMutation, useQueries } from "@tanstack/react-query";

import { request } from "../api/request";
import { queryFor, refresh } from "../api/queries";
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

/** Lists the changes, and those that the API would reject: an attribute that members have values of cannot change. */
export function SaveDialog({ memberbaseId, schema, draft, onClose, onSaved }: Properties) {
  const find = (attributes: Definition[], key: string) => attributes.find((attribute) => attribute.key === key);
  const added = draft.filter(({ key }) => !find(schema, key));
  const changed = schema.filter(({ key, type }) => find(draft, key)?.type !== type);
  const counts = useQueries({
    queries: changed.map(({ key }) => ({ ...queryFor(memberbaseId, CountWithAttribute, { memberbaseId, key }), staleTime: 0 })),
  });
  const failed = counts.find(({ error }) => error);
  const isInUse = counts.some(({ data }) => (data?.members?.totalCount ?? 0) > 0);
  const isCounting = counts.some(({ isFetching }) => isFetching);
  const save = useMutation({
    mutationFn: () => request(SetAttributeSchema, { input: { memberbaseId, attributes: draft } }),
    onSuccess: async () => {
      toast("Attributes saved");
      await refresh(memberbaseId);
      onSaved();
    },
  });
  return (
    <Dialog
      isOpen
      alert={changed.length > 0}
      onClose={onClose}
      title="Save these changes?"
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button
            variant="primary"
            isDisabled={isInUse || isCounting || failed !== undefined}
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
        {changed.map(({ key, type }, index) => {
          const now = find(draft, key);
          const count = counts[index]?.data?.members?.totalCount;
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
              <p className={count ? style.blocked : style.note}>
                {count === undefined ? (
                  <Pending label="Counting members that have a value" />
                ) : count === 0 ? (
                  "No members have a value."
                ) : (
                  `${counted(count, "member has", "members have")} a value. ` +
                  `Remove the values first to ${now ? "change the type" : "remove the attribute"}.`
                )}
              </p>
            </li>
          );
        })}
      </ul>
      {failed?.error && (
        <Failure
          title="Couldn't count the members"
          error={failed.error}
          onRetry={() => counts.forEach(({ refetch }) => void refetch())}
        />
      )}
      {save.error && <Failure error={save.error} onRetry={() => counts.forEach(({ refetch }) => void refetch())} />}
    </Dialog>
  );
}
