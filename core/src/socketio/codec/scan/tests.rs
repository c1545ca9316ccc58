//! The scanner against the grammar, against `serde_json`, and against hostile text.

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;

fn nested(open: &str, close: &str, depth: u32) -> String {
    let depth = depth as usize;
    open.repeat(depth) + "1" + &close.repeat(depth)
}

#[test]
fn whatever_json_parse_takes_is_taken() {
    for text in [
        "-0",
        "0",
        "1e400",
        "-1.5E+3",
        "1e-9",
        "true",
        " null ",
        "\t[\n]\r",
        "{}",
        "\"\"",
        "\"\u{7f}\u{2028}\"",
        r#"{"a":1,"a":2}"#,
        r#"{"":[[],{}]}"#,
        r#""\"\\\/\b\f\n\r\t\u00Ff""#,
        "[1 , 2]",
        r#"{ "a" : 1 , "b" : 2 }"#,
    ] {
        assert!(value(text).is_ok(), "{text}");
    }
}

#[test]
fn whatever_json_parse_refuses_is_refused() {
    for text in [
        "",
        " ",
        "+1",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "-",
        "0x1",
        "NaN",
        "tru",
        "nul",
        "True",
        "[",
        "]",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "[}",
        "{]",
        "[1}",
        "{\"a\":1]",
        "\"",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "\"\u{0}\"",
        "'a'",
        "1 1",
        "{}{}",
        "null,",
        "\u{a0}1",
        "\u{feff}1",
        "//\n1",
    ] {
        assert!(value(text).is_err(), "{text:?}");
    }
}

#[test]
fn depth_ends_where_serde_json_ends() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let step = if open.len() > 5 { 2 } else { 1 };
        let fits = nested(open, close, MAX_DEPTH / step);
        assert!(value(&fits).is_ok());
        assert!(serde_json::from_str::<Value>(&fits).is_ok());
        let over = nested(open, close, MAX_DEPTH / step + 1);
        assert_eq!(value(&over).unwrap_err().why, Why::TooDeep);
        assert!(serde_json::from_str::<Value>(&over).is_err());
    }
    let args = format!("[\"a\",{}]", nested("[", "]", MAX_DEPTH));
    assert!(event(&args).is_ok());
}

#[test]
fn hundred_thousand_levels_are_refused_early() {
    for unit in ["[", "{\"a\":", "[[],", "{\"a\":{},\"b\":"] {
        assert_eq!(value(&unit.repeat(100_000)).unwrap_err().why, Why::TooDeep, "{unit}");
    }
}

#[test]
fn width_is_not_depth() {
    let wide = format!("[{}[]]", "[[{}]],".repeat(10_000));
    assert!(value(&wide).is_ok());
}

#[test]
fn event_is_split_into_name_and_arguments() {
    for (text, name, args) in [
        (r#"["a"]"#, "a", ""),
        (r#"[ "a" ] "#, "a", ""),
        (r#"["a",1,"b"]"#, "a", r#"1,"b""#),
        (r#"[ "a" , [ 1 ] , {} ]"#, "a", "[ 1 ] , {}"),
        (r#"["",null]"#, "", "null"),
        (r#"["caf\u00e9",1]"#, "caf\u{e9}", "1"),
        (r#"["\ud83d\ude00"]"#, "\u{1f600}", ""),
        (r#"["\ud83d!"]"#, "\u{fffd}!", ""),
        (r#"["a\"]",1]"#, "a\"]", "1"),
        ("[7,1]", "7", "1"),
    ] {
        let found = event(text).unwrap();
        assert_eq!((found.name.as_deref(), &*found.args), (Some(name), args), "{text}");
    }
}

#[test]
fn event_without_a_name_has_none() {
    for text in [
        "[]",
        "[ ]",
        "[null]",
        "[{\"toString\":\"foo\"}]",
        "[[\"a\"],1]",
        "[true]",
    ] {
        assert!(event(text).unwrap().name.is_none(), "{text}");
    }
}

#[test]
fn broken_event_is_refused() {
    for text in [
        "",
        "\"a\"",
        "[\"a\"",
        "[\"a\",]",
        "[\"a\" 1]",
        "[\"a\",1]]",
        "[\"a\",1}",
        "[\"a\",1],",
        "[,]",
    ] {
        assert!(event(text).is_err(), "{text}");
    }
}

#[test]
fn plain_text_is_borrowed() {
    let found = event(r#"["a","\ud83d\ude00 \\ud83d"]"#).unwrap();
    assert!(matches!(
        (found.name, found.args),
        (Some(Cow::Borrowed("a")), Cow::Borrowed(_))
    ));
}

#[test]
fn lone_surrogates_are_replaced_in_place() {
    for (text, expected) in [
        (r#""\ud83d""#, r#""\ufffd""#),
        (r#""\uDE00\ud83d""#, r#""\ufffd\ufffd""#),
        (r#""\ud83d\ud83d\ude00\ude00""#, r#""\ufffd\ud83d\ude00\ufffd""#),
        (r#"{"\ud800":["\ud83d\u0041",1]}"#, r#"{"\ufffd":["\ufffd\u0041",1]}"#),
        (r#""\ud83d\n""#, r#""\ufffd\n""#),
    ] {
        assert_eq!(value(text).unwrap(), expected);
        assert!(serde_json::from_str::<Value>(expected).is_ok());
    }
    let found = event(r#"["\ud83d",1,"\ude00"]"#).unwrap();
    assert_eq!(found.args, r#"1,"\ufffd""#);
}

#[test]
fn special_bytes_are_found_at_every_offset() {
    for special in ['"', '\\', '\u{0}', '\u{1f}'] {
        for offset in 0..20 {
            let text = "\u{e9}".repeat(offset / 2) + &" ".repeat(offset % 2) + &special.to_string() + "~~~~~~~~~\"";
            assert_eq!(skip_plain(text.as_bytes(), 0), offset, "{text:?}");
        }
    }
    assert_eq!(skip_plain("\u{7f}\u{80}\u{10ffff}!#[]".as_bytes(), 0), 11);
}

#[test]
fn arguments_are_split_at_top_level_commas() {
    let split: Vec<_> = split(r#"1,"a,\"b]",[1,[2,3]],{"k,":"}"},null"#).collect();
    assert_eq!(split, ["1", r#""a,\"b]""#, "[1,[2,3]]", r#"{"k,":"}"}"#, "null"]);
    assert_eq!(super::split("").count(), 0);
}

#[test]
fn error_says_where() {
    assert_eq!(value("[1,x]").unwrap_err().to_string(), "expected a value at byte 3");
}

/// Pieces of which JSON is made, so that a good share of what comes out is valid or nearly so.
fn near_json() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"a\":",
        "\\",
        "\\u",
        "d83d",
        "\\ud83d",
        "\\ude00",
        "\"\\ud83d\"",
        " ",
        "\n",
        "0",
        "1",
        "-",
        "+",
        ".",
        "e",
        "E5",
        "1.5",
        "true",
        "false",
        "null",
        "t",
        "\u{e9}",
        "\u{1}",
        "[]",
        "{}",
        "[1,",
        "1]",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), value, 0..6)
                .prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

/// `IgnoredAny` checks the whole grammar and, as `JSON.parse`, neither the size of numbers nor
/// surrogates.
fn agrees(text: &str) -> Result<(), TestCaseError> {
    let found = value(text);
    let expected = serde_json::from_str::<IgnoredAny>(text);
    prop_assert_eq!(found.is_ok(), expected.is_ok(), "{:?} {:?} {:?}", text, found, expected);
    if let Ok(found) = found {
        prop_assert_eq!(found.len(), text.trim_matches([' ', '\n', '\r', '\t']).len());
        match serde_json::from_str::<Value>(&found) {
            Err(error) if !error.to_string().contains("number out of range") => {
                prop_assert!(false, "{:?} {}", found, error);
            }
            _ => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn validity_is_serde_jsons(text in near_json()) {
        agrees(&text)?;
        agrees(&format!("[{text}]"))?;
        agrees(&format!("{{\"k\":\"{text}\"}}"))?;
    }

    #[test]
    fn validity_of_any_text_is_serde_jsons(text in any::<String>()) {
        agrees(&text)?;
    }

    #[test]
    fn damaged_json_is_judged_as_serde_json_does(
        value in json(), at in any::<prop::sample::Index>(), by in near_json(), cut in 0..3_usize,
    ) {
        let text = value.to_string();
        agrees(&text)?;
        let chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        let damaged: String = chars[..at].iter().copied().chain(by.chars()).chain(chars.iter().skip(at + cut).copied()).collect();
        agrees(&damaged)?;
    }

    #[test]
    fn split_finds_the_elements(values in prop::collection::vec(json(), 1..5)) {
        let text = serde_json::to_string(&values).unwrap();
        let args = array(&text).unwrap();
        let found: Vec<Value> = split(&args).map(|arg| serde_json::from_str(arg).unwrap()).collect();
        let whole: Vec<Value> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(found, whole);
    }
}
