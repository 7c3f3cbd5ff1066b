//! Measures an ingest: `cargo run --release -p roster --example ingest_bench -- FOLDER [OUT]`.
//!
//! Prints rows, seconds, CPU seconds (of the one thread there is), peak memory and what was found.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use roster::{CodeList, Codes, Entity, IngestOptions, Severity, Source};
use std::path::PathBuf;
use std::time::Instant;

#[path = "../src/testing.rs"]
mod testing;

/// Nanoseconds that this thread was on a processor; Linux only.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}

/// The most memory that was resident, in MiB; Linux only.
fn peak_mib() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().ok_or("which folder?")?;
    let out = arguments.next().unwrap_or_else(|| std::env::temp_dir().join(format!("ingest-bench-{}", std::process::id())));
    std::fs::create_dir_all(&out)?;
    let files: Vec<Source> = Entity::ALL
        .iter()
        .map(|entity| Source { name: entity.file().to_owned(), path: folder.join(entity.file()) })
        .filter(|source| source.path.is_file())
        .collect();
    let codes = testing::codes();
    let mut shown = 0;
    let (wall, cpu) = (Instant::now(), cpu_seconds().unwrap_or_default());
    let mut options = IngestOptions { codes: &codes, encoding: None, progress: &mut |_, _| true };
    let report = roster::ingest(&files, &mut options, &out, &mut |finding| {
        shown += 1;
        if shown <= 5 {
            println!("{}", finding.to_json());
        }
        Ok(())
    })?;
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds().unwrap_or_default() - cpu);
    for file in &report.files {
        println!(
            "{:24} {:>10} rows {:>10} accepted {:>8} errors {:>8} warnings",
            file.name, file.rows, file.accepted, file.errors, file.warnings
        );
    }
    let millions = report.rows() as f64 / 1e6;
    println!(
        "findings: {} errors, {} warnings, catastrophic: {:?}",
        report.count(Severity::Error),
        report.count(Severity::Warning),
        report.catastrophic
    );
    println!(
        "{:.2} M rows in {wall:.2} s = {:.0} rows/s; {:.2} CPU s a million rows; peak {:.0} MiB",
        millions,
        millions * 1e6 / wall,
        cpu / millions,
        peak_mib().unwrap_or_default()
    );
    Ok(())
}
