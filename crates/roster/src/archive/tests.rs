use super::*;
use proptest::prelude::*;
use std::path::PathBuf;

struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    fn unpack_within(&self, bytes: &[u8], limits: &ArchiveLimits) -> Result<(Vec<Source>, Option<Finding>), UnpackError> {
        let path = self.dir.path().join("export.zip");
        std::fs::write(&path, bytes).unwrap();
        let unpacked = unpack(&Source { name: "export.zip".to_owned(), path }, &self.out(), limits);
        assert_eq!(self.out().exists(), unpacked.is_ok(), "nothing of a refused archive stays");
        unpacked
    }

    /// Findings of an archive that must be refused.
    fn refused(&self, bytes: &[u8]) -> Vec<Finding> {
        self.refused_within(bytes, &ArchiveLimits::DEFAULT)
    }

    fn refused_within(&self, bytes: &[u8], limits: &ArchiveLimits) -> Vec<Finding> {
        match self.unpack_within(bytes, limits) {
            Err(UnpackError::Refused(findings)) => findings,
            other => panic!("{other:?}"),
        }
    }
}

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored)
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

fn archive(entries: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Puts other bytes of the same length in the place of all that are there: how names that no writer
/// would write get into an archive.
fn patched(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, from).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// Place of the only entry in the list of entries.
fn directory(bytes: &[u8]) -> usize {
    memchr::memmem::find(bytes, b"PK\x01\x02").unwrap()
}

#[test]
fn files_come_out_as_they_went_in() {
    for options in [stored(), deflated()] {
        let case = Case::new();
        let bytes = archive(&[("users.csv", b"sourcedId\nA"), ("Student.csv", b""), ("manifest.csv", b"propertyName,value")], options);
        let (files, warning) = case.unpack_within(&bytes, &ArchiveLimits::DEFAULT).unwrap();
        let read: Vec<(&str, Vec<u8>)> = files.iter().map(|f| (f.name.as_str(), std::fs::read(&f.path).unwrap())).collect();
        let expected =
            [("users.csv", b"sourcedId\nA".to_vec()), ("Student.csv", Vec::new()), ("manifest.csv", b"propertyName,value".to_vec())];
        assert_eq!(read, expected);
        assert_eq!(warning, None);
    }
}

#[test]
fn what_is_packed_is_unpacked() {
    let case = Case::new();
    let names = ["users.csv", "orgs.csv"];
    for name in names {
        std::fs::write(case.dir.path().join(name), name.repeat(1000)).unwrap();
    }
    let files = names.map(|name| Source { name: name.to_owned(), path: case.dir.path().join(name) });
    let archives = ["a.zip", "b.zip"].map(|name| case.dir.path().join(name));
    for archive in &archives {
        pack(&files, archive).unwrap();
    }
    let [a, b] = archives.map(|archive| std::fs::read(archive).unwrap());
    assert!(a == b && a.len() < 1000);
    let (unpacked, _) = case.unpack_within(&a, &ArchiveLimits::DEFAULT).unwrap();
    assert_eq!(unpacked.iter().map(|f| std::fs::read_to_string(&f.path).unwrap()).collect::<Vec<_>>(), names.map(|n| n.repeat(1000)));
}

#[test]
fn what_a_desktop_leaves_is_passed_over_and_said() {
    let case = Case::new();
    let leftovers = ["__MACOSX/._users.csv", ".DS_Store", "Thumbs.db", "desktop.ini", "._users.csv", "__MACOSX/"];
    let mut entries: Vec<(&str, &[u8])> = leftovers.iter().map(|name| (*name, &b"x"[..])).collect();
    entries.push(("users.csv", b"sourcedId"));
    let (files, warning) = case.unpack_within(&archive(&entries, stored()), &ArchiveLimits::DEFAULT).unwrap();
    assert_eq!(files.len(), 1);
    let warning = warning.unwrap();
    assert_eq!((warning.code, warning.value.as_deref()), ("UnsupportedFile", Some("__MACOSX/._users.csv")));
    assert!(warning.message.contains('6'), "{}", warning.message);
    assert_eq!(std::fs::read_dir(case.out()).unwrap().count(), 1);
}

#[test]
fn only_files_of_a_format_at_the_root() {
    for (name, hint) in [
        ("export/users.csv", "at the root"),
        ("export/", "at the root"),
        ("../users.csv", "at the root"),
        ("/users.csv", "at the root"),
        ("..\\users.csv", "at the root"),
        ("C:\\users.csv", "at the root"),
        ("C:users.csv", "meant to be users.csv?"),
        ("users.csv\0.txt", "meant to be users.csv?"),
        ("..", "names of a format"),
        ("users_2026-11-27.csv", "meant to be users.csv?"),
        ("readme.txt", "names of a format"),
        ("extra.csv", "names of a format"),
        ("inner.zip", "names of a format"),
        ("users.csv ", "meant to be users.csv?"),
        ("\u{202e}users.csv", "meant to be users.csv?"),
    ] {
        let case = Case::new();
        // Written under a name of the same length that writers take, and then changed.
        let plain = "x".repeat(name.len());
        let bytes = patched(archive(&[("orgs.csv", b"sourcedId"), (&plain, b"A")], stored()), plain.as_bytes(), name.as_bytes());
        let found = case.refused(&bytes);
        assert_eq!(found.iter().map(|f| f.code).collect::<Vec<_>>(), ["InvalidFileFormat"], "{name:?} {found:?}");
        assert_eq!((found[0].file.as_str(), found[0].value.as_deref()), ("export.zip", Some(name)));
        assert!(found[0].hint.as_ref().unwrap().contains(hint), "{name:?} {found:?}");
        assert!(!found[0].message.contains(['\0', '\u{202e}']), "{:?}", found[0].message);
    }
}

#[test]
fn links_secrets_and_strange_methods_are_refused() {
    let case = Case::new();
    let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
    writer.add_symlink("users.csv", "/etc/passwd", stored()).unwrap();
    let found = case.refused(&writer.finish().unwrap().into_inner());
    assert!(found[0].code == "InvalidFileFormat" && found[0].hint.as_ref().unwrap().contains("link"), "{found:?}");

    let plain = archive(&[("users.csv", b"sourcedId")], stored());
    for (offset, value, told) in [(8, 1, "password"), (10, 12, "deflate"), (10, 99, "deflate")] {
        // General purpose flag 0: encrypted. Methods 12 and 99: bzip2 and AES.
        let mut bytes = plain.clone();
        let at = directory(&bytes) + offset;
        bytes[at] = value;
        bytes[offset - 2] = value;
        let found = Case::new().refused(&bytes);
        assert!(found[0].code == "InvalidFileFormat" && found[0].hint.as_ref().unwrap().contains(told), "{found:?}");
    }
}

#[test]
fn a_name_that_is_there_twice_is_refused() {
    let entries: [(&str, &[u8]); 2] = [("users.csv", b"good"), ("usersXcsv", b"evil")];
    let found = Case::new().refused(&patched(archive(&entries, stored()), b"usersXcsv", b"users.csv"));
    assert_eq!(found[0].code, "DuplicateFile");
    // … also where only file systems of some systems find it.
    let found = Case::new().refused(&archive(&[("users.csv", b"good"), ("Users.csv", b"evil")], stored()));
    assert_eq!(found[0].code, "DuplicateFile");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let found = Case::new().refused(&archive(&[("readme.txt", b"x"), ("users.csv", b"x"), ("export/orgs.csv", b"x")], stored()));
    assert_eq!(found.iter().filter_map(|f| f.value.as_deref()).collect::<Vec<_>>(), ["readme.txt", "export/orgs.csv"]);
}

#[test]
fn damage_is_told_and_leaves_nothing() {
    let content = "sourcedId,username\n".repeat(500).into_bytes();
    for options in [stored(), deflated()] {
        let bytes = archive(&[("orgs.csv", &content), ("users.csv", &content)], options);
        for end in [0, 10, bytes.len() / 2, bytes.len() - 30, bytes.len() - 1] {
            assert_eq!(Case::new().refused(&bytes[..end])[0].code, "FileUnreadable", "{end}");
        }
        // One bit in the data of the second file: the checksum is not right.
        let mut flipped = bytes.clone();
        let second = memchr::memmem::find_iter(&bytes, b"PK\x03\x04").nth(1).unwrap();
        flipped[second + 60] ^= 4;
        let found = Case::new().refused(&flipped);
        assert_eq!((found[0].code, found[0].value.as_deref()), ("FileUnreadable", Some("users.csv")), "{found:?}");
    }
    assert_eq!(Case::new().refused(b"sourcedId,username\n1,a\n")[0].code, "FileUnreadable");
    assert_eq!(Case::new().refused(&archive(&[], stored()))[0].code, "InvalidFileFormat");
}

#[test]
fn bombs_go_off_early() {
    let zeros = vec![b'0'; 20 * 1024 * 1024];
    let bomb = archive(&[("users.csv", &zeros)], deflated());
    let found = Case::new().refused(&bomb);
    assert!(found[0].code == "ArchiveTooLarge" && found[0].message.contains("200 times"), "{found:?}");

    // The header says one byte: what counts is what comes out.
    let mut lying = bomb;
    let at = directory(&lying) + 24;
    lying[at..at + 4].copy_from_slice(&1_u32.to_le_bytes());
    let found = Case::new().refused(&lying);
    assert!(found[0].code == "FileUnreadable" && found[0].message.contains("declared"), "{found:?}");

    let some = archive(&[("users.csv", &zeros[..300]), ("orgs.csv", &zeros[..300])], stored());
    let limits = ArchiveLimits { file_bytes_max: 299, ..ArchiveLimits::DEFAULT };
    assert!(Case::new().refused_within(&some, &limits)[0].message.contains("larger than 299 bytes"));
    let limits = ArchiveLimits { total_bytes_max: 599, ..ArchiveLimits::DEFAULT };
    let found = Case::new().refused_within(&some, &limits);
    assert!(found[0].message.starts_with("orgs.csv in export.zip") && found[0].message.contains("together"), "{found:?}");
    let limits = ArchiveLimits { entries_max: 1, ..ArchiveLimits::DEFAULT };
    assert!(Case::new().refused_within(&some, &limits)[0].message.contains("2 entries"));
    let limits = ArchiveLimits { directory_bytes_max: 64, ..ArchiveLimits::DEFAULT };
    assert_eq!(Case::new().refused_within(&some, &limits)[0].code, "FileUnreadable");
}

/// Entries of the directory that all name the same bytes: a small archive that is many files.
#[test]
fn overlapping_entries_count_each_time() {
    let content = vec![b'0'; 12 * 1024 * 1024];
    let one = archive(&[("users.csv", &content)], deflated());
    let start = directory(&one);
    let end = memchr::memmem::find(&one, b"PK\x05\x06").unwrap();
    let mut bytes = one[..start].to_vec();
    for name in [b"users.csv", b"roles.csv"] {
        bytes.extend(patched(one[start..end].to_vec(), b"users.csv", name));
    }
    let size = (bytes.len() - start) as u32;
    let mut tail = one[end..].to_vec();
    tail[8..10].copy_from_slice(&2_u16.to_le_bytes());
    tail[10..12].copy_from_slice(&2_u16.to_le_bytes());
    tail[12..16].copy_from_slice(&size.to_le_bytes());
    bytes.extend(tail);
    // Either alone is below the size from which the ratio counts.
    let found = Case::new().refused(&bytes);
    assert_eq!(found[0].code, "ArchiveTooLarge", "{found:?}");
}

#[test]
fn loose_files_and_archives_make_one_export() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Source { name: name.to_owned(), path }
    };
    let files = vec![
        put("orgs.csv", b"sourcedId,name,type\nA,A,school\n"),
        put("people.ZIP", &archive(&[("users.csv", b"sourcedId,username\n1,a\n"), ("orgs.csv", b"")], deflated())),
        put("more.zip", &archive(&[("roles.csv", b"userSourcedId,orgSourcedId,role\n1,A,student\n")], deflated())),
        put("bad.zip", b"no archive"),
    ];
    let opened = open_archives(files, &dir.path().join("out"), &ArchiveLimits::DEFAULT).unwrap();
    assert_eq!(opened.files.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["orgs.csv", "users.csv", "orgs.csv", "roles.csv"]);
    assert_eq!(opened.errors.iter().map(|f| (f.code, f.file.as_str())).collect::<Vec<_>>(), [("FileUnreadable", "bad.zip")]);
    let basic = crate::basic_validate(&opened.files, None);
    assert_eq!(basic.errors.iter().map(|f| (f.code, f.file.as_str())).collect::<Vec<_>>(), [("DuplicateFile", "orgs.csv")]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Case::new().unpack_within(&bytes, &ArchiveLimits::DEFAULT);
    }

    /// A good archive with some bytes changed: refused or unpacked, and what comes out is in its place.
    #[test]
    fn no_damage_makes_it_panic_or_write_elsewhere(changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6), deflate: bool) {
        let entries: [(&str, &[u8]); 2] = [("users.csv", b"sourcedId,username\n1,a\n2,b\n"), ("orgs.csv", b"sourcedId,name,type\n")];
        let mut bytes = archive(&entries, if deflate { deflated() } else { stored() });
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let case = Case::new();
        if let Ok((files, _)) = case.unpack_within(&bytes, &ArchiveLimits::DEFAULT) {
            let out = case.out();
            for file in files {
                prop_assert_eq!(file.path.parent(), Some(out.as_path()));
                prop_assert!(file.path.is_file());
            }
        }
    }
}
