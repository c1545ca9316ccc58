//! JSON with placeholders, and attachments, to values.
//!
//! Owns a `serde::Deserializer` that hands everything to `serde_json`'s, except that a placeholder
//! is bytes wherever the type asks for bytes or for a sequence (`Bytes`, `Vec<u8>`), at any depth.
//! Never checks a packet: text and placeholders have passed `scan.rs` and `placeholder.rs`. Next:
//! `args.rs`, which calls it for each argument.
//!
//! A type may also ask for *whatever is there*: `serde_json::Value`, and the buffer behind
//! `flatten`, untagged and internally tagged enums. Those get bytes first; if the type then
//! refuses, all is read again with placeholders left as objects, which is what `Value` can hold.

use std::{cell::Cell, fmt};

use bytes::Bytes;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
    value::{SeqDeserializer, StrDeserializer},
};
use serde_json::value::RawValue;

use super::placeholder::{self, FLAG, NUM};

/// The value that `arg` begins with; what follows it is not looked at.
pub(crate) fn from_arg<T: DeserializeOwned>(arg: &str, attachments: &[Bytes]) -> Result<T, serde_json::Error> {
    if attachments.is_empty() {
        return T::deserialize(&mut serde_json::Deserializer::from_str(arg));
    }
    let met = Cell::new(false);
    let read = |untyped| {
        let with = Attachments {
            list: attachments,
            untyped,
            met: &met,
        };
        T::deserialize(Restore {
            inner: &mut serde_json::Deserializer::from_str(arg),
            with,
        })
    };
    read(Untyped::Bytes).or_else(|first| {
        if !met.get() {
            return Err(first);
        }
        read(Untyped::Object).map_err(|second| {
            serde_json::Error::custom(format_args!("{first}; and with placeholders left as objects: {second}"))
        })
    })
}

/// What a placeholder becomes for a type that takes whatever is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Untyped {
    Bytes,
    Object,
}

#[derive(Clone, Copy)]
struct Attachments<'a> {
    list: &'a [Bytes],
    untyped: Untyped,
    /// Set when `untyped` made a difference.
    met: &'a Cell<bool>,
}

/// `inner` with attachments. Serves as a deserializer, as each access to a compound, and as a seed.
struct Restore<'a, D> {
    inner: D,
    with: Attachments<'a>,
}

macro_rules! hand_over {
    ($($method:ident($($arg:ident: $ty:ty),*) as $asked:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($arg: $ty,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = Visit { visitor, asked: Asked::$asked, with: self.with };
            self.inner.$method($($arg,)* visitor)
        }
    )*};
}

/// Bytes and sequences may be an object on the wire, so `serde_json` is asked for anything.
macro_rules! hand_over_as_any {
    ($($method:ident($($arg:ident: $ty:ty),*) as $asked:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($arg: $ty,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.deserialize_any(Visit { visitor, asked: Asked::$asked, with: self.with })
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Restore<'_, D> {
    type Error = D::Error;

    hand_over! {
        deserialize_any() as Anything;
        deserialize_bool() as Other;
        deserialize_i8() as Other;
        deserialize_i16() as Other;
        deserialize_i32() as Other;
        deserialize_i64() as Other;
        deserialize_i128() as Other;
        deserialize_u8() as Other;
        deserialize_u16() as Other;
        deserialize_u32() as Other;
        deserialize_u64() as Other;
        deserialize_u128() as Other;
        deserialize_f32() as Other;
        deserialize_f64() as Other;
        deserialize_char() as Other;
        deserialize_str() as Other;
        deserialize_string() as Other;
        deserialize_option() as Other;
        deserialize_unit() as Other;
        deserialize_unit_struct(name: &'static str) as Other;
        deserialize_newtype_struct(name: &'static str) as Other;
        deserialize_map() as Other;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) as Other;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) as Other;
        deserialize_identifier() as Other;
        deserialize_ignored_any() as Other;
    }

    hand_over_as_any! {
        deserialize_bytes() as Bytes;
        deserialize_byte_buf() as Bytes;
        deserialize_seq() as Sequence;
        deserialize_tuple(_len: usize) as Sequence;
        deserialize_tuple_struct(_name: &'static str, _len: usize) as Sequence;
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// What the type asked its deserializer for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Bytes,
    Sequence,
    Anything,
    Other,
}

/// The type's visitor, told of attachments.
struct Visit<'a, V> {
    visitor: V,
    asked: Asked,
    with: Attachments<'a>,
}

macro_rules! pass {
    ($($method:ident: $ty:ty;)*) => {$(
        fn $method<E: serde::de::Error>(self, value: $ty) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Visit<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    pass! {
        visit_bool: bool;
        visit_i64: i64;
        visit_i128: i128;
        visit_u64: u64;
        visit_u128: u128;
        visit_f64: f64;
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    // As with `serde_json`, a string will do for bytes: its UTF-8.
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<V::Value, E> {
        match self.asked {
            Asked::Bytes => self.visitor.visit_bytes(text.as_bytes()),
            _ => self.visitor.visit_str(text),
        }
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<V::Value, E> {
        match self.asked {
            Asked::Bytes => self.visitor.visit_borrowed_bytes(text.as_bytes()),
            _ => self.visitor.visit_borrowed_str(text),
        }
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Restore { inner, with: self.with })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Restore { inner, with: self.with })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Restore { inner, with: self.with })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut inner: A) -> Result<V::Value, A::Error> {
        let with = self.with;
        match self.asked {
            Asked::Bytes => {
                let bytes = Entries::read(&mut inner, None)?.attachment(with)?;
                self.visitor.visit_byte_buf(bytes.to_vec())
            }
            Asked::Sequence => {
                let bytes = Entries::read(&mut inner, None)?.attachment(with)?;
                let mut bytes = SeqDeserializer::new(bytes.iter().copied());
                let value = self.visitor.visit_seq(&mut bytes)?;
                // A type of fixed length, such as `[u8; 4]`, leaves what it has no place for.
                bytes.end()?;
                Ok(value)
            }
            Asked::Anything if with.untyped == Untyped::Bytes => {
                let Some(key) = inner.next_key::<String>()? else {
                    return self.visitor.visit_map(inner);
                };
                if key != FLAG && key != NUM {
                    let first = Some(key);
                    return self.visitor.visit_map(Restore {
                        inner: Peeked { first, inner },
                        with,
                    });
                }
                let entries = Entries::read(&mut inner, Some(key))?;
                if let Ok(bytes) = entries.attachment::<A::Error>(with) {
                    with.met.set(true);
                    return self.visitor.visit_byte_buf(bytes.to_vec());
                }
                let replay = Replay {
                    entries: entries.0.into_iter(),
                    value: None,
                };
                self.visitor
                    .visit_map(Restore { inner: replay, with })
                    .map_err(A::Error::custom)
            }
            Asked::Anything | Asked::Other => self.visitor.visit_map(Restore { inner, with }),
        }
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Restore { inner, with: self.with })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Restore<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Restore { inner, with: self.with })
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Restore<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Restore { inner, with: self.with })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Restore<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Restore { inner, with: self.with })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'a, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Restore<'a, A> {
    type Error = A::Error;
    type Variant = Restore<'a, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, inner) = self.inner.variant_seed(seed)?;
        Ok((value, Restore { inner, with: self.with }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Restore<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, inner: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Restore { inner, with: self.with })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = Visit {
            visitor,
            asked: Asked::Other,
            with: self.with,
        };
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = Visit {
            visitor,
            asked: Asked::Other,
            with: self.with,
        };
        self.inner.struct_variant(fields, visitor)
    }
}

/// All entries of an object that looks like a placeholder, until it is known whether it is one.
struct Entries<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Entries<'de> {
    /// What is left of the object, after the key that has been read already.
    fn read<A: MapAccess<'de>>(map: &mut A, first: Option<String>) -> Result<Self, A::Error> {
        let mut entries = Vec::new();
        let mut key = first;
        loop {
            let next = match key.take() {
                Some(key) => Some(key),
                None => map.next_key()?,
            };
            let Some(key) = next else {
                return Ok(Self(entries));
            };
            entries.push((key, map.next_value()?));
        }
    }

    fn attachment<'a, E: serde::de::Error>(&self, with: Attachments<'a>) -> Result<&'a Bytes, E> {
        let last = |name| {
            let value = self.0.iter().rev().find(|(key, _)| key == name);
            value.map_or("", |(_, value)| value.get())
        };
        if last(FLAG) != "true" {
            return Err(E::custom(
                "invalid type: map, expected bytes, that is the placeholder of an attachment",
            ));
        }
        placeholder::index(last(NUM), with.list.len())
            .map(|num| &with.list[num])
            .ok_or_else(|| E::custom("placeholder's num points to no attachment"))
    }
}

/// An object whose first key has been read.
struct Peeked<A> {
    first: Option<String>,
    inner: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Peeked<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        match self.first.take() {
            Some(key) => seed.deserialize(key.into_deserializer()).map(Some),
            None => self.inner.next_key_seed(seed),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(seed)
    }
}

/// An object that turned out to be no placeholder.
struct Replay<'de> {
    entries: std::vec::IntoIter<(String, &'de RawValue)>,
    value: Option<&'de RawValue>,
}

impl<'de> MapAccess<'de> for Replay<'de> {
    type Error = serde_json::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Self::Error> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        let key: StrDeserializer<'_, Self::Error> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Self::Error> {
        let text = self.value.take().map_or("null", RawValue::get);
        seed.deserialize(&mut serde_json::Deserializer::from_str(text))
    }
}

#[cfg(test)]
mod tests;
