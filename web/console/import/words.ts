// Formats file sizes, durations and percentages in the reader's locale.

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

export function fileSize(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const format = { style: "unit", unit: UNITS[step], unitDisplay: "short", maximumSignificantDigits: 3 } as const;
  return new Intl.NumberFormat(undefined, format as Intl.NumberFormatOptions).format(bytes / 1000 ** step);
}

export function duration(seconds: number): string {
  const [value, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  const format = { style: "unit", unit: String(unit), unitDisplay: "short" } as const;
  return new Intl.NumberFormat(undefined, { ...format, maximumFractionDigits: 0 }).format(Math.max(1, Number(value)));
}

export function percent(share: number): string {
  return new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 }).format(share);
}
