//! The parameters of an import: its query string, and the media type of its body.

use std::borrow::Cow;

use axum::http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
    request,
};
use clap::ValueEnum;
use encoding_rs::{Encoding, UTF_8};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{EVENTS, description::PARAMETERS};
use crate::{
    domain::bulk::Mode,
    graphql::Code,
    http::{
        negotiate::joined,
        query_string::{boolean, choice, decoded, invalid, once, pairs, parsed, reject, unknown},
        rejection::Rejection,
    },
    members_file::{
        Format,
        cell::CellRules,
        columns::{Delimiter, Mapping},
        inspect,
    },
};

const DEFAULT_MAX_DELETED_PERCENT: f64 = 10.0;

/// The parameters of an import.
#[derive(Debug)]
pub(super) struct Parameters {
    /// Id or name.
    pub(super) memberbase: String,
    pub(super) format: Format,
    /// `None` for UTF-8, or UTF-16 with a byte order mark.
    pub(super) encoding: Option<&'static Encoding>,
    /// The columns and cells, without the attribute schema.
    pub(super) mapping: Mapping,
    /// True if columns that are not an attribute are declared as one.
    pub(super) declare: bool,
    pub(super) on_error: OnError,
    pub(super) mode: Mode,
    pub(super) dry_run: bool,
    /// `None` if members that are not in the file are kept.
    pub(super) mirror: Option<MirrorOptions>,
    /// The id that the client has chosen.
    pub(super) import: Option<Uuid>,
    /// The SHA-256 of the parameters by which rows are stored.
    pub(super) hash: [u8; 32],
    /// True if the client names the media type of events: it reads them while it sends the file. To other clients the response
    /// begins when the import has ended: proxies such as nginx stop to pass on a request whose response has begun.
    pub(super) reads_at_once: bool,
}

/// The parameters of an inspection.
#[derive(Debug)]
pub(super) struct InspectionParameters {
    /// Id or name.
    pub(super) memberbase: String,
    pub(super) given: inspect::Given,
    pub(super) mapping: Mapping,
    /// True if columns that are not an attribute would be declared as one.
    pub(super) declare: bool,
}

/// The parameters of a request.
#[derive(Debug)]
pub(super) enum Requested {
    Import(Parameters),
    Inspection(InspectionParameters),
}

impl Requested {
    /// Reads the parameters of a request.
    pub(super) fn of(head: &request::Parts) -> Result<Self, Rejection> {
        let media = Media::of(&head.headers)?;
        let mut mapping = Mapping::default();
        let mut given = read(head.uri.query().unwrap_or_default(), &mut mapping)?;
        given.format = given.format.or(media.format);
        given.encoding = given.encoding.or(media.encoding);
        let missing = || reject("the parameter memberbase is missing".to_owned());
        let memberbase = given.memberbase.take().ok_or_else(missing)?;
        mapping.no_header = given.header == Some(false);
        mapping.ignore_unknown = given.ignore_unknown.unwrap_or_default();
        if given.inspect != Some(true) {
            let reads_at_once = accepts_events(&head.headers);
            return Parameters::of(memberbase, given, mapping, reads_at_once).map(Self::Import);
        }
        let Given { encoding, format, header: has_header, declare, .. } = given;
        let given = inspect::Given { encoding, format, has_header };
        Ok(Self::Inspection(InspectionParameters { memberbase, given, mapping, declare: declare.unwrap_or_default() }))
    }
}

/// The effect of a row that is rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum OnError {
    /// The import fails.
    #[default]
    Reject,
    /// The other rows are stored.
    Skip,
}

/// The treatment of members that are not in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct MirrorOptions {
    pub(super) max_deleted_percent: f64,
    /// True if a sync that is still open is abandoned.
    pub(super) abandon_open: bool,
}

/// Restricts the rows that are stored by whether the member exists.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
#[value(rename_all = "camelCase")]
pub(super) enum UpsertMode {
    #[default]
    Upsert,
    InsertOnly,
    UpdateOnly,
}

impl From<UpsertMode> for Mode {
    fn from(mode: UpsertMode) -> Self {
        match mode {
            UpsertMode::Upsert => Self::Upsert,
            UpsertMode::InsertOnly => Self::InsertOnly,
            UpsertMode::UpdateOnly => Self::UpdateOnly,
        }
    }
}

/// The parameters that are given.
#[derive(Default)]
struct Given {
    /// The names and values of the parameters by which rows are stored.
    hasher: Sha256,
    import: Option<Uuid>,
    memberbase: Option<String>,
    inspect: Option<bool>,
    format: Option<Format>,
    encoding: Option<&'static Encoding>,
    header: Option<bool>,
    declare: Option<bool>,
    ignore_unknown: Option<bool>,
    on_error: Option<OnError>,
    mode: Option<UpsertMode>,
    dry_run: Option<bool>,
    mirror: Option<bool>,
    max_deleted_percent: Option<f64>,
    abandon_open: Option<bool>,
}

impl Parameters {
    fn of(memberbase: String, given: Given, mapping: Mapping, reads_at_once: bool) -> Result<Self, Rejection> {
        let missing = || reject("the parameter format is missing: it is csv, ndjson or lines".to_owned());
        let format = given.format.ok_or_else(missing)?;
        let is_csv = format == Format::Csv;
        let mut hasher = given.hasher;
        add(&mut hasher, "format", &format!("{format:?}"));
        add(&mut hasher, "encoding", given.encoding.map_or("", Encoding::name));
        let mirror = given.mirror.unwrap_or_default();
        let unfit = [
            (
                format == Format::Lines && !mapping.map.is_empty(),
                "map is for the columns of CSV and the fields of NDJSON",
            ),
            (
                format == Format::Lines && (!mapping.ignored.is_empty() || given.declare == Some(true)),
                "ignore and declare are for the columns of CSV and the fields of NDJSON",
            ),
            (!is_csv && (given.header.is_some() || mapping.delimiter.is_some()), "header and delimiter are for CSV"),
            (
                !mirror && (given.max_deleted_percent.is_some() || given.abandon_open.is_some()),
                "maxDeletedPercent and abandonOpen are for mirror=true",
            ),
            (
                given.dry_run == Some(true) && given.abandon_open == Some(true),
                "abandonOpen is not for dryRun=true, which changes nothing",
            ),
        ];
        if let Some((_, message)) = unfit.into_iter().find(|(is_unfit, _)| *is_unfit) {
            return Err(reject(message.to_owned()));
        }
        Ok(Self {
            memberbase,
            format,
            encoding: given.encoding,
            mapping,
            declare: given.declare.unwrap_or_default(),
            on_error: given.on_error.unwrap_or_default(),
            mode: given.mode.unwrap_or_default().into(),
            dry_run: given.dry_run.unwrap_or_default(),
            mirror: mirror.then(|| MirrorOptions {
                max_deleted_percent: given.max_deleted_percent.unwrap_or(DEFAULT_MAX_DELETED_PERCENT),
                abandon_open: given.abandon_open.unwrap_or_default(),
            }),
            import: given.import,
            hash: hasher.finalize().into(),
            reads_at_once,
        })
    }
}

/// Adds a parameter to the hash of all.
fn add(hasher: &mut Sha256, name: &str, value: &str) {
    for part in [name, value] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let accepted = joined(headers, &ACCEPT).unwrap_or_default();
    accepted.split(',').any(|range| {
        let media_type = range.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case(EVENTS)
    })
}

fn read(query: &str, mapping: &mut Mapping) -> Result<Given, Rejection> {
    let mut given = Given::default();
    let (mut decimal, mut date_order, mut empty) = (None, None, None);
    for (name, value) in pairs(query) {
        let name = &*name?;
        let value = decoded(name, value)?;
        // The memberbase has an id and a name. The format and the encoding can be in the media type.
        if !["memberbase", "import", "abandonOpen", "format", "encoding"].contains(&name) {
            add(&mut given.hasher, name, &value);
        }
        match name {
            "memberbase" => once(&mut given.memberbase, name, value.into_owned())?,
            "import" => once(&mut given.import, name, uuid(name, &value)?)?,
            "inspect" => once(&mut given.inspect, name, boolean(name, &value)?)?,
            "format" => once(&mut given.format, name, choice(name, &value)?)?,
            "delimiter" => once(&mut mapping.delimiter, name, parsed(name, &value, Delimiter::parse(&value))?)?,
            "encoding" => once(&mut given.encoding, name, encoding(&value)?)?,
            "decimal" => once(&mut decimal, name, choice(name, &value)?)?,
            "dateOrder" => once(&mut date_order, name, choice(name, &value)?)?,
            "map" => mapping.map.push(pair(&value)?),
            "ignore" => mapping.ignored.push(value.into_owned()),
            "declare" => once(&mut given.declare, name, boolean(name, &value)?)?,
            "header" => once(&mut given.header, name, boolean(name, &value)?)?,
            "empty" => once(&mut empty, name, choice(name, &value)?)?,
            "ignoreUnknownColumns" => once(&mut given.ignore_unknown, name, boolean(name, &value)?)?,
            "onError" => once(&mut given.on_error, name, choice(name, &value)?)?,
            "mode" => once(&mut given.mode, name, choice(name, &value)?)?,
            "dryRun" => once(&mut given.dry_run, name, boolean(name, &value)?)?,
            "mirror" => once(&mut given.mirror, name, boolean(name, &value)?)?,
            "maxDeletedPercent" => once(&mut given.max_deleted_percent, name, percent(name, &value)?)?,
            "abandonOpen" => once(&mut given.abandon_open, name, boolean(name, &value)?)?,
            // A typo in dryRun must not store anything.
            _ => return Err(unknown(name, PARAMETERS.iter().map(|parameter| parameter.name))),
        }
    }
    mapping.cells = CellRules { empty: empty.unwrap_or_default(), decimal, date_order };
    Ok(given)
}

/// Reads a UUID in its usual form, with hyphens.
pub(super) fn uuid(name: &str, text: &str) -> Result<Uuid, Rejection> {
    let uuid = Uuid::try_parse(text).ok().filter(|uuid| uuid.to_string().eq_ignore_ascii_case(text));
    uuid.ok_or_else(|| invalid(name, text, "expected a UUID"))
}

fn percent(name: &str, text: &str) -> Result<f64, Rejection> {
    let percent = text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| invalid(name, text, "expected a number from 0 to 100"))
}

fn pair(text: &str) -> Result<(String, String), Rejection> {
    match text.split_once('=') {
        Some((key, column)) if !key.is_empty() && !column.is_empty() => Ok((key.to_owned(), column.to_owned())),
        _ => Err(invalid("map", text, "expected KEY=COLUMN such as ref=customer_id")),
    }
}

fn encoding(text: &str) -> Result<&'static Encoding, Rejection> {
    let names = "the names are those of https://encoding.spec.whatwg.org/#names-and-labels";
    Encoding::for_label(text.as_bytes()).ok_or_else(|| invalid("encoding", text, names))
}

/// The format and the encoding in the media type of the body.
#[derive(Default)]
struct Media {
    format: Option<Format>,
    encoding: Option<&'static Encoding>,
}

impl Media {
    fn of(headers: &HeaderMap) -> Result<Self, Rejection> {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Self::default()) };
        let text = value.to_str().unwrap_or_default();
        let mut parts = text.split(';').map(str::trim);
        let format = match &*parts.next().unwrap_or_default().to_ascii_lowercase() {
            "text/csv" | "text/tab-separated-values" => Some(Format::Csv),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Format::Ndjson),
            "multipart/form-data" => {
                let message = "the body is the file itself, not a form that contains it";
                return Err(Rejection::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadRequest, message));
            }
            _ => None,
        };
        let charset = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.eq_ignore_ascii_case("charset").then(|| Cow::from(value.trim_matches('"')))
        });
        // Clients declare UTF-8 without a look at the file, which may be UTF-16 with a byte order mark.
        let encoding = charset.and_then(|name| Encoding::for_label(name.as_bytes())).filter(|named| *named != UTF_8);
        Ok(Self { format, encoding: encoding.filter(|_| format.is_some()) })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::members_file::cell::Empty;

    fn parameters(query: &str, media: Option<&str>) -> Result<Parameters, String> {
        let mut request = Request::post(format!("/import?{query}"));
        if let Some(media) = media {
            request = request.header(CONTENT_TYPE, media);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        match Requested::of(&head) {
            Ok(Requested::Import(parameters)) => Ok(parameters),
            Ok(Requested::Inspection(inspection)) => panic!("{inspection:?}"),
            Err(rejection) => Err(rejection.first_error().1),
        }
    }

    #[test]
    fn parameters_are_read() {
        let query = "memberbase=My+readers&format=csv&delimiter=tab&encoding=latin1&decimal=comma&dateOrder=dmy&empty=keep\
            &map=ref=id&map=plan%3dtier&ignore=Notiz&declare=true&header=false&ignoreUnknownColumns=true&onError=skip&mode=insertOnly\
            &mirror=true&maxDeletedPercent=2.5&abandonOpen=true";
        let read = parameters(query, Some("application/octet-stream")).expect("parameters");
        assert_eq!((&*read.memberbase, read.format, read.on_error), ("My readers", Format::Csv, OnError::Skip));
        assert_eq!((read.mode, read.dry_run), (Mode::InsertOnly, false));
        assert_eq!(read.encoding.map(Encoding::name), Some("windows-1252"));
        let Mapping { map, ignored, ignore_unknown, no_header, cells, delimiter, .. } = read.mapping;
        assert_eq!(map, [("ref", "id"), ("plan", "tier")].map(|(key, name)| (key.to_owned(), name.to_owned())));
        assert_eq!((ignored, read.declare), (vec!["Notiz".to_owned()], true));
        assert_eq!((ignore_unknown, no_header, cells.empty), (true, true, Empty::Keep));
        assert_eq!(delimiter, Delimiter::parse("tab").ok());
        let mirror = read.mirror.expect("a mirror");
        assert_eq!((mirror.max_deleted_percent, mirror.abandon_open), (2.5, true));
        let plain = parameters("memberbase=a&format=lines&dryRun=true", None).expect("parameters");
        assert_eq!((plain.on_error, plain.mode, plain.dry_run), (OnError::Reject, Mode::Upsert, true));
        assert!(!plain.reads_at_once && plain.mirror.is_none() && plain.encoding.is_none() && !plain.mapping.no_header);
    }

    #[test]
    fn every_described_parameter_is_known() {
        for parameter in PARAMETERS {
            let outcome = parameters(&format!("{}=%22", parameter.name), None);
            assert!(outcome.is_err_and(|message| !message.contains("unknown")), "{}", parameter.name);
        }
        let message = parameters("a=b", None).expect_err("unknown");
        assert!(message.ends_with("mirror, maxDeletedPercent, abandonOpen"), "{message}");
    }

    #[test]
    fn media_type_gives_the_format_and_the_encoding() {
        let read = |media: &str| {
            parameters("memberbase=a", Some(media)).map(|read| (read.format, read.encoding.map(Encoding::name)))
        };
        assert_eq!(read("text/csv"), Ok((Format::Csv, None)));
        assert_eq!(read("Text/CSV; charset=\"utf-8\"; header=present"), Ok((Format::Csv, None)));
        assert_eq!(read("text/csv;charset=ISO-8859-1"), Ok((Format::Csv, Some("windows-1252"))));
        assert_eq!(read("application/x-ndjson"), Ok((Format::Ndjson, None)));
        assert!(read("text/plain").is_err_and(|message| message.contains("format is missing")));
        assert!(read("multipart/form-data; boundary=x").is_err_and(|message| message.contains("not a form")));
    }

    #[test]
    fn invalid_parameter_is_named() {
        for (query, part) in [
            ("format=csv", "memberbase is missing"),
            ("memberbase=a", "format is missing"),
            ("memberbase=a&format=xlsx", "format is \"xlsx\": expected one of csv, ndjson, lines"),
            ("memberbase=a&format=csv&dryrun=true", "\"dryrun\" is unknown; they are memberbase, import, inspect"),
            ("memberbase=a&format=csv&dryRun=yes", "dryRun is \"yes\": expected true or false"),
            ("memberbase=a&format=csv&format=csv", "format is given more than once"),
            ("memberbase=a&format=csv&mode=insert", "expected one of upsert, insertOnly, updateOnly"),
            ("memberbase=a&format=csv&delimiter=%22", "delimiter is"),
            ("memberbase=a&format=csv&encoding=klingon", "encoding is \"klingon\""),
            ("memberbase=a&format=csv&map=ref", "expected KEY=COLUMN"),
            ("memberbase=a&format=lines&map=ref=a", "map is for the columns of CSV"),
            ("memberbase=a&format=lines&declare=true", "ignore and declare are for the columns of CSV"),
            ("memberbase=a&format=ndjson&header=false", "header and delimiter are for CSV"),
            ("memberbase=a&format=csv&abandonOpen=true", "are for mirror=true"),
            ("memberbase=a&format=csv&mirror=true&dryRun=true&abandonOpen=true", "abandonOpen is not for dryRun=true"),
            ("memberbase=a&format=csv&mirror=true&maxDeletedPercent=101", "expected a number from 0 to 100"),
            ("memberbase=a&format=csv&mirror=true&maxDeletedPercent=NaN", "expected a number from 0 to 100"),
            ("memberbase=%ff&format=csv", "memberbase is not percent-encoded UTF-8"),
        ] {
            let message = parameters(query, None).expect_err(query);
            assert!(message.contains(part), "{query}: {message}");
        }
    }
}
