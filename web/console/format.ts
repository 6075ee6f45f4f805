// Numbers, times and money in the reader's locale.

const number = new Intl.NumberFormat();
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

export const formatNumber = (value: number | bigint) => number.format(value);
export const formatDateTime = (value: string) => formatBy(dateTime, value);
export const formatDate = (value: string) => formatBy(date, value);
export const formatExactly = (value: string) => formatBy(exact, value);
/** A day without a time is the same day everywhere. */
export const formatDay = (value: string) => formatBy(day, value);

/** What the browser does not take for a time, a leap second for instance, stands as it came. */
function formatBy(format: Intl.DateTimeFormat, value: string) {
  const time = new Date(value);
  return Number.isNaN(time.getTime()) ? value : format.format(time);
}

/** `1,234 members`, `1 member`. */
export function counted(count: number, one: string, many = `${one}s`) {
  return `${formatNumber(count)} ${count === 1 ? one : many}`;
}

/** An amount in minor units, with as many digits as its currency has. */
export function formatMoney(amount: number, currency: string | null | undefined) {
  if (!currency) return formatNumber(amount);
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  // As text, so that no digit of a large amount is rounded.
  const text = String(Math.abs(amount)).padStart(digits + 1, "0");
  const decimal = digits ? `${text.slice(0, -digits)}.${text.slice(-digits)}` : text;
  return format.format(`${amount < 0 ? "-" : ""}${decimal}` as Intl.StringNumericLiteral);
}
