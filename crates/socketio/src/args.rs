//! Arguments of events and acknowledgements, kept as the JSON they came in.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::{Deserializer as _, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// The arguments of an event or of an acknowledgement: checked JSON that is read on demand. Holding them holds the
/// message they came in, without a copy.
///
/// Binary data does not stand in the JSON: there is a [`Placeholder`] where it belongs.
#[derive(Debug, Clone)]
pub struct Args {
    /// A JSON array.
    list: ByteString,
    /// Elements before the first argument: an event's name.
    skip: usize,
    attachments: Vec<Bytes>,
}

/// What stands in the JSON of a packet where binary data belongs: `{"_placeholder":true,"num":0}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Placeholder {
    /// Which of the packet's attachments, counted from 0. A client may well name one that there is not.
    pub num: usize,
}

impl Serialize for Placeholder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Placeholder", 2)?;
        object.serialize_field("_placeholder", &true)?;
        object.serialize_field("num", &self.num)?;
        object.end()
    }
}

impl Args {
    /// `payload`, a part of `message`, is a JSON array of an event's name and its arguments.
    pub(crate) fn of_event(message: &ByteString, payload: &str) -> Self {
        Self { list: message.slice_ref(payload), skip: 1, attachments: Vec::new() }
    }

    /// `payload`, a part of `message`, is a JSON array of arguments.
    pub(crate) fn of_ack(message: &ByteString, payload: &str) -> Self {
        Self { list: message.slice_ref(payload), skip: 0, attachments: Vec::new() }
    }

    pub(crate) fn attach(&mut self, attachments: Vec<Bytes>) {
        self.attachments = attachments;
    }

    /// The binary data that came with the arguments, in the order in which the placeholders count it.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The argument at `index`, which is binary data.
    ///
    /// # Errors
    ///
    /// When there is no such argument, or it is nothing binary that has come.
    pub fn binary(&self, index: usize) -> Result<&Bytes, serde_json::Error> {
        let Placeholder { num } = self.get(index)?;
        self.attachments.get(num).ok_or_else(|| serde_json::Error::custom("no such attachment"))
    }

    /// The argument at `index`, counted from 0.
    ///
    /// # Errors
    ///
    /// When there is no such argument, or it is no `T`.
    pub fn get<'a, T: Deserialize<'a>>(&'a self, index: usize) -> Result<T, serde_json::Error> {
        let mut json = serde_json::Deserializer::from_str(&self.list);
        json.deserialize_seq(Nth { skip: self.skip, index, wanted: PhantomData })
    }

    /// All arguments as JSON.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "it never panics: the decoder has checked the list")]
    pub fn raw(&self) -> Vec<&RawValue> {
        let mut all: Vec<&RawValue> = serde_json::from_str(&self.list).expect("checked when it was decoded");
        all.drain(..self.skip);
        all
    }
}

/// Passes over what stands before the wanted argument and after it.
struct Nth<T> {
    skip: usize,
    index: usize,
    wanted: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Nth<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an argument at {}", self.index)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        for _ in 0..self.skip + self.index {
            list.next_element::<IgnoredAny>()?;
        }
        let wanted = list.next_element_seed(self.wanted)?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        wanted.ok_or_else(|| A::Error::custom(format_args!("no argument at {}", self.index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(payload: &'static str) -> Args {
        let message = ByteString::from_static(payload);
        Args::of_event(&message, &message)
    }

    #[test]
    fn arguments_are_read_by_their_place_after_the_name() {
        let args = event(r#"["name", 1, "\u00e9", {"a": [true]}]"#);
        assert_eq!(args.get::<u8>(0).unwrap(), 1);
        assert_eq!(args.get::<String>(1).unwrap(), "é");
        assert_eq!(args.get::<serde_json::Value>(2).unwrap(), serde_json::json!({ "a": [true] }));
    }

    #[test]
    fn an_argument_that_is_missing_or_of_another_type_is_an_error_that_says_so() {
        let args = event(r#"["name", 1]"#);
        assert_eq!(args.get::<u8>(1).unwrap_err().to_string(), "no argument at 1 at line 1 column 11");
        assert!(args.get::<String>(0).unwrap_err().to_string().contains("expected a string"));
    }

    #[test]
    fn a_binary_argument_is_the_attachment_that_its_placeholder_names() {
        let mut args = event(r#"["name",{"_placeholder":true,"num":1},{"_placeholder":true,"num":2},7]"#);
        args.attach(vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")]);
        assert_eq!(args.binary(0).unwrap(), &b"b"[..]);
        for index in 1..4 {
            assert!(args.binary(index).is_err());
        }
        assert_eq!(
            serde_json::to_string(&Placeholder { num: 3 }).unwrap(),
            r#"{"_placeholder":true,"num":3}"#
        );
    }

    #[test]
    fn raw_arguments_are_the_text_that_came() {
        let args = event(r#"["name",1.0,{"b":1,"a":2}]"#);
        let texts: Vec<&str> = args.raw().iter().map(|arg| arg.get()).collect();
        assert_eq!(texts, ["1.0", r#"{"b":1,"a":2}"#]);
        assert!(event(r#"["name"]"#).raw().is_empty());
    }
}
