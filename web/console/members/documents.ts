import { graphql } from "../gql";
import type { MembersQuery } from "../gql/graphql";

export const AttributeSchema = graphql(`
  query AttributeSchema($id: ID!) {
    memberbase(id: $id) {
      attributeSchema {
        key
        type
      }
    }
  }
`);

export const Members = graphql(`
  query Members(
    $memberbaseId: ID!
    $filter: MemberFilter
    $orderBy: MemberOrder
    $first: Int
    $after: String
    $last: Int
    $before: String
  ) {
    members(
      memberbaseId: $memberbaseId
      filter: $filter
      orderBy: $orderBy
      first: $first
      after: $after
      last: $last
      before: $before
    ) {
      nodes {
        id
        ref
        attributes
        createdAt
        updatedAt
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`);

export const TotalOfMembers = graphql(`
  query TotalOfMembers($memberbaseId: ID!, $filter: MemberFilter) {
    members(memberbaseId: $memberbaseId, filter: $filter, first: 0) {
      totalCount
    }
  }
`);

export const IdsOfMembers = graphql(`
  query IdsOfMembers($memberbaseId: ID!, $filter: MemberFilter, $first: Int, $after: String) {
    members(memberbaseId: $memberbaseId, filter: $filter, first: $first, after: $after) {
      nodes {
        id
        ref
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const DeleteMembers = graphql(`
  mutation DeleteMembers($input: DeleteMembersInput!) {
    deleteMembers(input: $input) {
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

type Connection = NonNullable<MembersQuery["members"]>;
export type MemberRow = Connection["nodes"][number];
export type PageInfo = Connection["pageInfo"];
