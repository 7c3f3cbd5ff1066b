//! Measures the engine on the files of a folder, one line of JSON:
//!
//! ```text
//! cargo run --profile dist -p roster --example ingest_bench -- validate|ingest FOLDER [THREADS]
//! ```
//!
//! CPU seconds are those of the whole process, by the kernel's count of hundredths; peak memory is the
//! most that was ever resident. Both are Linux only.
#![allow(clippy::print_stdout)]

use roster::{CodeList, Codes, IngestOptions, Severity, Source};
use std::path::PathBuf;
use std::time::Instant;

#[path = "../src/testing.rs"]
mod testing;

/// Seconds that all threads of this process were on a processor, in the user's code and the kernel's.
fn cpu_seconds() -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which ends with a parenthesis, utime and stime are the 12th and 13th fields.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

/// The most memory that was resident, in MiB.
fn peak_mib() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let work = arguments.next().ok_or("validate or ingest?")?;
    let folder = PathBuf::from(arguments.next().ok_or("which folder?")?);
    let threads = arguments.next().and_then(|number| number.to_str()?.parse().ok());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let entry = entry?;
        files.push(Source { name: entry.file_name().to_string_lossy().into_owned(), path: entry.path() });
    }
    let codes = testing::codes();
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions { threads, ..IngestOptions::new(&codes, &mut progress) };
    let (wall, cpu) = (Instant::now(), cpu_seconds().unwrap_or_default());
    let report = if work == "ingest" {
        let out = tempfile::tempdir()?;
        roster::ingest(&files, &mut options, out.path(), &mut |_| Ok(()))?
    } else {
        roster::validate(&files, &mut options, &mut |_| Ok(()))?
    };
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds().unwrap_or_default() - cpu);
    let measured = serde_json::json!({
        "work": work.to_string_lossy(), "rows": report.rows(), "cpuSeconds": cpu, "wallSeconds": wall, "peakMiB": peak_mib(),
        "cpuSecondsPerMillionRows": cpu / (report.rows() as f64 / 1e6),
        "errors": report.count(Severity::Error), "warnings": report.count(Severity::Warning),
        "catastrophic": report.catastrophic.map(|finding| finding.message),
    });
    println!("{measured}");
    Ok(())
}
