//! A page of documentation, part of which is made anew from what was measured.

use std::fs;
use std::path::{Path, PathBuf};

use super::plots::Drawn;
use crate::error::Error;
use crate::report;

pub(crate) struct Document {
    file: PathBuf,
    /// The marks between which nobody writes by hand.
    begins: String,
    ends: String,
    before: String,
    after: String,
}

impl Document {
    /// Looks for the marks: to find out after a quarter of an hour that there are none would be late.
    pub(crate) fn open(file: &Path, name: &str) -> Result<Self, Error> {
        let (begins, ends) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
        let bad = |why: &str| Error::Usage(format!("'{}' cannot be written into: {why}", file.display()));
        let text = fs::read_to_string(file).map_err(|error| bad(&error.to_string()))?;
        let no_mark = |mark: &str| bad(&format!("it has no line {}", mark.trim_end()));
        let (before, rest) = text.split_once(&begins).ok_or_else(|| no_mark(&begins))?;
        let (_, after) = rest.split_once(&ends).ok_or_else(|| no_mark(&ends))?;
        let [before, after] = [before, after].map(ToOwned::to_owned);
        Ok(Self { file: file.to_owned(), begins, ends, before, after })
    }

    pub(crate) fn write(&self, tables: &str, plots: &[Drawn]) -> Result<(), Error> {
        let Self { file, begins, ends, before, after } = self;
        let title = if plots.is_empty() { "" } else { "\n### Plots\n" };
        let plots: String = plots.iter().map(|plot| self.image(plot)).collect();
        report::write(file, &format!("{before}{begins}\n{tables}{title}{plots}\n{ends}{after}"))
    }

    /// By a link that holds wherever the documentation is.
    fn image(&self, plot: &Drawn) -> String {
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let link = plot.file.strip_prefix(folder).unwrap_or(&plot.file);
        format!("\n![{}]({})\n", plot.title, link.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGINS: &str = "<!-- fan-out -->\n";
    const ENDS: &str = "<!-- end of fan-out -->\n";

    #[test]
    fn what_is_between_the_marks_is_made_anew_and_the_rest_stays() {
        let folder = std::env::temp_dir().join(format!("lobby-load-document-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("page.md");
        fs::write(&file, format!("# Before\n\n{BEGINS}old\n{ENDS}\nBehind\n")).unwrap();
        let plots =
            [Drawn { title: "Memory, idle".to_owned(), file: folder.join("page").join("memory.svg") }];
        for _ in 0..2 {
            Document::open(&file, "fan-out").unwrap().write("| a |\n", &plots).unwrap();
        }
        let text = fs::read_to_string(&file).unwrap();
        fs::remove_dir_all(folder).unwrap();
        let made = "\n| a |\n\n### Plots\n\n![Memory, idle](page/memory.svg)\n\n";
        assert_eq!(text, format!("# Before\n\n{BEGINS}{made}{ENDS}\nBehind\n"));
    }

    #[test]
    fn a_page_without_marks_is_refused_by_its_name() {
        let error = Document::open(Path::new("Cargo.toml"), "fan-out").map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("'Cargo.toml'") && error.contains("<!-- fan-out -->"), "{error}");
    }
}
