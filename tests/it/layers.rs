//! Checks the import rule of ARCHITECTURE.md against all paths in the sources, not only those in `use` declarations.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// External crates that only some layers may use.
const CRATES: [&str; 9] = [
    "sea_orm",
    "sea_query_sqlx",
    "migration",
    "sqlx",
    "async_graphql",
    "async_graphql_axum",
    "axum",
    "hyper",
    "prometheus_client",
];

const MODULES: [&str; 16] = [
    "cli",
    "commands",
    "config",
    "telemetry",
    "auth",
    "http",
    "metrics",
    "rpc",
    "graphql",
    "members_file",
    "domain",
    "app",
    "db",
    "entity",
    "types",
    "budget",
];

/// Returns the modules and the crates (of [`CRATES`]) that a top-level module may use.
fn allowed(module: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match module {
        "main" | "lib" => (&MODULES, &[]),
        // Command-line arguments parse into the domain's types.
        "cli" => (&["config", "members_file", "domain", "types"], &[]),
        "commands" => (
            &[
                "cli",
                "config",
                "telemetry",
                "auth",
                "http",
                "graphql",
                "rpc",
                "members_file",
                "domain",
                "app",
                "db",
                "types",
            ],
            &["sea_orm"],
        ),
        "config" => (&["db", "types"], &["axum"]),
        "telemetry" => (&["config"], &[]),
        "http" => (
            &[
                "telemetry",
                "auth",
                "metrics",
                "rpc",
                "graphql",
                "members_file",
                "domain",
                "app",
                "db",
                "types",
                "budget",
            ],
            &["axum", "hyper", "async_graphql", "async_graphql_axum"],
        ),
        "metrics" => (&["app", "db", "types", "budget"], &["prometheus_client"]),
        "auth" => (&["domain", "app", "types"], &["axum"]),
        "rpc" => (&["domain", "app", "types", "budget"], &["axum"]),
        "graphql" => (&["domain", "app", "types", "budget"], &["async_graphql"]),
        "members_file" => (&["domain", "types"], &[]),
        "domain" => (&["app", "db", "entity", "types", "budget"], &["sea_orm"]),
        "app" => (&["db", "entity", "types", "budget"], &[]),
        "db" => (&["entity", "types", "budget"], &["sea_orm", "sea_query_sqlx", "migration", "sqlx"]),
        "entity" => (&[], &["sea_orm"]),
        "types" => (&["budget"], &[]),
        "budget" => (&[], &[]),
        other => panic!("layers.rs does not know the module {other}: say what it may import"),
    }
}

/// Returns the source without comments and with empty string and character literals.
fn code(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let starts = |at: usize, with: &str| with.chars().enumerate().all(|(n, c)| bytes.get(at + n) == Some(&c));
    let (mut out, mut at) = (String::new(), 0);
    while at < bytes.len() {
        if starts(at, "//") {
            while at < bytes.len() && bytes[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            let mut depth = 0;
            loop {
                let (step, change) = if starts(at, "/*") {
                    (2, 1)
                } else if starts(at, "*/") {
                    (2, -1)
                } else {
                    (1, 0)
                };
                (at, depth) = (at + step, depth + change);
                if depth == 0 || at >= bytes.len() {
                    break;
                }
            }
            out.push(' ');
        } else if bytes[at] == '"' {
            // A raw string ends with as many # as precede its opening quote; in other strings \ escapes.
            let before: String = out.chars().rev().take_while(|&c| c == '#').collect();
            let raw = out[..out.len() - before.len()].ends_with(['r']);
            let end = format!("\"{}", if raw { before.as_str() } else { "" });
            at += 1;
            while at < bytes.len() && !starts(at, &end) {
                at += if !raw && bytes[at] == '\\' { 2 } else { 1 };
            }
            at += end.len();
            out.push_str("\"\"");
        } else if bytes[at] == '\'' && (bytes.get(at + 1) == Some(&'\\') || bytes.get(at + 2) == Some(&'\'')) {
            at += if bytes[at + 1] == '\\' { 3 } else { 2 };
            while at < bytes.len() && bytes[at] != '\'' {
                at += 1;
            }
            at += 1;
            out.push(' ');
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

/// Splits code into words, `::`, and single other characters.
fn tokens(code: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), code);
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        if !first.is_whitespace() {
            tokens.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    tokens
}

/// Returns all paths of a file that start at `crate`, `super` or one of [`CRATES`], with at least their first two
/// segments: `crate::db`, `sqlx`. `module` is the module of the file.
fn paths(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let code = code(text);
    let tokens = tokens(&code);
    // The inline modules around the token, each with the depth of braces at which it ends.
    let (mut found, mut inner, mut depth) = (Vec::new(), Vec::<(String, usize)>::new(), 0_usize);
    for (at, &token) in tokens.iter().enumerate() {
        match token {
            "{" => {
                if at >= 2 && tokens[at - 2] == "mod" {
                    inner.push((tokens[at - 1].to_owned(), depth));
                }
                depth += 1;
            }
            "}" => {
                depth = depth.saturating_sub(1);
                if inner.last().is_some_and(|(_, end)| *end == depth) {
                    inner.pop();
                }
            }
            _ => {}
        }
        // `a::b` continues a path; `::a` starts one.
        let goes_on = at > 0
            && tokens[at - 1] == "::"
            && at > 1
            && is_word(tokens[at - 2])
            && !KEYWORDS.contains(&tokens[at - 2]);
        let in_use = at > 0 && ["use", "crate"].contains(&tokens[at - 1]);
        let leads = tokens.get(at + 1) == Some(&"::") || in_use;
        let is_crate = CRATES.contains(&token) && !within_path(&tokens, at);
        if goes_on || !(leads || is_crate && in_tree(&tokens, at)) {
            continue;
        }
        let here = || module.iter().chain(inner.iter().map(|(name, _)| name)).cloned().collect::<Vec<_>>();
        match token {
            "crate" => tree(&tokens, at, Vec::new(), &mut found),
            "super" if !within_path(&tokens, at) => {
                let mut above = here();
                above.pop();
                tree(&tokens, at, above, &mut found);
            }
            _ if is_crate => found.push(vec![token.to_owned()]),
            _ => {}
        }
    }
    found
}

const KEYWORDS: [&str; 8] = ["use", "as", "in", "return", "where", "impl", "mut", "dyn"];

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Returns whether the token follows `x::` or is within `x::{...}`.
fn within_path(tokens: &[&str], mut at: usize) -> bool {
    let mut depth = 0;
    if at > 1 && tokens[at - 1] == "::" {
        return is_word(tokens[at - 2]) && !KEYWORDS.contains(&tokens[at - 2]);
    }
    // A use tree consists of words, commas, asterisks, `::` and braces.
    while at > 0 {
        at -= 1;
        match tokens[at] {
            "}" => depth += 1,
            "{" if depth > 0 => depth -= 1,
            "{" if at > 0 && tokens[at - 1] == "::" => return at > 1 && is_word(tokens[at - 2]),
            "{" if at > 0 && tokens[at - 1] == "use" => return false,
            "," | "*" | "::" => {}
            word if is_word(word) && word != "use" => {}
            _ => return false,
        }
    }
    false
}

/// Returns whether the token is an item of its own in `use {a, b}`.
fn in_tree(tokens: &[&str], at: usize) -> bool {
    at > 0
        && ["{", ","].contains(&tokens[at - 1])
        && tokens[..at].iter().rposition(|token| *token == "use").is_some_and(|start| !tokens[start..at].contains(&";"))
}

/// Collects the path that continues after the token at `at`, and each branch of its use tree. `path` ends at `at`.
fn tree(tokens: &[&str], at: usize, path: Vec<String>, found: &mut Vec<Vec<String>>) {
    let mut step = |index: usize| {
        let mut path = path.clone();
        match tokens[index] {
            "self" => {}
            "super" => drop(path.pop()),
            word => path.push(word.to_owned()),
        }
        tree(tokens, index, path, found);
    };
    if tokens.get(at + 1) != Some(&"::") || at + 2 >= tokens.len() {
        return found.push(path);
    }
    if tokens[at + 2] != "{" {
        return step(at + 2);
    }
    let (mut index, mut depth, mut begins) = (at + 3, 1, true);
    while depth > 0 && index < tokens.len() {
        match tokens[index] {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," => begins = depth == 1,
            _ if begins && depth == 1 => {
                begins = false;
                step(index);
            }
            _ => {}
        }
        index += 1;
    }
}

/// Returns the paths in a file that its module may not use.
fn violations(text: &str, module: &[String]) -> Vec<String> {
    let (modules, crates) = allowed(&module[0]);
    let against = |path: &Vec<String>| {
        path.first().is_some_and(|first| {
            let own = *first == module[0];
            MODULES.contains(&first.as_str()) && !own && !modules.contains(&first.as_str())
                || CRATES.contains(&first.as_str()) && !crates.contains(&first.as_str())
        })
    };
    paths(text, module).into_iter().filter(against).map(|path| path.join("::")).collect()
}

/// Returns all `.rs` files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Returns the module of a file: `graphql`, `member`, `list` for `src/graphql/member/list.rs`.
fn module(file: &Path) -> Vec<String> {
    let file = file.strip_prefix("src").unwrap().with_extension("");
    let names = file.iter().map(|name| name.to_str().unwrap().to_owned());
    names.filter(|name| name != "mod").collect()
}

#[test]
fn no_module_violates_the_import_rule() {
    let files = files(Path::new("src"));
    let mut against = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        against.extend(violations(&text, &module(file)).iter().map(|path| format!("{} names {path}", file.display())));
    }
    assert!(files.len() > 40 && against.is_empty(), "{} files: {against:#?}", files.len());
}

#[test]
fn import_rule_covers_every_module() {
    let library = fs::read_to_string("src/lib.rs").unwrap();
    for line in library.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        let name = line.trim_end_matches(';');
        assert!(MODULES.contains(&name), "layers.rs does not know the module {name}");
        allowed(name);
    }
}

#[test]
fn violations_are_found() {
    let planted: [(&str, &str, &[&str]); 20] = [
        ("graphql/member", "use sea_orm::DbErr;", &["sea_orm"]),
        ("graphql/member", "use crate::{domain::{self, access}, entity::member};", &["entity::member"]),
        ("graphql/member", "use crate::{types::{Id, MemberId}, db::{self, Lock}};", &["db", "db::Lock"]),
        ("graphql/member", "fn f() -> Result<(), sea_orm::DbErr> { todo!() }", &["sea_orm"]),
        (
            "graphql/member",
            "fn f() { let x = <crate::entity::member::Entity as T>::f(); }",
            &["entity::member::Entity"],
        ),
        ("graphql/member", "use super::super::entity;", &["entity"]),
        ("graphql/member", "use super::{super::entity::member, list};", &["entity::member"]),
        ("graphql", "use super::entity::member;", &["entity::member"]),
        ("graphql/member", "mod tests { use super::super::super::entity; }", &["entity"]),
        ("graphql/member", "use {std::fmt, sqlx, crate::db::Db};", &["sqlx", "db::Db"]),
        ("graphql/member", "use ::sqlx::Row; extern crate sqlx;", &["sqlx", "sqlx"]),
        (
            "domain/member",
            "use crate::{\n    app::App, // fine\n    graphql::{Code, Error as E},\n};",
            &["graphql::Code", "graphql::Error"],
        ),
        ("domain/member", "impl From<E> for async_graphql::Error {}", &["async_graphql"]),
        ("domain/member", "use axum::http::StatusCode; use crate::http;", &["axum", "http"]),
        ("entity/member", "use crate::types::Id;", &["types::Id"]),
        ("types/id", "pub use crate::db::Db as X;", &["db::Db"]),
        ("db/session", "use crate::domain::*;", &["domain::*"]),
        ("http/answer", "let a = '\"'; let b = \"\\\"\"; sqlx::query(b);", &["sqlx"]),
        ("app", "use sqlx as s;", &["sqlx"]),
        ("domain/member", "let a = r#\"x\"y\"#; let b: &'static str = crate::auth::X;", &["auth::X"]),
    ];
    for (module, text, expected) in planted {
        let module: Vec<_> = module.split('/').map(str::to_owned).collect();
        assert_eq!(violations(text, &module), *expected, "{text}");
    }
}

#[test]
fn allowed_imports_are_accepted() {
    let fine = [
        ("graphql/member", "// use sea_orm::DbErr;\n/* sqlx::query /* crate::db */ sqlx::x */ /// crate::entity::x\n"),
        (
            "graphql/member",
            "let a = \"sqlx::query\"; let b = r#\"crate::db\" \"#; let c = 'x'; fn f<'a>(x: &'a str) {}",
        ),
        ("graphql/member", "use super::{Error, list}; mod tests { use super::*; use super::super::list; }"),
        ("graphql/member", "use crate::{domain::{db, entity::x}, graphql::db::y}; use crate::domain::sqlx::Z;"),
        ("graphql", "mod tests { use super::{entity, db}; }"),
        ("db", "pub(crate) fn f() {} pub(in crate::db) fn g() {} use sqlx::{Pool, axum::X};"),
        ("entity/member", "#[sea_orm(table_name = \"x\")] use sea_orm::entity::prelude::*; use super::api_token;"),
    ];
    for (module, text) in fine {
        let module: Vec<_> = module.split('/').map(str::to_owned).collect();
        assert_eq!(violations(text, &module), [""; 0], "{text}");
    }
}
