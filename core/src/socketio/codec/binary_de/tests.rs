//! Placeholders in every shape of type, and the way back from `binary_ser.rs`.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::socketio::codec::binary_ser::write_json;

const FIRST: &str = r#"{"_placeholder":true,"num":0}"#;

fn two() -> [Bytes; 2] {
    [Bytes::from_static(b"\x00\xff"), Bytes::from_static(b"second")]
}

fn read<T: DeserializeOwned>(arg: &str) -> Result<T, serde_json::Error> {
    from_arg(arg, &two())
}

#[test]
fn bytes_and_byte_vectors_take_a_placeholder() {
    assert_eq!(read::<Bytes>(FIRST).unwrap(), two()[0]);
    assert_eq!(read::<Vec<u8>>(FIRST).unwrap(), [0, 0xff]);
    assert_eq!(read::<[u8; 2]>(FIRST).unwrap(), [0, 0xff]);
    assert_eq!(read::<(u8, u8)>(FIRST).unwrap(), (0, 0xff));
    assert_eq!(read::<Option<Bytes>>(FIRST).unwrap(), Some(two()[0].clone()));
}

#[test]
fn array_of_other_length_refuses_an_attachment() {
    assert!(read::<[u8; 1]>(FIRST).is_err());
    assert!(read::<[u8; 3]>(FIRST).is_err());
}

#[test]
fn placeholder_may_be_written_in_any_way() {
    for arg in [
        r#"{"num":1,"_placeholder":true}"#,
        r#" { "_placeholder" : true , "num" : 1 , "more" : [1] } "#,
        r#"{"\u005fplaceholder":true,"num":0,"num":1}"#,
    ] {
        assert_eq!(read::<Bytes>(arg).unwrap(), "second", "{arg}");
        assert_eq!(read::<Vec<u8>>(arg).unwrap(), b"second", "{arg}");
    }
}

#[test]
fn what_is_no_placeholder_is_no_bytes() {
    for arg in [
        "{}",
        r#"{"num":0}"#,
        r#"{"_placeholder":1,"num":0}"#,
        r#"{"_placeholder":true,"num":2}"#,
        "7",
        "null",
    ] {
        assert!(read::<Bytes>(arg).is_err(), "{arg}");
        assert!(read::<Vec<u8>>(arg).is_err(), "{arg}");
    }
}

#[test]
fn strings_and_arrays_are_bytes_with_and_without_attachments() {
    for attachments in [&[][..], &two()[..]] {
        assert_eq!(from_arg::<Bytes>(r#""a\n""#, attachments).unwrap(), "a\n");
        assert_eq!(from_arg::<Bytes>("[1,2]", attachments).unwrap(), [1, 2][..]);
        assert_eq!(from_arg::<Vec<u8>>("[1,2]", attachments).unwrap(), [1, 2]);
    }
}

#[test]
fn only_the_first_value_is_read() {
    assert_eq!(read::<u8>("1,2").unwrap(), 1);
    assert_eq!(from_arg::<Box<RawValue>>("[1] ,2", &[]).unwrap().get(), "[1]");
}

#[test]
fn value_keeps_the_placeholder() {
    let found = read::<Value>(r#"{"a":[{"_placeholder":true,"num":1}],"num":{"num":[1e3]}}"#);
    assert_eq!(
        found.unwrap(),
        json!({"a": [{"_placeholder": true, "num": 1}], "num": {"num": [1e3]}})
    );
    assert_eq!(read::<HashMap<String, u8>>(r#"{"num":7}"#).unwrap()["num"], 7);
    assert_eq!(read::<Box<RawValue>>(FIRST).unwrap().get(), FIRST);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    File { name: String, data: Bytes },
    Empty,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Object { num: Vec<u8> },
    Binary(Bytes),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, Bytes>,
}

#[test]
fn buffered_content_takes_bytes() {
    let tagged = read::<Tagged>(r#"{"name":"a","type":"File","data":{"num":1,"_placeholder":true}}"#);
    assert_eq!(
        tagged.unwrap(),
        Tagged::File {
            name: "a".into(),
            data: "second".into()
        }
    );
    assert_eq!(read::<Untagged>(FIRST).unwrap(), Untagged::Binary(two()[0].clone()));
    assert_eq!(
        read::<Untagged>(r#"{"num":[1]}"#).unwrap(),
        Untagged::Object { num: vec![1] }
    );
    assert_eq!(read::<Untagged>("3").unwrap(), Untagged::Number(3));
    let flat = read::<Flat>(r#"{"x":{"_placeholder":true,"num":1},"id":1}"#).unwrap();
    assert_eq!(
        flat,
        Flat {
            id: 1,
            rest: [("x".into(), "second".into())].into()
        }
    );
}

#[test]
fn deepest_text_fits_the_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{\"num\":", "}")] {
        let text = open.repeat(127) + "1" + &close.repeat(127);
        let plain: Value = from_arg(&text, &[]).unwrap();
        assert_eq!(read::<Value>(&text).unwrap(), plain);
    }
}

#[test]
fn error_of_both_attempts_is_told() {
    let error = read::<(Value, u8)>(r#"[{"_placeholder":true,"num":0},"x"]"#).unwrap_err();
    assert!(error.to_string().contains("expected u8"), "{error}");
    let error = read::<(u8, Bytes)>(r#"["x",{"_placeholder":true,"num":0}]"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid type: string \"x\", expected u8 at line 1 column 4"
    );
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Unit,
    Scalars(bool, i64, f32, char, Option<u128>),
    Text(String),
    Bytes(Bytes),
    Maybe(Option<Bytes>),
    List(Vec<Tree>),
    Keys(BTreeMap<i16, Tree>),
    Names(HashMap<String, Tree>),
    Fields {
        num: Box<Tree>,
        _placeholder: Bytes,
        wrapped: Wrapped,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(Option<(Bytes, String)>);

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Unit),
        (
            any::<bool>(),
            any::<i64>(),
            -1e6_f32..1e6,
            any::<char>(),
            any::<Option<u128>>()
        )
            .prop_map(|(a, b, c, d, e)| Tree::Scalars(a, b, c, d, e)),
        any::<String>().prop_map(Tree::Text),
        bytes().prop_map(Tree::Bytes),
        prop::option::of(bytes()).prop_map(Tree::Maybe),
    ];
    leaf.prop_recursive(5, 40, 5, |tree| {
        let keys = prop_oneof![Just("num".to_owned()), Just("_placeholder".to_owned()), any::<String>()];
        prop_oneof![
            prop::collection::vec(tree.clone(), 0..5).prop_map(Tree::List),
            prop::collection::btree_map(any::<i16>(), tree.clone(), 0..5).prop_map(Tree::Keys),
            prop::collection::hash_map(keys, tree.clone(), 0..5).prop_map(Tree::Names),
            (tree, bytes(), prop::option::of((bytes(), any::<String>()))).prop_map(|(num, bytes, wrapped)| {
                Tree::Fields {
                    num: Box::new(num),
                    _placeholder: bytes,
                    wrapped: Wrapped(wrapped),
                }
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(tree in tree()) {
        let (mut out, mut attachments) = (Vec::new(), Vec::new());
        write_json(&mut out, &tree, &mut attachments).unwrap();
        let text = String::from_utf8(out).unwrap();
        prop_assert_eq!(from_arg::<Tree>(&text, &attachments).unwrap(), tree);
    }

    #[test]
    fn untagged_buffer_reads_what_is_written(value in bytes(), id in any::<u8>()) {
        let flat = Flat { id, rest: [("num".into(), value.clone()), ("b".into(), value)].into() };
        let (mut out, mut attachments) = (Vec::new(), Vec::new());
        write_json(&mut out, &flat, &mut attachments).unwrap();
        let text = String::from_utf8(out).unwrap();
        prop_assert_eq!(from_arg::<Flat>(&text, &attachments).unwrap(), flat);
    }
}
