// The plan of an import: the file, how it is read, and what its rows do.

import { fileParameters, initialChoices, type Choices, type Inspection, type Parameters } from "./parameters";

export type Mode = "upsert" | "insertOnly" | "updateOnly";

export interface Plan {
  file: File;
  choices: Choices;
  mode: Mode;
  /** Whether invalid rows are left out, or fail the import. */
  onError: "skip" | "reject";
  /** Whether members that are not in the file are deleted. */
  replaces: boolean;
}

export function newPlan(file: File): Plan {
  return { file, choices: initialChoices(file.name), mode: "upsert", onError: "skip", replaces: false };
}

/** Returns the parameters of an import. `maxDeletedPercent` limits what a plan that replaces the list may delete. */
export function importParameters(plan: Plan, inspection: Inspection, maxDeletedPercent: number): Parameters {
  const mirror: Parameters = [
    ["mirror", "true"],
    ["maxDeletedPercent", String(maxDeletedPercent)],
  ];
  return [
    ...fileParameters(inspection, plan.choices),
    ["mode", plan.mode],
    ["onError", plan.onError],
    ...(plan.replaces ? mirror : []),
  ];
}
