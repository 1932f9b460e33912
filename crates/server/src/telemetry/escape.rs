//! What is logged, without characters that do anything but stand there.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

/// Something as it is shown, in one line: control characters, and those that turn the direction of writing around, are written
/// as Rust writes them, such as `\n` and `\u{1b}`.
pub(super) struct Escaped<'a>(pub(super) &'a dyn fmt::Debug);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{:?}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(acts) {
            let (plain, from) = rest.split_at(at);
            self.0.write_str(plain)?;
            let mut chars = from.chars();
            chars.next().map_or(Ok(()), |c| write!(self.0, "{}", c.escape_default()))?;
            rest = chars.as_str();
        }
        self.0.write_str(rest)
    }
}

/// Lines of JSON. JSON itself escapes the control characters of ASCII only; all others that act are written as `\u`
/// and four digits, which is the same to whoever reads it.
pub(super) struct JsonLines<W>(pub(super) W);

impl<W: Write> Write for JsonLines<W> {
    /// A whole entry, as it always comes.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(entry) {
            Ok(text) if text.contains(acts_in_json) => self.0.write_all(json_escaped(text).as_bytes())?,
            Ok(_) | Err(_) => self.0.write_all(entry)?,
        }
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn json_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 32);
    for c in text.chars() {
        if acts_in_json(c) {
            let _never_fails = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Whether a terminal, or a program that reads lines, does something about it. Among them are those that Unicode has for line
/// ends and for the direction of writing, all of which have four hexadecimal digits.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The newline ends the entry.
fn acts_in_json(c: char) -> bool {
    c != '\n' && acts(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\r\nb\u{1b}[2Jc\u{9b}31md\u{202e}e\u{2028}f\u{7f}\tg";

    #[test]
    fn a_text_is_one_line_that_does_nothing() {
        let shown = Escaped(&format_args!("{HOSTILE}")).to_string();
        assert_eq!(shown, r"a\r\nb\u{1b}[2Jc\u{9b}31md\u{202e}e\u{2028}f\u{7f}\tg");
        assert_eq!(Escaped(&format_args!("Zoë ЈоhnDое 🎉")).to_string(), "Zoë ЈоhnDое 🎉");
    }

    #[test]
    fn json_says_the_same_and_has_nothing_in_it_that_acts() {
        let line = serde_json::json!({"name": HOSTILE}).to_string() + "\n";
        let mut written = Vec::new();
        JsonLines(&mut written).write_all(line.as_bytes()).expect("a vector takes it");
        let written = String::from_utf8(written).expect("UTF-8");
        assert!(written.ends_with("}\n") && !written.contains(acts_in_json), "{written}");
        let read: serde_json::Value = serde_json::from_str(&written).expect("JSON");
        assert_eq!(read["name"], HOSTILE);
    }
}
