// The custom scalars of the schema, with the ranges and formats that their descriptions in schema.graphql state.
import { GraphQLError, Kind, valueFromASTUntyped, visit } from "graphql";

const DATE_TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
const MAX = Number.MAX_SAFE_INTEGER;

function dateTime(value) {
  const match = typeof value === "string" && DATE_TIME.exec(value);
  if (!match) throw new GraphQLError("not a date-time");
  const [, year, month, day] = match;
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day)) throw new GraphQLError("not a date");
  return value;
}

function wholeNumber(low) {
  return (value) => {
    if (!Number.isInteger(value) || value < low || value > MAX) throw new GraphQLError("not a whole number in range");
    return value;
  };
}

function attributeValue(value) {
  const ok = Array.isArray(value)
    ? value.every((item) => typeof item === "string")
    : ["string", "boolean"].includes(typeof value) || Number.isFinite(value);
  if (!ok) throw new GraphQLError("not a string, number, boolean or list of strings");
  return value;
}

function attributes(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new GraphQLError("not an object");
  for (const item of Object.values(value)) {
    if (item !== null) attributeValue(item);
  }
  return value;
}

const READERS = {
  DateTime: dateTime,
  Count: wholeNumber(0),
  MinorUnits: wholeNumber(-MAX),
  AttributeValue: attributeValue,
  Attributes: attributes,
};

/** A document is validated without variables: then each of them may have any value. */
const ANY_VALUES = new Proxy({}, { get: () => "any" });

function failOnEnum() {
  throw new GraphQLError("an enum value");
}

/** Gives the custom scalars of a schema their functions. */
export function defineScalars(schema) {
  for (const [name, read] of Object.entries(READERS)) {
    const scalar = schema.getType(name);
    scalar.serialize = (value) => value;
    scalar.parseValue = read;
    scalar.parseLiteral = (node, variables) => {
      visit(node, { EnumValue: failOnEnum });
      if (node.kind === Kind.FLOAT && ["Count", "MinorUnits"].includes(name)) throw new GraphQLError("a float");
      return read(valueFromASTUntyped(node, variables ?? ANY_VALUES));
    };
  }
}
