//! Values to JSON, their bytes to attachments.
//!
//! Owns a `serde::Serializer` that hands everything to `serde_json`'s, unchanged (so numbers, key
//! order, map keys and `RawValue` are as `serde_json` writes them), except bytes: a placeholder is
//! written and the bytes are put aside. Never knows packets. Next: `sio.rs` for the header;
//! `binary_de.rs` for the way back.

use std::{cell::RefCell, fmt::Display};

use bytes::Bytes;
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::placeholder::{FLAG, NUM};
use crate::socketio::args::EncodeError;

/// Appends `value` to `out`, its bytes to `attachments`. After an error both may hold a part of it.
pub(crate) fn write_json<T>(out: &mut Vec<u8>, value: &T, attachments: &mut Vec<Bytes>) -> Result<(), EncodeError>
where
    T: Serialize + ?Sized,
{
    let taken = RefCell::new(attachments);
    value
        .serialize(Extract {
            inner: &mut serde_json::Serializer::new(out),
            taken: &taken,
        })
        .map_err(EncodeError::Arguments)
}

/// Where bytes go. Shared by every level of the value that is being written; borrowed only while
/// one is pushed.
type Taken<'a> = RefCell<&'a mut Vec<Bytes>>;

/// `inner`, but for bytes. Serves as a serializer and as each of its compound parts.
struct Extract<'a, 'v, S> {
    inner: S,
    taken: &'a Taken<'v>,
}

/// A value inside another: serialised through [`Extract`] by whichever serializer `inner` chose for
/// it.
struct Inside<'a, 'v, T: ?Sized> {
    value: &'a T,
    taken: &'a Taken<'v>,
}

impl<T: Serialize + ?Sized> Serialize for Inside<'_, '_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Extract {
            inner,
            taken: self.taken,
        })
    }
}

fn inside<'a, 'v, T: ?Sized>(taken: &'a Taken<'v>, value: &'a T) -> Inside<'a, 'v, T> {
    Inside { value, taken }
}

impl<'a, 'v, S> Extract<'a, 'v, S> {
    fn wrap<C, E>(taken: &'a Taken<'v>, inner: Result<C, E>) -> Result<Extract<'a, 'v, C>, E> {
        Ok(Extract { inner: inner?, taken })
    }
}

macro_rules! hand_over {
    ($($method:ident($($arg:ident: $ty:ty),*);)*) => {$(
        fn $method(self $(, $arg: $ty)*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($arg),*)
        }
    )*};
}

macro_rules! hand_over_compound {
    ($($method:ident($($arg:ident: $ty:ty),*) -> $part:ident;)*) => {$(
        fn $method(self $(, $arg: $ty)*) -> Result<Self::$part, S::Error> {
            Self::wrap(self.taken, self.inner.$method($($arg),*))
        }
    )*};
}

impl<'a, 'v, S: Serializer> Serializer for Extract<'a, 'v, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Extract<'a, 'v, S::SerializeSeq>;
    type SerializeTuple = Extract<'a, 'v, S::SerializeTuple>;
    type SerializeTupleStruct = Extract<'a, 'v, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Extract<'a, 'v, S::SerializeTupleVariant>;
    type SerializeMap = Extract<'a, 'v, S::SerializeMap>;
    type SerializeStruct = Extract<'a, 'v, S::SerializeStruct>;
    type SerializeStructVariant = Extract<'a, 'v, S::SerializeStructVariant>;

    fn serialize_bytes(self, bytes: &[u8]) -> Result<S::Ok, S::Error> {
        let num = {
            let mut taken = self.taken.borrow_mut();
            taken.push(Bytes::copy_from_slice(bytes));
            taken.len() - 1
        };
        let mut placeholder = self.inner.serialize_struct("Placeholder", 2)?;
        placeholder.serialize_field(FLAG, &true)?;
        placeholder.serialize_field(NUM, &num)?;
        placeholder.end()
    }

    hand_over! {
        serialize_bool(v: bool);
        serialize_i8(v: i8);
        serialize_i16(v: i16);
        serialize_i32(v: i32);
        serialize_i64(v: i64);
        serialize_i128(v: i128);
        serialize_u8(v: u8);
        serialize_u16(v: u16);
        serialize_u32(v: u32);
        serialize_u64(v: u64);
        serialize_u128(v: u128);
        serialize_f32(v: f32);
        serialize_f64(v: f64);
        serialize_char(v: char);
        serialize_str(v: &str);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    hand_over_compound! {
        serialize_seq(len: Option<usize>) -> SerializeSeq;
        serialize_tuple(len: usize) -> SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeTupleVariant;
        serialize_map(len: Option<usize>) -> SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeStructVariant;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&inside(self.taken, value))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &inside(self.taken, value))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = inside(self.taken, value);
        self.inner.serialize_newtype_variant(name, index, variant, &value)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! elements {
    ($($part:ident: $method:ident;)*) => {$(
        impl<S: $part> $part for Extract<'_, '_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                self.inner.$method(&inside(self.taken, value))
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}

elements! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

macro_rules! fields {
    ($($part:ident)*) => {$(
        impl<S: $part> $part for Extract<'_, '_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), S::Error> {
                self.inner.serialize_field(key, &inside(self.taken, value))
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), S::Error> {
                self.inner.skip_field(key)
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

/// Keys go to `inner` as they are: bytes cannot be a key, and `serde_json` says so.
impl<S: SerializeMap> SerializeMap for Extract<'_, '_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_value(&inside(self.taken, value))
    }

    fn serialize_entry<K, V>(&mut self, key: &K, value: &V) -> Result<(), S::Error>
    where
        K: Serialize + ?Sized,
        V: Serialize + ?Sized,
    {
        self.inner.serialize_entry(key, &inside(self.taken, value))
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{json, value::RawValue};

    use super::*;

    #[derive(serde::Serialize)]
    enum Shape<'a> {
        Unit,
        Newtype(&'a str),
        Tuple(u8, f64),
        Struct { a: Option<u8>, b: char },
    }

    #[derive(serde::Serialize)]
    struct Message {
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u8>,
        id: u8,
        data: Bytes,
        #[serde(flatten)]
        more: BTreeMap<&'static str, Bytes>,
    }

    fn write(value: &(impl Serialize + ?Sized)) -> (String, Vec<Bytes>) {
        let (mut out, mut attachments) = (Vec::new(), Vec::new());
        write_json(&mut out, value, &mut attachments).unwrap();
        (String::from_utf8(out).unwrap(), attachments)
    }

    #[test]
    fn json_is_what_serde_json_writes() {
        fn same(value: &(impl Serialize + ?Sized)) {
            assert_eq!(write(value), (serde_json::to_string(value).unwrap(), vec![]));
        }
        same("quote \" back \\ control \u{1} caf\u{e9} \u{1f600} \u{2028}");
        same(&json!({"z": [1, -1, 1.0, 1e300, null, true], "a": {"": {}}, "e": []}));
        same(&[
            Shape::Unit,
            Shape::Newtype("x"),
            Shape::Tuple(1, 0.1),
            Shape::Struct { a: None, b: 'b' },
        ]);
        same(&BTreeMap::from([(1_u64, f32::NAN), (2, 0.1)]));
        same(&BTreeMap::from([(true, i128::MIN)]));
        same(&(u128::MAX, (), Some(Some(1)), 'c', std::net::Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn raw_value_is_kept_as_written() {
        let raw = RawValue::from_string("{ \"a\" :1.0 }".to_owned()).unwrap();
        assert_eq!(write(&BTreeMap::from([("k", raw)])).0, "{\"k\":{ \"a\" :1.0 }}");
    }

    #[test]
    fn bytes_are_numbered_in_order() {
        let message = Message {
            absent: None,
            id: 1,
            data: Bytes::from_static(b"a"),
            more: [("x", Bytes::from_static(b"b"))].into(),
        };
        let (text, attachments) = write(&(message, Some(Bytes::from_static(b"c"))));
        let holder = |num| format!("{{\"_placeholder\":true,\"num\":{num}}}");
        let first = format!("{{\"id\":1,\"data\":{},\"x\":{}}}", holder(0), holder(1));
        assert_eq!(text, format!("[{first},{}]", holder(2)));
        assert_eq!(attachments, ["a", "b", "c"]);
    }

    #[test]
    fn bytes_cannot_be_a_key() {
        let map = BTreeMap::from([(Bytes::from_static(b"k"), 1)]);
        let error = write_json(&mut Vec::new(), &map, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("key must be a string"), "{error}");
    }
}
