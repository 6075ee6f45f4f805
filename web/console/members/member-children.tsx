// The lists of a member's clips, stamp collections and transactions, loaded ten at a time.

import { type InfiniteData, useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { request } from "../api/request";
import { notFound } from "../api/error";
import { formatDateTime, formatMoney, formatNumber } from "../format";
import { graphql } from "../gql";
import { Badge } from "../ui/page";
import { Button } from "../ui/button";
import { Failure, Loading } from "../ui/states";
import { Time } from "../ui/table";
import style from "./member-children.module.css";

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

interface ChildPage<Node> {
  nodes: Node[];
  pageInfo: { hasNextPage: boolean; endCursor?: string | null };
}

export function Clips(scope: Scope) {
  const list = useChildPages(scope, "clips", async (variables, signal) => {
    return (await request(ClipsOfMember, variables, signal)).member?.list;
  });
  return (
    <List {...list} emptyText="This member has no clips.">
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
  const list = useChildPages(scope, "stamp collections", async (variables, signal) => {
    return (await request(StampCollectionsOfMember, variables, signal)).member?.list;
  });
  return (
    <List {...list} emptyText="This member has no stamp collections.">
      {(collection) => (
        <li key={collection.id} className={style.row}>
          <span className={style.name}>{collection.loyaltyProgramId}</span>
          <span className={style.amount}>
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
  const list = useChildPages(scope, "transactions", async (variables, signal) => {
    return (await request(TransactionsOfMember, variables, signal)).member?.list;
  });
  return (
    <List {...list} emptyText="This member has no transactions.">
      {(transaction) => (
        <li key={transaction.id} className={style.row} title={`Merchant ${transaction.merchantId}`}>
          <span className={style.name}>{transaction.statementDescriptor ?? transaction.merchantId}</span>
          <span className={style.amount}>
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

type TransactionTimes = { clearedAt?: string | null; revertedAt?: string | null };

function TransactionState({ clearedAt, revertedAt }: TransactionTimes) {
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

function useChildPages<Node>(
  { memberbaseId, memberId }: Scope,
  kind: string,
  read: (variables: Variables, signal: AbortSignal) => Promise<ChildPage<Node> | undefined>,
) {
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery<
    ChildPage<Node>,
    Error,
    InfiniteData<ChildPage<Node>>,
    string[],
    string | null
  >({
    queryKey: [memberbaseId, kind, memberId],
    queryFn: async ({ pageParam, signal }) => {
      const page = await read({ by: { id: memberId }, after: pageParam }, signal);
      if (!page) throw notFound("the member");
      return page;
    },
    initialPageParam: null,
    getNextPageParam: ({ pageInfo }) => (pageInfo.hasNextPage ? pageInfo.endCursor : undefined),
  });
  return {
    nodes: data?.pages.flatMap((page) => page.nodes),
    error,
    onRetry: () => void (data ? fetchNextPage() : refetch()),
    onMore: hasNextPage ? () => void fetchNextPage() : undefined,
    isLoadingMore: isFetchingNextPage,
  };
}

interface ListProperties<Node> {
  nodes: Node[] | undefined;
  error: Error | null;
  onRetry: () => void;
  onMore: (() => void) | undefined;
  isLoadingMore: boolean;
  emptyText: string;
  children: (node: Node) => ReactNode;
}

function List<Node>({ nodes, error, onRetry, onMore, isLoadingMore, emptyText, children }: ListProperties<Node>) {
  const failure = error && (
    <div className={style.failure}>
      <Failure error={error} onRetry={onRetry} />
    </div>
  );
  if (!nodes) return failure || <Loading lines={4} />;
  if (nodes.length === 0) return <p className={style.empty}>{emptyText}</p>;
  return (
    <>
      <ul>{nodes.map(children)}</ul>
      {failure ||
        (onMore && (
          <div className={style.more}>
            <Button onPress={onMore} isPending={isLoadingMore}>
              Show more
            </Button>
          </div>
        ))}
    </>
  );
}
