//! Writes the packets of the server, each once for all its receivers.

use std::sync::Arc;

use bytes::Bytes;
use lobby_websocket::{Frame, Frames};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{MAIN, is_reserved};
use crate::ConnectError;
use crate::engine::packet::MESSAGE;

/// One encoded packet, shared by all its receivers: cloning it counts a reference, sending it copies nothing.
///
/// Source: Socket.IO protocol v5, "Packet encoding", inside an Engine.IO `message` packet.
#[derive(Debug, Clone)]
pub struct Packet {
    frame: Frame,
    attachments: Option<Arc<[Frame]>>,
}

impl Packet {
    /// An event for sockets of `namespace`: its name and its arguments, which are JSON already.
    ///
    /// `name` must not be one of the names that Socket.IO reserves (`connect`, `connect_error`, `disconnect`,
    /// `disconnecting`, `newListener`, `removeListener`): clients close the connection on them.
    #[must_use]
    pub fn event(namespace: &str, name: &str, args: &[&RawValue]) -> Self {
        event(namespace, None, name, &texts(args), &[])
    }

    /// An event with binary data: a [`Placeholder`](crate::Placeholder) stands in `args` for each of the `attachments`.
    #[must_use]
    pub fn binary_event(namespace: &str, name: &str, args: &[&RawValue], attachments: &[Bytes]) -> Self {
        event(namespace, None, name, &texts(args), attachments)
    }

    /// An event with one argument, which is serialised once for all receivers.
    ///
    /// # Errors
    ///
    /// When `arg` has no form in JSON, such as a map whose keys are no strings.
    pub fn event_with<T: Serialize + ?Sized>(
        namespace: &str,
        name: &str,
        arg: &T,
    ) -> Result<Self, serde_json::Error> {
        Ok(event(namespace, None, name, &[&serde_json::to_string(arg)?], &[]))
    }

    /// The packet as text, with the Engine.IO type in front and without its attachments.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "it never panics: every packet is made of strings")]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.frame.payload()).expect("made of strings")
    }

    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Binary messages that follow the packet.
    pub(crate) fn attachments(&self) -> &[Frame] {
        self.attachments.as_deref().unwrap_or_default()
    }

    fn plain(parts: &[&str]) -> Self {
        Self { frame: Frame::text_from(parts), attachments: None }
    }
}

/// Packets that are sent together, joined once for all who get them.
#[derive(Debug, Clone)]
pub struct Packets {
    each: Arc<[Packet]>,
    frames: Frames,
}

impl Packets {
    /// Packets, to be sent in this order.
    #[must_use]
    pub fn new(packets: Vec<Packet>) -> Self {
        let frames =
            packets.iter().flat_map(|packet| std::iter::once(packet.frame()).chain(packet.attachments()));
        Self { frames: Frames::join(frames), each: packets.into() }
    }

    pub(crate) fn each(&self) -> &[Packet] {
        &self.each
    }

    pub(crate) fn frames(&self) -> &Frames {
        &self.frames
    }
}

/// An event that asks for an acknowledgement if there is an `id`; `args` are JSON.
pub(crate) fn event(
    namespace: &str,
    id: Option<u64>,
    name: &str,
    args: &[&str],
    attachments: &[Bytes],
) -> Packet {
    debug_assert!(!is_reserved(name), "{name} is a reserved event name");
    let name = json(name);
    let list: Vec<&str> = std::iter::once(name.as_str()).chain(args.iter().copied()).collect();
    packet(['2', '5'], namespace, id, &list, attachments)
}

/// The answer to the event that came with `id`; `args` are JSON.
pub(crate) fn ack(namespace: &str, id: u64, args: &[&str], attachments: &[Bytes]) -> Packet {
    packet(['3', '6'], namespace, Some(id), args, attachments)
}

/// The answer to a CONNECT that was let in, with the socket's identifier and, if there is one, the `pid` by which its client
/// may be known again.
pub(crate) fn connect(namespace: &str, sid: &str, pid: Option<&str>) -> Packet {
    let pid = pid.map(|pid| format!(r#","pid":{}"#, json(pid))).unwrap_or_default();
    Packet::plain(&[&head("0", namespace, None), r#"{"sid":"#, &json(sid), &pid, "}"])
}

/// The answer to a CONNECT that was refused.
pub(crate) fn connect_error(namespace: &str, error: &ConnectError) -> Packet {
    Packet::plain(&[&head("4", namespace, None), &json(error)])
}

/// Tells the client that its socket is no longer in the namespace.
pub(crate) fn disconnect(namespace: &str) -> Packet {
    Packet::plain(&[&head("1", namespace, None)])
}

/// JSON values as the texts that they are.
pub(crate) fn texts<'a>(args: &[&'a RawValue]) -> Vec<&'a str> {
    args.iter().map(|arg| arg.get()).collect()
}

/// `kinds` are the types without and with attachments.
fn packet(
    kinds: [char; 2],
    namespace: &str,
    id: Option<u64>,
    list: &[&str],
    attachments: &[Bytes],
) -> Packet {
    let kind = match attachments.len() {
        0 => kinds[0].to_string(),
        count => format!("{}{count}-", kinds[1]),
    };
    let head = head(&kind, namespace, id);
    let mut parts = vec![head.as_str(), "["];
    for (index, item) in list.iter().enumerate() {
        parts.extend((index > 0).then_some(","));
        parts.push(item);
    }
    parts.push("]");
    let frames =
        (!attachments.is_empty()).then(|| attachments.iter().map(|data| Frame::binary(data)).collect());
    Packet { frame: Frame::text_from(&parts), attachments: frames }
}

fn head(kind: &str, namespace: &str, id: Option<u64>) -> String {
    let mut head = format!("{MESSAGE}{kind}");
    if namespace != MAIN {
        head.push_str(namespace);
        head.push(',');
    }
    if let Some(id) = id {
        head.push_str(&id.to_string());
    }
    head
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("strings, and JSON inside an object of strings, are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn packets_look_as_the_protocol_writes_them() {
        let refused = ConnectError::new("Not authorized");
        let detailed = ConnectError::new("no").with_data(&serde_json::json!({ "code": 7 })).unwrap();
        let table = [
            (Packet::event("/", "foo", &[]), r#"42["foo"]"#),
            (
                Packet::event("/admin", "bar", &[raw("1"), raw(r#"{"a":[]}"#)]),
                r#"42/admin,["bar",1,{"a":[]}]"#,
            ),
            (Packet::event("/", "a\"é", &[]), r#"42["a\"é"]"#),
            (Packet::event_with("/", "n", &["x"]).unwrap(), r#"42["n",["x"]]"#),
            (event("/", Some(12), "foo", &["null"], &[]), r#"4212["foo",null]"#),
            (ack("/", 0, &[], &[]), "430[]"),
            (ack("/admin", 13, &["\"bar\"", "2"], &[]), r#"43/admin,13["bar",2]"#),
            (connect("/", "abc", None), r#"40{"sid":"abc"}"#),
            (connect("/admin", "abc", None), r#"40/admin,{"sid":"abc"}"#),
            (connect("/", "abc", Some("xyz")), r#"40{"sid":"abc","pid":"xyz"}"#),
            (connect("/admin", "abc", Some("\"")), r#"40/admin,{"sid":"abc","pid":"\""}"#),
            (connect_error("/", &refused), r#"44{"message":"Not authorized"}"#),
            (connect_error("/x", &detailed), r#"44/x,{"message":"no","data":{"code":7}}"#),
            (disconnect("/"), "41"),
            (disconnect("/admin"), "41/admin,"),
        ];
        for (packet, text) in table {
            assert_eq!(packet.as_str(), text);
        }
    }

    #[test]
    fn attachments_are_announced_and_follow_as_binary_messages() {
        let data = [Bytes::from_static(&[1, 2, 3]), Bytes::new()];
        let placeholder = r#"{"_placeholder":true,"num":0}"#;
        let event = Packet::binary_event("/a", "x", &[raw(placeholder)], &data);
        assert_eq!(event.as_str(), format!(r#"452-/a,["x",{placeholder}]"#));
        let ack = ack("/", 7, &[placeholder], &data[..1]);
        assert_eq!(ack.as_str(), format!("461-7[{placeholder}]"));
        for (packet, count) in [(event, 2), (ack, 1)] {
            assert_eq!(
                packet.attachments(),
                data[..count].iter().map(|data| Frame::binary(data)).collect::<Vec<_>>()
            );
        }
        assert!(Packet::event("/", "x", &[]).attachments().is_empty());
    }
}
