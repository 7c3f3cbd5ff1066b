//! Any bytes as an archive: refused or unpacked, in bounded time, memory and disk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roster::Source;
use roster::archive::{ArchiveLimits, unpack};

fuzz_target!(|bytes: &[u8]| {
    let dir = std::env::temp_dir().join(format!("homeroom-fuzz-zip-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir(&dir).unwrap();
    let path = dir.join("export.zip");
    std::fs::write(&path, bytes).unwrap();
    let limits = ArchiveLimits { total_bytes_max: 1 << 20, ..ArchiveLimits::DEFAULT };
    let out = dir.join("out");
    let unpacked = unpack(&Source { name: "export.zip".to_owned(), path }, &out, &limits);
    assert_eq!(unpacked.is_ok(), out.exists());
    for file in unpacked.into_iter().flat_map(|(files, _)| files) {
        assert_eq!(file.path.parent(), Some(out.as_path()));
    }
});
