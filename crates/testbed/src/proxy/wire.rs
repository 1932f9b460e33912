//! As much of PostgreSQL's protocol as it takes to see a commit.

use std::collections::HashSet;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Whoever asks for encryption first, as most clients do.
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
/// The server's own bound of a message before the log-in.
const MAX_LOG_IN_BYTES: usize = 10_000;
/// How much is read at once, and looked at: whether a message is a commit is seen in no more of it.
const LOOKED_AT_BYTES: u32 = 64;
/// How a statement begins that commits by itself: the lobby's for a whole batch of messages.
const COMMITTING: &str = "SELECT log_end, log_time FROM append_in_one(";

/// A message of either side: its type, its length, and how its content begins.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    /// How many bytes of it are still to be read.
    pub(super) rest: u64,
}

/// Statements of a connection that commit by themselves, by the names they were prepared under.
#[derive(Debug, Default)]
pub(super) struct Committing(HashSet<String>);

impl Committing {
    /// Whether a client asks to commit: with the statement `COMMIT` and nothing else, or with a prepared one that does so.
    pub(super) fn is_asked(&mut self, message: &Message) -> bool {
        if let Some((name, text)) = message.prepared()
            && text.starts_with(COMMITTING)
        {
            self.0.insert(name.to_owned());
        }
        message.is_commit() || message.bound().is_some_and(|name| self.0.contains(name))
    }
}

/// Reads what comes before the messages with a type: answers that there is no encryption, until somebody logs in.
pub(super) async fn log_in<R, W>(client: &mut R, answer: &mut W) -> io::Result<Vec<u8>>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    loop {
        let length = client.read_u32().await?;
        let content = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
        let content = content.filter(|length| (4..=MAX_LOG_IN_BYTES).contains(length));
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.resize(4 + content.ok_or(io::ErrorKind::InvalidData)?, 0);
        client.read_exact(&mut bytes[4..]).await?;
        let code = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        if !matches!(code, SSL_REQUEST | GSSENC_REQUEST) {
            return Ok(bytes);
        }
        answer.write_all(b"N").await?;
    }
}

/// Reads a message, or only the beginning of a large one.
pub(super) async fn read<R: AsyncRead + Unpin>(from: &mut R) -> io::Result<Message> {
    let mut bytes = vec![from.read_u8().await?];
    let length = from.read_u32().await?;
    bytes.extend(length.to_be_bytes());
    // The length counts itself.
    let content = length.checked_sub(4).ok_or(io::ErrorKind::InvalidData)?;
    let beginning = content.min(LOOKED_AT_BYTES);
    from.take(beginning.into()).read_to_end(&mut bytes).await?;
    Ok(Message { bytes, rest: (content - beginning).into() })
}

impl Message {
    fn is_commit(&self) -> bool {
        self.whole_text_of(b'Q')
            .is_some_and(|text| text.trim_end_matches(['\0', ';', ' ']).trim().eq_ignore_ascii_case("commit"))
    }

    /// Whether the server carries out, at this message of a client, what it was asked: a simple query or a sync.
    pub(super) fn is_complete(&self) -> bool {
        self.content_of(b'Q').or(self.content_of(b'S')).is_some()
    }

    /// Whether a server says that it is in no transaction any more: only then has it committed what commits by itself.
    pub(super) fn is_committed(&self) -> bool {
        self.whole_text_of(b'Z') == Some("I")
    }

    /// The name of a statement that is prepared, and how it begins.
    fn prepared(&self) -> Option<(&str, &str)> {
        let (name, text) = split_text(self.content_of(b'P')?)?;
        let text = text.utf8_chunks().next()?.valid();
        Some((name, text))
    }

    /// The name of the statement that is given its values.
    fn bound(&self) -> Option<&str> {
        let (_portal, rest) = split_text(self.content_of(b'B')?)?;
        Some(split_text(rest)?.0)
    }

    fn whole_text_of(&self, kind: u8) -> Option<&str> {
        std::str::from_utf8(self.content_of(kind).filter(|_| self.rest == 0)?).ok()
    }

    fn content_of(&self, kind: u8) -> Option<&[u8]> {
        self.bytes.strip_prefix(&[kind])?.get(4..)
    }
}

/// A text that ends with a zero, and what follows.
fn split_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn message(kind: u8, content: &str) -> Message {
        let length = u32::try_from(content.len() + 4).expect("a short text");
        let bytes = [&[kind][..], &length.to_be_bytes(), content.as_bytes()].concat();
        read(&mut bytes.as_slice()).await.expect("a whole message")
    }

    #[tokio::test]
    async fn a_commit_by_itself_is_seen() {
        for text in ["COMMIT\0", "commit;\0", " COMMIT ; \0"] {
            assert!(message(b'Q', text).await.is_commit(), "{text}");
        }
        for text in ["COMMIT PREPARED 'x'\0", "BEGIN\0", "SELECT 1; COMMIT\0", "\0", ""] {
            assert!(!message(b'Q', text).await.is_commit(), "{text}");
        }
        assert!(!message(b'P', "COMMIT\0").await.is_commit());
        assert!(message(b'Z', "I").await.is_committed());
        assert!(!message(b'Z', "T").await.is_committed());
        assert!(!message(b'C', "COMMIT\0").await.is_committed());
    }

    #[tokio::test]
    async fn of_a_large_message_only_the_beginning_is_read() {
        for (length, rest) in [(65, 1), (64, 0)] {
            let message = message(b'Q', &"x".repeat(length)).await;
            assert_eq!((message.bytes.len(), message.rest), (69, rest));
        }
        assert!(!message(b'Q', &format!("COMMIT{}", " ".repeat(59))).await.is_commit(), "more may follow");
    }

    #[tokio::test]
    async fn a_statement_that_commits_by_itself_is_seen_where_it_is_given_its_values() {
        let mut committing = Committing::default();
        for (kind, content, is_asked) in [
            (b'B', "\0one\0", false),
            (b'P', "one\0SELECT log_end, log_time FROM append_in_one($1)\0", false),
            (b'P', "two\0SELECT 1\0", false),
            (b'B', "\0one\0\0\0", true),
            (b'B', "\0two\0\0\0", false),
            (b'B', "one\0two\0", false),
            (b'Q', "COMMIT\0", true),
            (b'S', "", false),
        ] {
            assert_eq!(committing.is_asked(&message(kind, content).await), is_asked, "{content}");
        }
    }

    #[tokio::test]
    async fn lengths_that_cannot_be_are_refused() {
        assert!(read(&mut &b"Q\0\0\0\x03"[..]).await.is_err());
        for length in [0_u32, 7, 20_000, u32::MAX] {
            let bytes = [length.to_be_bytes().to_vec(), vec![0; 20_000]].concat();
            assert!(log_in(&mut bytes.as_slice(), &mut Vec::new()).await.is_err(), "{length}");
        }
    }

    #[tokio::test]
    async fn encryption_is_declined_until_somebody_logs_in() {
        let first = |code: u32| [8_u32.to_be_bytes(), code.to_be_bytes()].concat();
        let plain = first(196_608);
        let bytes = [first(GSSENC_REQUEST), first(SSL_REQUEST), plain.clone()].concat();
        let mut answer = Vec::new();
        assert_eq!(log_in(&mut bytes.as_slice(), &mut answer).await.expect("a log-in"), plain);
        assert_eq!(answer, b"NN");
    }
}
