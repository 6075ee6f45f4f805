// What belongs to a member, ten at a time.

import { type InfiniteData, useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { ask } from "../api/ask";
import { notFound } from "../api/error";
import { formatDateTime, formatMoney, formatNumber } from "../format";
import { graphql } from "../gql";
import { Badge } from "../ui/page";
import { Button } from "../ui/button";
import { Failure, Loading } from "../ui/states";
import { Time } from "../ui/table";
import style from "./belongings.module.css";

const ClipsOfMember = graphql(`
  query ClipsOfMember($by: MemberBy!, $after: String) {
    member(by: $by) {
      list: clips(first: 10, after: $after) {
        nodes {
          id
          dealId
          creativeId
          variantId
          redeemedAt
          createdAt
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

const StampCollectionsOfMember = graphql(`
  query StampCollectionsOfMember($by: MemberBy!, $after: String) {
    member(by: $by) {
      list: stampCollections(first: 10, after: $after) {
        nodes {
          id
          loyaltyProgramId
          stamps
          rewardsEarned
          updatedAt
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

const TransactionsOfMember = graphql(`
  query TransactionsOfMember($by: MemberBy!, $after: String) {
    member(by: $by) {
      list: transactions(first: 10, after: $after) {
        nodes {
          id
          externalId
          network
          bin
          merchantId
          statementDescriptor
          amount
          currency
          authedAt
          clearedAt
          revertedAt
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

interface Scope {
  memberbaseId: string;
  memberId: string;
}

interface Part<Node> {
  nodes: Node[];
  pageInfo: { hasNextPage: boolean; endCursor?: string | null };
}

export function Clips(scope: Scope) {
  const list = useParts(scope, "clips", async (variables, signal) => {
    return (await ask(ClipsOfMember, variables, signal)).member?.list;
  });
  return (
    <List {...list} none="This member has saved no deal.">
      {(clip) => (
        <li key={clip.id} className={style.row}>
          <span className={style.name}>{clip.dealId}</span>
          {clip.redeemedAt ? <Badge tone="good">Redeemed</Badge> : <Badge>Saved</Badge>}
          <span className={style.detail}>
            {[clip.creativeId, clip.variantId].filter(Boolean).join(" · ")}
          </span>
          <span className={style.detail}>
            <Time value={clip.redeemedAt ?? clip.createdAt} />
          </span>
        </li>
      )}
    </List>
  );
}

export function StampCollections(scope: Scope) {
  const list = useParts(scope, "stamp collections", async (variables, signal) => {
    return (await ask(StampCollectionsOfMember, variables, signal)).member?.list;
  });
  return (
    <List {...list} none="This member is in no loyalty programme.">
      {(collection) => (
        <li key={collection.id} className={style.row}>
          <span className={style.name}>{collection.loyaltyProgramId}</span>
          <span className={style.figure}>
            {formatNumber(collection.stamps)} {collection.stamps === 1 ? "stamp" : "stamps"}
          </span>
          <span className={style.detail}>
            <Time value={collection.updatedAt} />
          </span>
          <span className={style.detail}>
            {formatNumber(collection.rewardsEarned)} {collection.rewardsEarned === 1 ? "reward" : "rewards"} earned
          </span>
        </li>
      )}
    </List>
  );
}

export function Transactions(scope: Scope) {
  const list = useParts(scope, "transactions", async (variables, signal) => {
    return (await ask(TransactionsOfMember, variables, signal)).member?.list;
  });
  return (
    <List {...list} none="This member has made no transaction.">
      {(transaction) => (
        <li key={transaction.id} className={style.row} title={`Merchant ${transaction.merchantId}`}>
          <span className={style.name}>{transaction.statementDescriptor ?? transaction.merchantId}</span>
          <span className={style.figure}>
            {transaction.amount === null || transaction.amount === undefined ? (
              <span className={style.detail}>no amount</span>
            ) : (
              formatMoney(transaction.amount, transaction.currency)
            )}
          </span>
          <span className={style.detail}>
            <Time value={transaction.authedAt} />
          </span>
          <TransactionState {...transaction} />
          <span className={style.detail}>
            {`${NETWORKS[transaction.network] ?? transaction.network} ${transaction.bin}… · ${transaction.externalId}`}
          </span>
        </li>
      )}
    </List>
  );
}

const NETWORKS: Record<string, string> = { VISA: "Visa", MASTERCARD: "Mastercard", AMEX: "Amex", OTHER: "Card" };

type Moments = { clearedAt?: string | null; revertedAt?: string | null };

function TransactionState({ clearedAt, revertedAt }: Moments) {
  const at = revertedAt ?? clearedAt;
  const [tone, text] = revertedAt
    ? (["danger", "Reverted"] as const)
    : clearedAt
      ? (["good", "Cleared"] as const)
      : (["neutral", "Authorised"] as const);
  return (
    <span title={at ? formatDateTime(at) : undefined}>
      <Badge tone={tone}>{text}</Badge>
    </span>
  );
}

interface Variables {
  by: { id: string };
  after: string | null;
}

function useParts<Node>(
  { memberbaseId, memberId }: Scope,
  what: string,
  read: (variables: Variables, signal: AbortSignal) => Promise<Part<Node> | undefined>,
) {
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery<
    Part<Node>,
    Error,
    InfiniteData<Part<Node>>,
    string[],
    string | null
  >({
    queryKey: [memberbaseId, what, memberId],
    queryFn: async ({ pageParam, signal }) => {
      const part = await read({ by: { id: memberId }, after: pageParam }, signal);
      if (!part) throw notFound("the member");
      return part;
    },
    initialPageParam: null,
    getNextPageParam: ({ pageInfo }) => (pageInfo.hasNextPage ? pageInfo.endCursor : undefined),
  });
  return {
    nodes: data?.pages.flatMap((part) => part.nodes),
    error,
    onRetry: () => void (data ? fetchNextPage() : refetch()),
    onMore: hasNextPage ? () => void fetchNextPage() : undefined,
    isMoreComing: isFetchingNextPage,
  };
}

interface ListProperties<Node> {
  nodes: Node[] | undefined;
  error: Error | null;
  onRetry: () => void;
  onMore: (() => void) | undefined;
  isMoreComing: boolean;
  none: string;
  children: (node: Node) => ReactNode;
}

function List<Node>({ nodes, error, onRetry, onMore, isMoreComing, none, children }: ListProperties<Node>) {
  const failure = error && (
    <div className={style.failure}>
      <Failure error={error} onRetry={onRetry} />
    </div>
  );
  if (!nodes) return failure || <Loading lines={4} />;
  if (nodes.length === 0) return <p className={style.none}>{none}</p>;
  return (
    <>
      <ul>{nodes.map(children)}</ul>
      {failure ||
        (onMore && (
          <div className={style.more}>
            <Button onPress={onMore} isPending={isMoreComing}>
              Show more
            </Button>
          </div>
        ))}
    </>
  );
}
