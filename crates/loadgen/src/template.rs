//! What a sender sends: made once, and only its stamp written anew for each message.

use serde_json::{Value, json};

use crate::stamp::{self, Stamp};
use crate::target::Protocol;

#[derive(Debug)]
pub(crate) struct Template {
    text: Vec<u8>,
    /// Where in it the stamp begins.
    start: usize,
}

impl Template {
    /// For contents of `size` bytes, at least [`stamp::LEN`]. Servers without log-in are told who speaks.
    pub(crate) fn new(protocol: Protocol, sender: Option<&str>, size: usize) -> Self {
        let content = format!("{:~<width$}{}", "", padding(size), width = stamp::LEN);
        let text = match protocol {
            Protocol::Raw => content,
            Protocol::Ws => json!({"event": "send_message", "data": data(sender, &content)}).to_string(),
            Protocol::Socketio => format!("42{}", json!(["send_message", data(sender, &content)])),
        };
        let start = text.find("~~").expect("the content is in it, and begins so");
        Self { text: text.into_bytes(), start }
    }

    pub(crate) fn with(&mut self, stamp: &Stamp) -> &[u8] {
        stamp.write(&mut self.text[self.start..]);
        &self.text
    }
}

/// What follows the stamp in a content of `size` bytes.
pub(crate) fn padding(size: usize) -> String {
    ('a'..='z').cycle().take(size.saturating_sub(stamp::LEN)).collect()
}

fn data(sender: Option<&str>, content: &str) -> Value {
    match sender {
        // The original's servers want all three.
        Some(sender) => {
            json!({"sender": sender, "content": content, "timestamp": "2026-01-01T00:00:00.000Z"})
        }
        None => json!({"content": content}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_stamp_at_the_beginning_of_its_content() {
        let stamp = Stamp { run: 1, sender: 2, sequence: 3, time: 4 };
        for protocol in [Protocol::Raw, Protocol::Ws, Protocol::Socketio] {
            for sender in [None, Some("~sender~")] {
                let mut template = Template::new(protocol, sender, 100);
                let text = template.with(&stamp);
                let start = stamp::find(text, 0).unwrap();
                assert_eq!(Stamp::read(&text[start..]), Some(stamp));
                let rest = text[start + stamp::LEN..].strip_prefix(padding(100).as_bytes());
                assert!(rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'"'), "{protocol:?}");
            }
        }
    }
}
