//! What a person sees: messages, colours, logging. The only place that prints.
#![expect(clippy::print_stderr, reason = "the one module of the product that talks to the terminal")]

pub(crate) use roster::report::grouped;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code for "could not do it".
const COULD_NOT: u8 = 3;
/// Exit code for a command that was used wrongly, as clap has it.
const WRONG_USAGE: u8 = 2;

/// One line of data.
pub(crate) fn line(text: &str) {
    written(write(|out| writeln!(out, "{text}")));
}

fn written(outcome: std::io::Result<()>) {
    if let Err(error) = outcome {
        eprintln!("cannot write: {error}");
        std::process::exit(i32::from(COULD_NOT));
    }
}

/// Whether nobody reads our output any more.
static IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// What is written to it is data. Whoever reads our output may stop at any time (`… | head`): then nothing more is
/// written, and the work ends as it would have, with its own exit code.
pub(crate) fn write(data: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<()> {
    if IS_CLOSED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    match data(&mut stdout).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            IS_CLOSED.store(true, Ordering::Relaxed);
            Ok(())
        }
        outcome => outcome,
    }
}

/// One line about the work.
pub(crate) fn note(text: &str) {
    eprintln!("{}", printable(text));
}

/// A JSON value on stdout.
pub(crate) fn json(value: &serde_json::Value) {
    written(write_json(value));
}

/// What may be long, as JSON on stdout while it is serialized.
pub(crate) fn write_json(value: &impl serde::Serialize) -> std::io::Result<()> {
    write(|out| {
        serde_json::to_writer_pretty(LegibleJson(out), value)?;
        writeln!(out)
    })
}

/// Passes on what a serializer writes, as [`roster::legible_json`] has it.
struct LegibleJson<'o>(&'o mut dyn Write);

impl Write for LegibleJson<'_> {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        // A serializer writes whole characters at a time.
        let whole = std::str::from_utf8(text).map_err(std::io::Error::other)?;
        self.0.write_all(roster::legible_json(whole).as_bytes())?;
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Reports a failure and gives the exit code.
pub(crate) fn fail(message: &str, hint: Option<&str>, usage: bool) -> ExitCode {
    eprintln!("{} {}", paint("error:", Colour::Red, std::io::stderr().is_terminal()), printable(message));
    if let Some(hint) = hint {
        eprintln!("\n{} {}", paint("hint:", Colour::Cyan, std::io::stderr().is_terminal()), printable(hint));
    }
    ExitCode::from(if usage { WRONG_USAGE } else { COULD_NOT })
}

/// Colours that are used.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Colour {
    /// Failure.
    Red,
    /// Success.
    Green,
    /// Attention.
    Yellow,
    /// Names and hints.
    Cyan,
    /// Side remarks.
    Dim,
    /// Headings.
    Bold,
}

/// Paints for stdout when it is a terminal and `NO_COLOR` is not set.
pub(crate) fn coloured(text: &str, colour: Colour) -> String {
    paint(text, colour, std::io::stdout().is_terminal())
}

fn paint(text: &str, colour: Colour, terminal: bool) -> String {
    if !terminal || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Red => "31",
        Colour::Green => "32",
        Colour::Yellow => "33",
        Colour::Cyan => "36",
        Colour::Dim => "2",
        Colour::Bold => "1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// A moment to the second, UTC.
pub(crate) fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A text of at most so many characters.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A text from a file that anybody may have written, as [`roster::legible`] shows it.
pub(crate) fn printable(text: &str) -> String {
    roster::legible(text).into_owned()
}

/// A table with aligned columns; numbers (cells that parse as such) to the right.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|h| h.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let print = |cells: &[String], colour: Option<Colour>| {
        let mut line = String::from("  ");
        for (cell, width) in cells.iter().zip(&widths) {
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            let number = !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit() || b == b',');
            line.push_str(&if number { format!("{padding}{cell}  ") } else { format!("{cell}{padding}  ") });
        }
        let line = line.trim_end();
        self::line(&colour.map_or_else(|| line.to_owned(), |colour| coloured(line, colour)));
    };
    print(&headings.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>(), Some(Colour::Dim));
    for row in rows {
        print(row, None);
    }
}

/// Logs go to stderr; `HOMEROOM_LOG` sets the level by module, `HOMEROOM_LOG_FORMAT=json` the form.
pub(crate) fn start_logging(default_level: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("HOMEROOM_LOG").unwrap_or_else(|_| EnvFilter::new(default_level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let outcome = if std::env::var("HOMEROOM_LOG_FORMAT").is_ok_and(|format| format == "json") {
        builder.json().try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    if let Err(error) = outcome {
        eprintln!("logging could not be started: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_that_is_streamed_is_legible_and_the_same() {
        let value = json!({ "a\u{202e}b": ["x\u{9b}\n\"\u{2066}é", 7] });
        let mut out = Vec::new();
        serde_json::to_writer_pretty(LegibleJson(&mut out), &value).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains(|c| c != '\n' && roster::misleads(c)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
