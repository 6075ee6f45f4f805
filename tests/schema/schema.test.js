// Checks rules of schema.graphql that the linter does not support.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import {
  buildSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isScalarType,
  isSpecifiedScalarType,
} from "graphql";

const schema = buildSchema(await readFile(new URL("../../schema.graphql", import.meta.url), "utf8"));
const types = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
);

/** Yields every field, argument, input field and enum value with its schema coordinate. */
function* members() {
  for (const type of types) {
    if (isEnumType(type)) {
      for (const value of type.getValues()) yield [`${type.name}.${value.name}`, value];
    } else if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) yield [`${type.name}.${field.name}`, field];
    } else if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        yield [`${type.name}.${field.name}`, field];
        for (const argument of field.args) yield [`${type.name}.${field.name}(${argument.name})`, argument];
      }
    }
  }
}

test("every type and member has a description", () => {
  const all = [...types.map((type) => [type.name, type]), ...members()];
  assert(all.length > 300, `found only ${all.length}`);
  const undescribed = all.filter(([, { description }]) => !description?.trim()).map(([coordinate]) => coordinate);
  assert.deepEqual(undescribed, []);
});

// Relay stores every object that has an `id` under that id, whatever its type.
test("only nodes have an id", () => {
  const withId = types.filter(isObjectType).filter((type) => type.getFields().id);
  assert(withId.length > 5);
  const others = withId.filter((type) => !type.getInterfaces().some(({ name }) => name === "Node"));
  assert.deepEqual(others.map(({ name }) => name), []);
});

test("every custom scalar has specifiedByURL", () => {
  const scalars = types.filter(isScalarType);
  assert(scalars.length >= 5);
  assert.deepEqual(scalars.filter(({ specifiedByURL }) => !specifiedByURL).map(({ name }) => name), []);
});

// Int has 32 bits. Larger values use Count or MinorUnits.
test("Int is used only for values that fit 32 bits", () => {
  const small = [
    /\((first|last)\)$/, // at most the maximum page size
    /UpsertResult\.index$/, // an index within a request
    /^StampCollection(Input)?\.(stamps|rewardsEarned)$/, // 0 to 2^31-1, which the server checks
  ];
  const ints = [...members()].filter(([, { type }]) => type && getNamedType(type).name === "Int");
  assert(ints.length > 0);
  const large = ints.map(([coordinate]) => coordinate).filter((coordinate) => !small.some((pattern) => pattern.test(coordinate)));
  assert.deepEqual(large, []);
});

// Replaces the rule no-typename-prefix.
test("a field does not repeat the name of its type", () => {
  const repeating = types
    .filter(isObjectType)
    .flatMap((type) => Object.keys(type.getFields()).map((field) => [type.name, field]))
    .filter(([type, field]) => field.toLowerCase().startsWith(type.toLowerCase()))
    .filter(([type, field]) => !(type === "Member" && ["memberbase", "memberbaseId"].includes(field)));
  assert.deepEqual(repeating, []);
});
