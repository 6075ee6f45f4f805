// Finds a small request with the same kind of disagreement.
import { join } from "./tokens.js";

const MAX_ATTEMPTS = 400;
const OPENING = { "{": "}", "(": ")", "[": "]" };

/** Deletes pieces of the document and variables for as long as the kind stays, within the deadline. */
export async function shrink(oracle, { pieces, request, kind }, deadline) {
  let attempts = 0;
  let best = { pieces, request };
  const accepts = async (candidate, change = {}) => {
    if (attempts >= MAX_ATTEMPTS || Date.now() > deadline) return false;
    attempts += 1;
    const changed = { ...best.request, ...change, document: join(candidate), intact: false };
    const isSame = (await oracle.ask(changed)).kind === kind;
    if (isSame) best = { pieces: candidate, request: changed };
    return isSame;
  };
  let before;
  do {
    before = best.pieces.length;
    await deleteBrackets(() => best.pieces, accepts);
    await deleteRuns(() => best.pieces, accepts);
  } while (best.pieces.length < before);
  await deleteVariables(() => best, accepts);
  await accepts(best.pieces, { operationName: null });
  for (const [index, piece] of best.pieces.entries()) {
    for (const blank of ["", " "]) {
      if (piece.blank.length <= blank.length) break;
      if (await accepts(best.pieces.with(index, { ...piece, blank }))) break;
    }
  }
  return best.request;
}

/** Deletes brackets with everything in them, and up to three pieces before. */
async function deleteBrackets(pieces, accepts) {
  for (let start = 0; start < pieces().length; start += 1) {
    const end = closing(pieces(), start);
    if (end === undefined) continue;
    for (const extra of [3, 2, 1, 0]) {
      if (start < extra) continue;
      if (await accepts(pieces().toSpliced(start - extra, end - start + 1 + extra))) {
        start = Math.max(-1, start - extra - 1);
        break;
      }
    }
  }
}

function closing(pieces, start) {
  const close = OPENING[pieces[start].text];
  if (!close) return undefined;
  let depth = 0;
  for (let at = start; at < pieces.length; at += 1) {
    if (pieces[at].text === pieces[start].text) depth += 1;
    if (pieces[at].text === close) depth -= 1;
    if (depth === 0) return at;
  }
  return undefined;
}

async function deleteRuns(pieces, accepts) {
  for (let length = Math.ceil(pieces().length / 2); ; length = Math.ceil(length / 2)) {
    for (let start = 0; start < pieces().length;) {
      if (!(await accepts(pieces().toSpliced(start, length)))) start += length > 8 ? length : 1;
    }
    if (length <= 1) return;
  }
}

async function deleteVariables(best, accepts) {
  for (const name of Object.keys(JSON.parse(best().request.variables))) {
    // As text, because a number may be one that JavaScript cannot hold.
    const rest = { ...JSON.parse(best().request.variables) };
    delete rest[name];
    await accepts(best().pieces, { variables: JSON.stringify(rest) });
  }
}
