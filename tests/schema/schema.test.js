// What a linter does not know of schema.graphql.
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

/** Every field, argument, input field and enum value, with the place that names it. */
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

test("everything is described", () => {
  const all = [...types.map((type) => [type.name, type]), ...members()];
  assert(all.length > 300, `only ${all.length} are found`);
  const bare = all.filter(([, { description }]) => !description?.trim()).map(([place]) => place);
  assert.deepEqual(bare, []);
});

test("a scalar of ours says where it is specified", () => {
  const scalars = types.filter(isScalarType);
  assert(scalars.length >= 5);
  assert.deepEqual(scalars.filter(({ specifiedByURL }) => !specifiedByURL).map(({ name }) => name), []);
});

// An Int has 32 bits in every client. What may be larger is a Count or MinorUnits.
test("Int is the type of nothing that can outgrow 32 bits", () => {
  const small = [
    /\((first|last)\)$/, // at most the size of a page
    /UpsertResult\.index$/, // a place in one request's body
    /^StampCollection(Input)?\.(stamps|rewardsEarned)$/, // 0 to 2^31-1, which the server checks
  ];
  const ints = [...members()].filter(([, { type }]) => type && getNamedType(type).name === "Int");
  assert(ints.length > 0);
  const large = ints.map(([place]) => place).filter((place) => !small.some((pattern) => pattern.test(place)));
  assert.deepEqual(large, []);
});

// In place of the rule no-typename-prefix.
test("a field does not repeat the name of its type", () => {
  const repeating = types
    .filter(isObjectType)
    .flatMap((type) => Object.keys(type.getFields()).map((field) => [type.name, field]))
    .filter(([type, field]) => field.toLowerCase().startsWith(type.toLowerCase()))
    .filter(([type, field]) => !(type === "Member" && ["memberbase", "memberbaseId"].includes(field)));
  assert.deepEqual(repeating, []);
});
