// Numbers, times and money in the reader's locale.

const number = new Intl.NumberFormat();
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

export const formatNumber = (value: number | bigint) => number.format(value);
export const formatDateTime = (value: string) => formatWith(dateTime, value);
export const formatDate = (value: string) => formatWith(date, value);
export const formatExactly = (value: string) => formatWith(exact, value);
/** Formats a day without a time, which does not depend on the time zone. */
export const formatDay = (value: string) => formatWith(day, value);

/** Returns values that the browser cannot parse, for example a leap second, unchanged. */
function formatWith(format: Intl.DateTimeFormat, value: string) {
  const time = new Date(value);
  return Number.isNaN(time.getTime()) ? value : format.format(time);
}

/** Returns `1,234 members`, `1 member`. */
export function counted(count: number, one: string, many = `${one}s`) {
  return `${formatNumber(count)} ${count === 1 ? one : many}`;
}

/** Formats an amount in minor units with the fraction digits of its currency. */
export function formatMoney(amount: number, currency: string | null | undefined) {
  if (!currency) return formatNumber(amount);
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  // Split as text, so that large amounts are not rounded.
  const text = String(Math.abs(amount)).padStart(digits + 1, "0");
  const decimal = digits ? `${text.slice(0, -digits)}.${text.slice(-digits)}` : text;
  return format.format(`${amount < 0 ? "-" : ""}${decimal}` as Intl.StringNumericLiteral);
}
