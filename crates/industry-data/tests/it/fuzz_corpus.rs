//! The committed corpora of the fuzz targets, run without a fuzzer: what it has found stays covered
//! by every test run. `fuzz/README.md` says how to look for more.

#[path = "../../../../fuzz/src/targets.rs"]
#[allow(unreachable_pub, reason = "the fuzz targets use it too")]
mod targets;

use std::path::Path;

/// Runs a target on its corpus; a panic names the file.
fn run(name: &str, target: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let outcome = std::panic::catch_unwind(|| target(&input));
        assert!(outcome.is_ok(), "{} panics", path.display());
        count += 1;
    }
    assert!(count > 100, "the corpus of {name} is not there: {count} inputs");
}

/// As the fuzzer gives it to a target of text.
fn text(target: impl Fn(&str) + std::panic::RefUnwindSafe) -> impl Fn(&[u8]) + std::panic::RefUnwindSafe {
    move |input| {
        if let Ok(input) = std::str::from_utf8(input) {
            target(input);
        }
    }
}

#[test]
fn url() {
    run("url", text(targets::url));
}

#[test]
fn filter() {
    run("filter", text(targets::filter));
}

#[test]
fn json() {
    run("json", targets::json);
}

#[test]
fn batch() {
    run("batch", targets::batch);
}
