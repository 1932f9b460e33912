//! As much of PostgreSQL's protocol as it takes to see a commit.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Whoever asks for encryption first, as most clients do.
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
/// The server's own bound of a message before the log-in.
const MAX_LOG_IN_BYTES: usize = 10_000;
/// What is read whole, and looked at: no longer message is a commit.
const MAX_WHOLE_BYTES: u32 = 64;

/// A message of either side: its type, its length, and its content if that is small.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    /// How many bytes of it are still to be read.
    pub(super) rest: u64,
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

/// Reads a message, or only the head of a large one.
pub(super) async fn read<R: AsyncRead + Unpin>(from: &mut R) -> io::Result<Message> {
    let mut bytes = vec![from.read_u8().await?];
    let length = from.read_u32().await?;
    bytes.extend(length.to_be_bytes());
    // The length counts itself.
    let content = length.checked_sub(4).ok_or(io::ErrorKind::InvalidData)?;
    if content > MAX_WHOLE_BYTES {
        return Ok(Message { bytes, rest: content.into() });
    }
    from.take(content.into()).read_to_end(&mut bytes).await?;
    Ok(Message { bytes, rest: 0 })
}

impl Message {
    /// Whether a client asks to commit, and nothing else.
    pub(super) fn is_commit(&self) -> bool {
        self.text_of(b'Q')
            .is_some_and(|text| text.trim_end_matches(['\0', ';', ' ']).trim().eq_ignore_ascii_case("commit"))
    }

    /// Whether a server says that it has committed.
    pub(super) fn is_committed(&self) -> bool {
        self.text_of(b'C') == Some("COMMIT\0")
    }

    fn text_of(&self, kind: u8) -> Option<&str> {
        let content = self.bytes.strip_prefix(&[kind])?.get(4..)?;
        std::str::from_utf8(content).ok()
    }
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
        assert!(message(b'C', "COMMIT\0").await.is_committed());
        assert!(!message(b'C', "ROLLBACK\0").await.is_committed());
    }

    #[tokio::test]
    async fn of_a_large_message_only_the_head_is_read() {
        let large = message(b'Q', &"x".repeat(65)).await;
        assert_eq!((large.bytes.as_slice(), large.rest), (&b"Q\0\0\0\x45"[..], 65));
        let small = message(b'Q', &"x".repeat(64)).await;
        assert_eq!((small.bytes.len(), small.rest), (69, 0));
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
