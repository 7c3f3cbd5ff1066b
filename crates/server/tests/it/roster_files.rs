//! A small school district as SDS v2.1 files, written out by hand so that a test can say exactly
//! which groups must come of it.

use server::Account;

/// One person: key, role, organizations.
pub type Person = (&'static str, &'static str, &'static [&'static str]);

/// The organizations: key and name.
pub const ORGS: [(&str, &str); 3] = [("d", "Contoso District"), ("n", "North School"), ("s", "South School")];

/// The people of the first day. `tanja` teaches at both schools.
pub const DAY_1: [Person; 12] = [
    ("paula", "principal", &["n"]),
    ("tim", "teacher", &["n"]),
    ("tanja", "teacher", &["n", "s"]),
    ("tom", "teacher", &["s"]),
    ("ada", "student", &["n"]),
    ("ben", "student", &["n"]),
    ("cem", "student", &["n"]),
    ("dora", "student", &["n"]),
    ("eva", "student", &["s"]),
    ("finn", "student", &["s"]),
    ("gül", "student", &["s"]),
    ("hugo", "student", &["s"]),
];

/// The files of an export with these organizations and people.
pub fn files(orgs: &[(&str, &str)], people: &[Person]) -> Vec<(String, Vec<u8>)> {
    let mut org_rows = "sourcedId,name,type,parentSourcedId\n".to_owned();
    for (id, name) in orgs {
        let (kind, parent) = if *id == "d" { ("district", "") } else { ("school", "d") };
        org_rows += &format!("{id},{name},{kind},{parent}\n");
    }
    let mut users = "sourcedId,username,givenName,familyName\n".to_owned();
    let mut roles = "userSourcedId,orgSourcedId,role,isPrimary\n".to_owned();
    for (name, role, at) in people {
        users += &format!("{name},{name},{name},Contoso\n");
        for (index, org) in at.iter().enumerate() {
            roles += &format!("{name},{org},{role},{}\n", index == 0);
        }
    }
    [("orgs.csv", org_rows), ("users.csv", users), ("roles.csv", roles)].map(|(name, text)| (name.to_owned(), text.into_bytes())).into()
}

/// The account of a person.
pub fn account(name: &str) -> Account {
    Account {
        upn: upn(name),
        mail: None,
        display_name: name.to_owned(),
        given_name: name.to_owned(),
        surname: "Contoso".to_owned(),
        enabled: true,
    }
}

/// The userPrincipalName of a person.
pub fn upn(name: &str) -> String {
    format!("{name}@contoso.example")
}
