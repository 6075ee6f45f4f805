//! A corpus of patterns with the same matches on both databases.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server};

/// A pattern, whether it ignores case, the refs that it matches and those that it does not.
type Case = (&'static str, bool, &'static [&'static str], &'static [&'static str]);

const CORPUS: &[Case] = &[
    ("", false, &["a", "é", "\n"], &[]),
    ("abc", false, &["abc", "xabcx"], &["ABC", "ab", "a b c"]),
    ("é", false, &["é", "caf\u{e9}"], &["e", "e\u{301}", "É"]),
    ("日本", false, &["日本語"], &["日", "本日"]),
    ("😀", false, &["a😀b"], &["😁"]),
    ("a.c", false, &["abc", "a\nc", "aéc", "a😀c", "a\rc", "a\u{2028}c"], &["ac", "abbc"]),
    ("^.$", false, &["a", "\n", "é", "😀", "\u{10ffff}"], &["ab", "e\u{301}", "a\n"]),
    ("^..$", false, &["ab", "e\u{301}", "😀😀", "\r\n"], &["a", "😀"]),
    ("[abc]", false, &["xax", "b"], &["xyz", "A"]),
    ("[^abc]", false, &["abcd", "\n", "é", "A"], &["abc", "a"]),
    ("^[^\\d]+$", false, &["abc", "\n\n", "٣"], &["a1"]),
    ("[a-c]", false, &["b", "xc"], &["d", "B", "é"]),
    ("[à-ü]", false, &["é", "ü"], &["e", "ý", "É"]),
    ("[😀-😎]", false, &["😃"], &["😏", "a"]),
    ("[a-]", false, &["-", "a"], &["b"]),
    ("[-a]", false, &["-", "a"], &["b"]),
    ("[\\]]", false, &["]"], &["[", "\\"]),
    ("[\\^a]", false, &["^", "a"], &["b", "\\"]),
    ("[a^]", false, &["^", "a"], &["b"]),
    ("[\\\\]", false, &["\\"], &["/", "a"]),
    ("[\\d_]", false, &["5", "_"], &["a", "-"]),
    ("[.*+?()|{}$]", false, &[".", "*", "+", "?", "(", ")", "|", "{", "}", "$"], &["a", "\\", "^"]),
    ("[!-/]", false, &["!", "/", "-", "'"], &["0", " "]),
    ("[&&a]", false, &["&", "a"], &["b"]),
    ("[a~~b]", false, &["~", "a", "b"], &["c"]),
    ("[=:.]", false, &["=", ":", "."], &["a"]),
    ("(ab)+c", false, &["abc", "ababc"], &["ac", "bc"]),
    ("(?:ab){2}", false, &["abab"], &["ab", "aabb"]),
    ("((a)(b))c", false, &["abc"], &["ac"]),
    ("()a", false, &["a"], &["b"]),
    ("a|b", false, &["xa", "b"], &["c"]),
    ("^(a|b)$", false, &["a", "b"], &["ab", "c"]),
    ("^a|b$", false, &["axx", "xxb"], &["xax", "bx"]),
    ("a|", false, &["a", "zzz"], &[]),
    ("^(|a)$", false, &["a"], &["b", "aa"]),
    ("ab*c", false, &["ac", "abc", "abbbc"], &["adc"]),
    ("ab+c", false, &["abc", "abbbc"], &["ac"]),
    ("ab?c", false, &["ac", "abc"], &["abbc"]),
    ("^a{3}$", false, &["aaa"], &["aa", "aaaa"]),
    ("^a{2,}$", false, &["aa", "aaaaa"], &["a"]),
    ("^a{1,3}$", false, &["a", "aaa"], &["aaaa"]),
    ("^a{0}b$", false, &["b"], &["ab"]),
    ("^a{0,}$", false, &["a"], &["b"]),
    ("^(a*)*$", false, &["aaa"], &["ab"]),
    ("^abc", false, &["abcd"], &["xabc", "x\nabc"]),
    ("abc$", false, &["xabc"], &["abcx", "abc\n", "abc\nx"]),
    ("x^a", false, &[], &["xa", "x^a", "x\na"]),
    ("a$b", false, &[], &["ab", "a$b", "a\nb"]),
    ("\\d", false, &["a1", "0"], &["a", "٣", "１"]),
    ("^\\w+$", false, &["aZ_09"], &["é", "a-b", "ａ", "a b", "a\u{301}"]),
    ("\\s", false, &["a b", "\t", "\n", "\r", "\u{b}", "\u{c}"], &["ab", "\u{a0}", "\u{2003}", "\u{85}"]),
    ("k", true, &["k", "K"], &["\u{212a}", "x"]),
    ("K", true, &["k", "K"], &["\u{212a}"]),
    ("s", true, &["s", "S"], &["\u{17f}"]),
    ("é", true, &["é"], &["É", "e"]),
    ("[a-z]+É", true, &["ABÉ", "abÉ"], &["abé"]),
    ("^[W-c]$", true, &["a", "w", "Z", "C", "_", "B", "b"], &["d", "D", "v"]),
    ("[^a]", true, &["b", "\u{e4}"], &["a", "A", "aA"]),
    ("^\\w$", true, &["k", "K"], &["\u{212a}", "\u{17f}"]),
    ("i", true, &["i", "I"], &["ı", "İ"]),
    ("a\\.b", false, &["a.b"], &["axb", "a\\.b"]),
    ("\\*\\+\\?\\(\\)\\[\\]\\{\\}\\|\\^\\$\\\\", false, &["*+?()[]{}|^$\\"], &["*+"]),
    ("\\-\\/\\#\\~\\&", false, &["-/#~&"], &["-/#"]),
    ("%_", false, &["a%_b"], &["a%b", "ab"]),
    ("a #b", false, &["a #b"], &["a", "ab"]),
    ("''\"", false, &["''\""], &["'"]),
];

const REFUSED: &[&str] = &[
    "*a",
    "a**",
    "a{",
    "a{2",
    "a{,2}",
    "a{3,2}",
    "a{256}",
    "(",
    ")",
    "[",
    "[]",
    "[^]",
    "[z-a]",
    "[[:alpha:]]",
    "[a-\\d]",
    "\\b",
    "\\1",
    "\\D",
    "\\W",
    "\\S",
    "\\n",
    "\\x41",
    "\\u0041",
    "\\é",
    "\\",
    "(?=a)",
    "(?!a)",
    "(?<=a)",
    "(?i)a",
    "(?<n>a)",
    "(?P<n>a)",
    "a}",
    "a]",
    "^*",
    "$+",
    "a*?",
    "a++",
    "\\ ",
    "***:a",
    "a\0b",
    "[\0]",
];

async fn query_members(caller: &Caller, base: &str, pattern: &str, fold: bool) -> ApiResponse {
    let query = "query($b: ID!, $r: RegexFilter!) { \
        members(memberbaseId: $b, filter: {ref: {regex: $r}}, first: 1000) { nodes { ref } } }";
    caller.graphql(query, json!({"b": base, "r": {"pattern": pattern, "caseInsensitive": fold}})).await
}

#[rstest]
#[tokio::test]
async fn pattern_matches_the_same_on_both_databases(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let reader = server.reader().await;
    let mut wrong = Vec::new();
    let mut texts: Vec<&str> = CORPUS.iter().flat_map(|case| case.2.iter().chain(case.3)).copied().collect();
    texts.sort_unstable();
    texts.dedup();
    let base = server.memberbase_of(&texts).await;
    for &(pattern, fold, matching, others) in CORPUS {
        let response = query_members(&reader, &base, pattern, fold).await;
        let nodes = response.json()["data"]["members"]["nodes"].clone();
        let Some(nodes) = nodes.as_array() else {
            wrong.push(format!("{pattern:?}: {}", response.json()));
            continue;
        };
        let found: Vec<&str> = nodes.iter().map(|node: &Value| node["ref"].as_str().unwrap()).collect();
        let missed: Vec<_> = matching.iter().filter(|text| !found.contains(text)).collect();
        let taken: Vec<_> = others.iter().filter(|text| found.contains(text)).collect();
        if !missed.is_empty() || !taken.is_empty() {
            wrong.push(format!("{pattern:?} (fold: {fold}) misses {missed:?} and takes {taken:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[rstest]
#[tokio::test]
async fn pattern_outside_the_dialect_is_rejected(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = server.memberbase_of(&["a"]).await;
    let reader = server.reader().await;
    let (deep, long, large) = ("(".repeat(21) + &")".repeat(21), "a".repeat(1025), "(a{255}){255}".to_owned());
    for pattern in REFUSED.iter().copied().chain([deep.as_str(), &long, &large]) {
        let response = query_members(&reader, &base, pattern, false).await;
        assert_eq!(response.code(), "BAD_USER_INPUT", "{pattern:?}: {}", response.json());
    }
}
