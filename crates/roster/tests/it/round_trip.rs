//! What is written as CSV is read back.

use super::load;
use proptest::prelude::*;
use roster::Entity;
use std::collections::BTreeMap;
use std::fmt::Write as _;

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any text without line breaks survives as a name; any id survives as an id.
    #[test]
    fn names_and_ids_come_back_as_they_were(
        people in proptest::collection::btree_map("[a-zA-Z0-9_.-]{1,12}", ("[^\\p{Cc}]{0,16}", "[^\\p{Cc}]{0,16}"), 1..40),
        end in proptest::sample::select(vec!["\n", "\r\n", "\r"]),
        mark: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut users = format!("{}sourcedId,username,familyName,givenName{end}", if mark { "\u{feff}" } else { "" });
        let mut roles = format!("userSourcedId,orgSourcedId,role{end}");
        for (n, (id, (given, family))) in people.iter().enumerate().rev() {
            write!(users, "{id},user{n},{},{}{end}", quoted(family), quoted(given)).unwrap();
            write!(roles, "{id},A,student{end}").unwrap();
        }
        std::fs::write(dir.path().join("orgs.csv"), format!("sourcedId,name,type{end}A,\"A, \"\"B\"\"\",school")).unwrap();
        std::fs::write(dir.path().join("users.csv"), users).unwrap();
        std::fs::write(dir.path().join("roles.csv"), roles).unwrap();
        let loaded = load(dir.path(), None);
        // Text by chance can look as if it had been encoded twice; that is a remark, and it is kept as it is.
        prop_assert!(loaded.found.iter().all(|finding| finding.code == "EncodedTwice"), "{}", loaded.first_findings());
        let blank = |text: &str| if text.trim().is_empty() { String::new() } else { text.to_owned() };
        let expected: BTreeMap<_, _> = people.iter().map(|(id, (given, family))| (id.clone(), (blank(given), blank(family)))).collect();
        let read: BTreeMap<_, _> = loaded.records(Entity::User).into_iter().map(|(id, f)| (id, (f[2].clone(), f[3].clone()))).collect();
        prop_assert_eq!(read, expected);
        prop_assert_eq!(&loaded.records(Entity::Org)[0].1[1], "A, \"B\"");
    }

    /// No bytes at all make it panic, and the counts of a file always add up.
    #[test]
    fn any_bytes_are_read_to_the_end(bytes in proptest::collection::vec(any::<u8>(), 0..400), lines in proptest::collection::vec("[ab1,\"\\r\\n\\x00é@.-]{0,20}", 0..20)) {
        let dir = tempfile::tempdir().unwrap();
        let mut users = b"sourcedId,username,email\n".to_vec();
        for line in &lines {
            users.extend(line.as_bytes());
            users.push(b'\n');
        }
        users.extend(bytes);
        std::fs::write(dir.path().join("orgs.csv"), "sourcedId,name,type\nA,A,school\n").unwrap();
        std::fs::write(dir.path().join("users.csv"), users).unwrap();
        std::fs::write(dir.path().join("roles.csv"), "userSourcedId,orgSourcedId,role\n").unwrap();
        let loaded = load(dir.path(), None);
        let file = loaded.report.files.iter().find(|f| f.name == "users.csv").unwrap();
        let identical = loaded.report.codes.get("DuplicateRecord").copied().unwrap_or_default();
        prop_assert_eq!(file.rows, file.accepted + file.errors + identical);
        prop_assert_eq!(loaded.records(Entity::User).len() as u64, file.accepted);
    }
}
