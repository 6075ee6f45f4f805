//! Tests of limits, and that validation within the limits is bounded.

use std::time::{Duration, Instant};

use super::*;

/// Checks that work ends: what is not bounded takes far longer than this, and what is bounded a small part of it, also on a
/// busy machine.
fn bounded<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    result
}

/// Checks a document at a limit, and one above it.
fn assert_limit(at_limit: &str, above_limit: &str, reason: &str) {
    assert_valid(at_limit);
    assert_over_limit(above_limit, reason);
}

#[test]
fn limits_are_inclusive() {
    let limits = DocumentLimits::default();
    let bytes = |count: usize| format!("{{member{{name}}}}{}", "#".repeat(count - 14));
    assert_limit(
        &bytes(limits.bytes),
        &bytes(limits.bytes + 1),
        "has 262145 bytes, at most 262144 are allowed (MEMBERBASE_MAX_DOCUMENT)",
    );

    // 16 tokens in addition to the items, and 2 tokens per item.
    let tokens = |count: usize| format!("{{members(filter:{{or:[{}]}}){{name}}}}", "{}".repeat((count - 16) / 2));
    assert_over_limit(&tokens(limits.tokens + 2), "more than the maximum of 20000 tokens (MEMBERBASE_MAX_TOKENS)");
    assert_valid(&tokens(limits.tokens));

    let nested = |depth: usize| {
        let (open, close) = ("{or:[".repeat(depth / 2 - 1), "]}".repeat(depth / 2 - 1));
        format!("{{members(filter:{open}{close}){{name}}}}")
    };
    assert_limit(
        &nested(limits.bracket_depth),
        &nested(limits.bracket_depth + 2),
        "deeper than the maximum of 64 (MEMBERBASE_MAX_BRACKET_DEPTH)",
    );

    let deep = |depth: usize| format!("{{member{{{}name{}}}}}", "friend{".repeat(depth - 2), "}".repeat(depth - 2));
    assert_limit(&deep(15), &deep(16), "has 16 levels, at most 15 are allowed (MEMBERBASE_MAX_SELECTION_DEPTH)");

    let repeated = |part: &dyn Fn(usize) -> String, count: usize| (0..count).map(part).collect::<String>();
    let aliases = |count| format!("{{member{{{}}}}}", repeated(&|index| format!("a{index}:name "), count));
    assert_limit(&aliases(50), &aliases(51), "has 51 aliases, at most 50 are allowed (MEMBERBASE_MAX_ALIASES)");

    let roots = |count| format!("{{{}}}", "member{name}".repeat(count));
    assert_limit(
        &roots(50),
        &roots(51),
        "has 51 fields at its root, at most 50 are allowed (MEMBERBASE_MAX_ROOT_FIELDS)",
    );

    let directives = |count| format!("{{member{{{}}}}}", "name@skip(if:false)".repeat(count));
    assert_limit(
        &directives(50),
        &directives(51),
        "has 51 directives, at most 50 are allowed (MEMBERBASE_MAX_DIRECTIVES)",
    );

    let fragments = |count| {
        let spreads = repeated(&|index| format!("...F{index} "), count);
        let fragments = repeated(&|index| format!("fragment F{index} on Member{{name}}"), count);
        format!("{{member{{{spreads}}}}}{fragments}")
    };
    assert_limit(&fragments(50), &fragments(51), "has 51 fragments, at most 50 are allowed (MEMBERBASE_MAX_FRAGMENTS)");

    let selections = |count: usize| format!("{{member{{{}}}}}", "name ".repeat(count - 1));
    assert_limit(
        &selections(10_000),
        &selections(10_001),
        "has 10001 selections with its fragments, at most 10000 are allowed (MEMBERBASE_MAX_SELECTIONS)",
    );

    let operations = |count| repeated(&|index| format!("query Q{index}{{member{{name}}}}"), count);
    assert_limit(
        &operations(10),
        &operations(11),
        "has 11 operations, at most 10 are allowed (MEMBERBASE_MAX_OPERATIONS)",
    );
}

#[test]
fn names_and_variables_are_limited() {
    assert_over_limit(&format!("{{{}}}", "a".repeat(257)), "a name has 257 bytes, at most 256 are allowed");
    let variables: String = (0..501).map(|index| format!("$v{index}:Int ")).collect();
    assert_over_limit(&format!("query({variables}){{member{{name}}}}"), "501 variables, at most 500 are allowed");
}

#[test]
fn exponential_fragments_are_rejected() {
    let mut text = "{member{...F0}}".to_owned();
    for index in 0..9 {
        let spreads = format!("...F{} ", index + 1).repeat(30);
        text += &format!("fragment F{index} on Member{{{}}}", if index == 8 { "name" } else { &spreads });
    }
    let documents = documents();
    let errors = bounded(|| validation_errors(&documents, &text));
    assert!(errors[0].message().contains("selections with its fragments"), "{errors:?}");
}

#[test]
fn brackets_do_not_overflow_the_stack() {
    for open in ["[", "{", "(", "{a", "a(a:[", "query($a:[", "{...", "{a(a:{a:", "\"\"\"\" [", "{a(b:\"\"\"\" [[[[["] {
        let text = open.repeat(100_000);
        for text in [text.clone(), format!("{{a(b:[{text}"), format!("query($a:{text}")] {
            bounded(|| first_error(&text[..text.len().min(260_000)]));
            bounded(|| first_error(&text));
        }
    }
    // apollo-parser reads two empty strings here, and would recurse for each bracket after them.
    let error = first_error(&format!("{{members(filter:[\"\"\"\"{}", "[".repeat(100_000)));
    assert_eq!(error.code(), Code::GraphqlParseFailed);
    assert!(error.message().contains("unterminated string"), "{error:?}");
    // A chain of fragments, each with inline fragments of the maximum depth of brackets.
    let (open, close) = ("...on Member{".repeat(60), "}".repeat(60));
    let chain: String =
        (0..49).map(|index| format!("fragment F{index} on Member{{{open}...F{}{close}}}", index + 1)).collect();
    assert_over_limit(
        &format!("{{member{{...F0}}}}{chain}fragment F49 on Member{{name}}"),
        "nested deeper than the maximum of 64",
    );
}

/// Documents that are close to the limits and slow to validate.
#[test]
fn documents_within_limits_are_validated() {
    let inline = |depth, inner: &str| format!("{{member{{{}{inner}{}}}}}", "...{".repeat(depth), "}".repeat(depth));
    let arguments: String = (0..200).map(|index| format!("a{index}:1 ")).collect();
    let literal = format!("members(filter:{{or:[{}]}}){{name}}", "{}".repeat(5_000));
    let variables: String = (0..500).map(|index| format!("$v{index}:Int ")).collect();
    let unknown: String = (0..9_000).map(|index| format!("x{index} ")).collect();
    let texts = [
        inline(25, &"name ".repeat(9_000)),
        inline(0, &format!("friend({arguments}){{name}}friend({arguments}){{name}}")),
        inline(17, &"friend(at:1){name}friend(at:2){name}".repeat(900)),
        format!("{{{}}}fragment F on Query{{{literal}}}", "...F ".repeat(22)),
        format!("query({variables}){{member{{{}}}}}", "friend(at:$v499){name}".repeat(1_750)),
        inline(0, &unknown),
        inline(0, &format!("{} ", "m".repeat(256)).repeat(1_000)),
        (0..10).map(|index| format!("query Q{index}{{...F}}")).collect::<String>()
            + &format!("fragment F on Query{{member{{{}}}}}", "name ".repeat(9_990)),
        inline(0, &format!("name #{}\n", "#".repeat(250_000))),
        inline(30, &format!("name {}", ", \n".repeat(80_000))),
        inline(0, &"name#\n,".repeat(9_000)),
        format!("{{members(filter:{{name:\"{}\"}}){{name}}}}", "\\u00e9".repeat(40_000)),
    ];
    for (index, text) in texts.iter().enumerate() {
        let documents = documents();
        let outcome = bounded(|| documents.get(text)).map_err(|mut errors| errors.swap_remove(0)).err();
        let message = outcome.as_ref().map(|error| error.message().to_owned());
        assert!(outcome.is_none_or(|error| error.code() == Code::GraphqlValidationFailed), "{index}: {message:?}");
    }
}

#[test]
fn validation_steps_are_limited() {
    let text = format!("{{member{{{}{}{}}}}}", "...{".repeat(60), "name ".repeat(9_000), "}".repeat(60));
    assert_over_limit(&text, "steps to validate, at most 250000 are allowed");
}
