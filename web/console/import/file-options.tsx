import { Select, type Option } from "../ui/field";
import { Card } from "../ui/page";
import style from "./import.module.css";
import { withOption, type Choices, type Format, type Inspection, type OptionName } from "./parameters";
import { fileSize } from "./words";

const FORMATS: Option<Format>[] = [
  { key: "csv", label: "CSV" },
  { key: "ndjson", label: "NDJSON" },
  { key: "lines", label: "One ref per line" },
];

const DELIMITERS: Option<string>[] = [
  { key: ",", label: "Comma" },
  { key: ";", label: "Semicolon" },
  { key: "tab", label: "Tab" },
  { key: "|", label: "Vertical bar" },
  { key: ":", label: "Colon" },
];

const ENCODINGS: Option<string>[] = [
  { key: "utf-8", label: "UTF-8" },
  { key: "utf-16le", label: "UTF-16, little endian" },
  { key: "utf-16be", label: "UTF-16, big endian" },
  { key: "windows-1252", label: "Windows-1252" },
  { key: "windows-1250", label: "Windows-1250 (Central Europe)" },
  { key: "windows-1251", label: "Windows-1251 (Cyrillic)" },
  { key: "macintosh", label: "Mac Roman" },
  { key: "gb18030", label: "GB18030 (Chinese)" },
  { key: "shift_jis", label: "Shift JIS (Japanese)" },
];

const HEADERS: Option<"true" | "false">[] = [
  { key: "true", label: "Header" },
  { key: "false", label: "A row" },
];

const DECIMALS: Option<string>[] = [
  { key: "point", label: "1,234.56" },
  { key: "comma", label: "1.234,56" },
];

const DATE_ORDERS: Option<string>[] = [
  { key: "dmy", label: "Day first: 31/1/2026" },
  { key: "mdy", label: "Month first: 1/31/2026" },
];

const EMPTY_CELLS: Option<string>[] = [
  { key: "text", label: "Empty text" },
  { key: "remove", label: "Remove the value" },
  { key: "keep", label: "Keep the stored value" },
];

const AUTOMATIC = "automatic";

interface Properties {
  file: File;
  inspection: Inspection;
  choices: Choices;
  onChange: (choices: Choices) => void;
}

/** How the file is read: what the server recognizes, unless the user chooses something else. */
export function FileOptions({ file, inspection, choices, onChange }: Properties) {
  const { format, encoding } = inspection;
  const suggested = (name: OptionName) => inspection.parameters.find(([parameter]) => parameter === name)?.[1];
  const set = (name: OptionName) => (value: string) => onChange(withOption(choices, name, value === AUTOMATIC ? null : value));
  const delimiter = suggested("delimiter") ?? ",";
  return (
    <Card>
      <div className={style.section}>
        <div className={style.file}>
          <h2>{file.name}</h2>
          <span>{fileSize(file.size)}</span>
        </div>
        <div className={style.options}>
          <Select label="Format" options={FORMATS} value={format} onChange={set("format")} />
          <Select
            label="Encoding"
            options={withKey(ENCODINGS, encoding.toLowerCase(), encoding)}
            value={encoding.toLowerCase()}
            onChange={set("encoding")}
          />
          {format === "csv" && (
            <>
              <Select
                label="Separator"
                options={withKey(DELIMITERS, delimiter, delimiter)}
                value={delimiter}
                onChange={set("delimiter")}
              />
              <Select
                label="First line"
                options={HEADERS}
                value={suggested("header") === "false" ? "false" : "true"}
                onChange={set("header")}
              />
            </>
          )}
          {format !== "lines" && (
            <>
              <Select
                label="Numbers"
                options={[automatic(DECIMALS, suggested("decimal")), ...DECIMALS]}
                value={choices.options.decimal ?? AUTOMATIC}
                onChange={set("decimal")}
              />
              <Select
                label="Dates"
                options={[automatic(DATE_ORDERS, suggested("dateOrder")), ...DATE_ORDERS]}
                value={choices.options.dateOrder ?? AUTOMATIC}
                onChange={set("dateOrder")}
              />
              <Select
                label="Empty cells"
                options={EMPTY_CELLS}
                value={choices.options.empty ?? "text"}
                onChange={set("empty")}
              />
            </>
          )}
        </div>
      </div>
    </Card>
  );
}

/** Adds a value that is not in the list. */
function withKey(options: Option<string>[], key: string, label: string): Option<string>[] {
  return options.some((option) => option.key === key) ? options : [...options, { key, label }];
}

/** The option that leaves the choice to the server, with what it has recognized. */
function automatic(options: Option<string>[], suggested: string | undefined): Option<string> {
  const label = options.find(({ key }) => key === suggested)?.label;
  return { key: AUTOMATIC, label: label ? `Automatic (${label})` : "Automatic" };
}
