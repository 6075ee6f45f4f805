//! Recognizes a file by its beginning: its encoding, format and delimiter, whether it has a header, and what its columns
//! are likely to mean for an attribute schema.

mod declare;
mod names;
mod values;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use self::{
    names::{map_columns, name_of},
    values::{date_order, decimal, is_none, kind, kind_of_strings},
};
use super::{
    ATTRIBUTE_PREFIX, Format,
    cell::CellRules,
    columns::{Delimiter, Mapping},
    content,
    forms::{self, DateOrder, Decimal},
    rows,
};
use crate::domain::attribute::AttributeType;

/// Number of bytes of a file by which it is recognized.
pub(crate) const BEGINNING_BYTES: usize = 256 << 10;

/// Maximum number of records by which columns are recognized.
const MAX_RECORDS: usize = 1_000;

/// Maximum number of columns that are described.
const MAX_COLUMNS: usize = 1_000;

/// Maximum number of values that are shown of a column, and of characters of each.
const MAX_SAMPLES: usize = 3;
const MAX_SAMPLE_CHARS: usize = 100;

/// The properties of a file.
#[derive(Debug)]
pub(crate) struct Inspection {
    pub(crate) encoding: &'static Encoding,
    pub(crate) format: Format,
    /// The delimiter of CSV.
    pub(crate) delimiter: Option<Delimiter>,
    /// False for CSV whose first record is a row.
    pub(crate) has_header: bool,
    /// The columns of CSV, or the fields of NDJSON.
    pub(crate) columns: Vec<Column>,
    /// The decimal separator, if numbers need one to be read.
    pub(crate) decimal: Option<Decimal>,
    /// The order of dates, if dates need one to be read.
    pub(crate) date_order: Option<DateOrder>,
}

/// A column of a file.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The type of its values; `None` if it has none.
    pub(crate) kind: Option<AttributeType>,
    /// The type of its values with the forms that are given, not recognized.
    pub(crate) kind_as_given: Option<AttributeType>,
    /// The type that its values would have with a form that is not given.
    pub(crate) kind_with_form: Option<AttributeType>,
    pub(crate) samples: Vec<String>,
    /// `ref`, `sourceUpdatedAt` or the key of an attribute.
    pub(crate) target: Option<String>,
}

impl Inspection {
    /// Assigns the columns without a meaning to the attributes of their names, which are declared now.
    pub(crate) fn assign_declared(&mut self, mapping: &Mapping) {
        for column in self.columns.iter_mut().filter(|column| column.target.is_none()) {
            let targets = mapping.field(&column.name);
            column.target = targets.first().map(|target| name_of(*target, mapping));
        }
    }

    /// Returns the mapping by which the file can be imported.
    pub(crate) fn mapping(&self, given: &Mapping) -> Mapping {
        let mapped = |column: &Column| Some((column.target.clone()?, column.name.clone()));
        // An import fails because of them, unless it declares them.
        let unknown = given.map.iter().filter(|(key, _)| given.target(key).is_none()).cloned();
        let found = self.columns.iter().filter_map(mapped).filter(|(target, name)| target != name);
        let map = unknown.chain(found).collect();
        let is_unknown = |column: &Column| column.target.is_none() && !given.is_ignored(&column.name);
        Mapping {
            map,
            ignore_unknown: given.ignore_unknown || self.columns.iter().any(is_unknown),
            no_header: !self.has_header,
            delimiter: self.delimiter,
            cells: CellRules { decimal: self.decimal, date_order: self.date_order, ..given.cells },
            ..given.clone()
        }
    }
}

/// Options that the user has set, which are not guessed.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) encoding: Option<&'static Encoding>,
    pub(crate) format: Option<Format>,
    pub(crate) has_header: Option<bool>,
}

/// Returns what the file with this beginning is, and the beginning as text, which ends at the end of a line if the file
/// goes on. `mapping` has the attribute schema, and what the user has set.
pub(crate) fn inspect(begin: &[u8], goes_on: bool, given: &Given, mapping: &Mapping) -> (Inspection, String) {
    let encoding = given.encoding.unwrap_or_else(|| recognize_encoding(begin));
    // The beginning may end within a character.
    let mut text = encoding.decode_with_bom_removal(begin).0.into_owned();
    if goes_on && let Some(end) = text.rfind('\n') {
        text.truncate(end + 1);
    }
    let format = given.format.unwrap_or_else(|| recognize_format(&text, mapping));
    let mut inspection = Inspection {
        encoding,
        format,
        delimiter: None,
        has_header: true,
        columns: Vec::new(),
        decimal: mapping.cells.decimal,
        date_order: mapping.cells.date_order,
    };
    let mut have_strings = Vec::new();
    let (mut names, records) = match format {
        Format::Csv => {
            let table = rows::table(&text, mapping, MAX_RECORDS + 1);
            inspection.delimiter = Some(table.delimiter);
            inspection.has_header = given.has_header.unwrap_or_else(|| is_header(&table.records, mapping));
            let mut records = table.records;
            if inspection.has_header && !records.is_empty() {
                (records.remove(0), records)
            } else {
                let width = records.first().map_or(0, Vec::len);
                ((1..=width).map(|number| number.to_string()).collect(), records)
            }
        }
        Format::Ndjson => {
            let objects = rows::objects(&text, MAX_RECORDS, MAX_COLUMNS);
            have_strings = objects.have_strings;
            (objects.names, objects.records)
        }
        Format::Lines => (Vec::new(), Vec::new()),
    };
    names.truncate(MAX_COLUMNS);
    let values = |column: usize| records.iter().filter_map(move |record| record.get(column)).map(String::as_str);
    inspection.decimal = inspection.decimal.or_else(|| decimal(names.len(), values));
    inspection.date_order = inspection.date_order.or_else(|| date_order(names.len(), values));
    for (place, name) in names.into_iter().enumerate() {
        let samples = values(place).filter(|value| !is_none(value)).take(MAX_SAMPLES).map(shortened).collect();
        let has_strings = have_strings.get(place).is_some_and(|has_strings| *has_strings);
        let kind = |decimal, date_order| match has_strings {
            true => kind_of_strings(values(place), date_order, name.starts_with(ATTRIBUTE_PREFIX)),
            false => kind(values(place), decimal, date_order),
        };
        let recognized = kind(inspection.decimal, inspection.date_order);
        let CellRules { decimal, date_order, .. } = mapping.cells;
        let kind_as_given = kind(decimal, date_order);
        let forms = [(Some(Decimal::Comma), None), (Some(Decimal::Point), None)]
            .into_iter()
            .chain([(None, Some(DateOrder::Dmy)), (None, Some(DateOrder::Mdy))])
            .filter(|(other, order)| {
                other.is_none_or(|_| decimal.is_none()) && order.is_none_or(|_| date_order.is_none())
            });
        let mut others = forms.map(|(other, order)| kind(other.or(decimal), order.or(date_order)));
        let kind_with_form = if kind_as_given == Some(AttributeType::String) {
            others.find(|other| *other != kind_as_given).flatten()
        } else {
            None
        };
        drop(others);
        inspection.columns.push(Column {
            name,
            kind: recognized,
            kind_as_given,
            kind_with_form,
            samples,
            target: None,
        });
    }
    let is_unique = |column: usize| {
        let mut all: Vec<_> = values(column).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        all.len() == count && all.iter().all(|value| !is_none(value))
    };
    map_columns(&mut inspection.columns, mapping, is_unique);
    (inspection, text)
}

fn recognize_encoding(begin: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(begin) {
        return encoding;
    }
    // A character that is cut at the end is no error.
    let is_utf_8 = match std::str::from_utf8(begin) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    // In UTF-16, ASCII characters have a byte that is zero. A single one may be a NUL character of another encoding.
    let bytes = |offset: usize| begin.iter().skip(offset).step_by(2).take(100);
    let zeros = |offset: usize| bytes(offset).filter(|byte| **byte == 0).count();
    let is_high = |offset: usize| zeros(offset) > 1 && 10 * zeros(offset) >= bytes(offset).count();
    match (zeros(0), zeros(1)) {
        (0, _) if is_high(1) => UTF_16LE,
        (_, 0) if is_high(0) => UTF_16BE,
        _ if is_utf_8 => UTF_8,
        _ => WINDOWS_1252,
    }
}

fn recognize_format(text: &str, mapping: &Mapping) -> Format {
    if text.trim_start().starts_with('{') {
        return Format::Ndjson;
    }
    let first = text.lines().next().unwrap_or_default();
    let is_table = content::other_than_lines(text.as_bytes()).is_some() || text.starts_with("sep=");
    // A header alone, or a single column, is known by its names.
    let is_known = |name: &str| !mapping.field(name.trim().trim_matches('"')).is_empty();
    let mut delimiters = Delimiter::RECOGNIZED.iter();
    let is_header = delimiters.any(|delimiter| first.split(char::from(delimiter.byte())).any(is_known));
    if is_table || is_header { Format::Csv } else { Format::Lines }
}

/// Returns true if the cells of the first record can be names: there is one at least, and none is a number or a date, unless it
/// is the name of an attribute. Unless one is the name of a field or of an attribute, they have to be different. Cells without
/// text do not count.
fn is_header(records: &[Vec<String>], mapping: &Mapping) -> bool {
    let Some(first) = records.first() else { return true };
    let mut names: Vec<_> = first.iter().filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    let is_known = |name: &&String| !mapping.field(name).is_empty();
    let is_name = |name: &&String| {
        is_known(name) || (forms::number(name, None).is_none() && forms::date(name, Some(DateOrder::Dmy)).is_none())
    };
    let are_different = || names.windows(2).all(|pair| pair[0] != pair[1]);
    !names.is_empty() && names.iter().all(is_name) && (names.iter().any(is_known) || are_different())
}

fn shortened(value: &str) -> String {
    value.chars().take(MAX_SAMPLE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attribute::Definition;

    fn mapping() -> Mapping {
        let attribute = |(key, kind): (&str, AttributeType)| Definition { key: key.to_owned(), kind };
        let schema = [
            ("plan", AttributeType::String),
            ("birth_year", AttributeType::Number),
            ("joined", AttributeType::Date),
            ("ref", AttributeType::String),
        ];
        Mapping { schema: schema.map(attribute).to_vec(), ..Mapping::default() }
    }

    fn inspected(begin: &[u8]) -> Inspection {
        inspect(begin, false, &Given::default(), &mapping()).0
    }

    /// Returns the names of the columns with their types and targets.
    fn columns(begin: &[u8]) -> Vec<(String, &'static str, Option<String>)> {
        let kind = |column: &Column| column.kind.map_or("", AttributeType::name);
        inspected(begin)
            .columns
            .iter()
            .map(|column| (column.name.clone(), kind(column), column.target.clone()))
            .collect()
    }

    fn column(name: &str, kind: &'static str, target: &str) -> (String, &'static str, Option<String>) {
        (name.to_owned(), kind, (!target.is_empty()).then(|| target.to_owned()))
    }

    #[test]
    fn format_and_delimiter_are_recognized() {
        for (text, format, delimiter) in [
            ("ref,plan\nann,a\n", Format::Csv, Some(",")),
            ("Kunde;Plan\nann;a\n", Format::Csv, Some(";")),
            ("sep=|\nref|plan\nann|a\n", Format::Csv, Some("|")),
            ("a\tb\n1\t2\n", Format::Csv, Some("tab")),
            ("ref\nann\n", Format::Csv, Some(",")),
            ("id;plan\n", Format::Csv, Some(";")),
            ("ann\nben\n", Format::Lines, None),
            ("", Format::Lines, None),
            ("{\"ref\": \"ann\"}\n", Format::Ndjson, None),
        ] {
            let found = inspected(text.as_bytes());
            let delimiter = delimiter.map(|name| Delimiter::parse(name).expect("a delimiter"));
            assert_eq!((found.format, found.delimiter), (format, delimiter), "{text:?}");
        }
    }

    #[test]
    fn encoding_is_recognized() {
        let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let text = "ref,plan\nJ\u{f6}rg,a\n";
        for (bytes, encoding) in [
            (text.as_bytes().to_vec(), "UTF-8"),
            ([b"\xef\xbb\xbf", text.as_bytes()].concat(), "UTF-8"),
            (text.as_bytes()[..11].to_vec(), "UTF-8"),
            (b"ref,plan\nJ\xf6rg,a\n".to_vec(), "windows-1252"),
            (b"ref,plan\nann,a\0\n".to_vec(), "UTF-8"),
            (utf_16(text), "UTF-16LE"),
            ([b"\xff\xfe".to_vec(), utf_16(text)].concat(), "UTF-16LE"),
        ] {
            let found = inspected(&bytes);
            assert_eq!((found.encoding.name(), &*found.columns[0].name), (encoding, "ref"));
        }
    }

    #[test]
    fn columns_are_mapped_by_similar_names() {
        let text = "Customer ID;PLAN;Birth Year;Joined;Updated at;Note;attributes.ref\n\
            7;gold;1980;31.12.2024;2026-01-31T12:00:00Z;;x\n8;;;;;;y\n";
        let expected = [
            column("Customer ID", "NUMBER", "ref"),
            column("PLAN", "STRING", "plan"),
            column("Birth Year", "NUMBER", "birth_year"),
            column("Joined", "DATE", "joined"),
            column("Updated at", "DATE", "sourceUpdatedAt"),
            column("Note", "", ""),
            column("attributes.ref", "STRING", "attributes.ref"),
        ];
        assert_eq!(columns(text.as_bytes()), expected);
        let twice = "id,email\n1,a@example.com\n1,b@example.com\n";
        assert_eq!(columns(twice.as_bytes()), [column("id", "NUMBER", ""), column("email", "STRING", "ref")]);
        let ndjson = "{\"ref\":\"ann\",\"attributes\":{\"plan\":\"a\",\"birth_year\":7}}\nno\n{\"ref\":\"ben\",\"JOINED\":null}\n";
        let expected = [
            column("ref", "STRING", "ref"),
            column("attributes.plan", "STRING", "plan"),
            column("attributes.birth_year", "NUMBER", "birth_year"),
            column("JOINED", "", "joined"),
        ];
        assert_eq!(columns(ndjson.as_bytes()), expected);
    }

    #[test]
    fn header_may_be_missing() {
        for (text, has_header) in [
            ("ref,plan\nann,a\n", true),
            ("ann,7\nben,8\n", false),
            ("ann,31.12.2024\n", false),
            ("ann,ann\n", false),
            ("ref,plan,,x,x\n", true),
            ("", true),
        ] {
            let given = Given { format: Some(Format::Csv), ..Given::default() };
            assert_eq!(inspect(text.as_bytes(), false, &given, &mapping()).0.has_header, has_header, "{text:?}");
        }
        assert_eq!(columns(b"ann,7\nben,8\n"), [column("1", "STRING", ""), column("2", "NUMBER", "")]);
    }

    #[test]
    fn forms_of_numbers_and_dates_are_recognized() {
        let found = inspected(b"ref;a;b\n1;1.234,5;3/14/2024\n2;7;1/2/2024\n");
        assert_eq!((found.decimal, found.date_order), (Some(Decimal::Comma), Some(DateOrder::Mdy)));
        assert_eq!(found.columns[1].kind, Some(AttributeType::Number));
        let found = inspected(b"ref;a;b\n1;1,234.5;14/3/2024\n");
        assert_eq!((found.decimal, found.date_order), (Some(Decimal::Point), Some(DateOrder::Dmy)));
        let found = inspected(b"ref;a;b\n1;1.5;1/2/2024\n");
        assert_eq!((found.decimal, found.date_order), (None, None));
        let kinds = b"a;b;c;d\nja;{x,y};NULL;x\nnein;;;1\n";
        let kinds: Vec<_> =
            inspected(kinds).columns.iter().map(|column| column.kind.map(AttributeType::name)).collect();
        assert_eq!(kinds, [Some("BOOLEAN"), Some("STRING_LIST"), None, Some("STRING")]);
    }

    #[test]
    fn beginning_ends_at_the_end_of_a_line() {
        let (_, text) = inspect(b"ref,plan\nann,a\nben,", true, &Given::default(), &mapping());
        assert_eq!(text, "ref,plan\nann,a\n");
    }

    #[test]
    fn mapping_reads_the_rows() {
        let given = mapping();
        let (found, text) = inspect(b"Kundennummer;Plan;x\n7;a;1\n", false, &Given::default(), &given);
        let mapping = found.mapping(&given);
        let map = [("ref", "Kundennummer"), ("plan", "Plan")].map(|(key, name)| (key.to_owned(), name.to_owned()));
        assert_eq!((&mapping.map[..], mapping.ignore_unknown), (&map[..], true));
        let mut rows =
            rows::Rows::new(found.format, crate::members_file::source::of_text(&text), &mapping).expect("a header");
        let mut row = rows::Row::default();
        assert_eq!(rows.next(&mut row).expect("a row"), rows::Next::Row);
        assert_eq!(row.json, br#"{"ref":"7","attributes":{"plan":"a"}}"#);
    }
}
