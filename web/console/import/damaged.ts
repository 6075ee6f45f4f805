/** The most letters of a row. More is a quote that is not closed, or no file of members. */
export const MAX_ROW = 16 << 20;

/** A file that can't be read on. What was read before may be all there is, or not. */
export class Damaged extends Error {
  override readonly name = "Damaged";
}
