//! A small roster as a test writes it down, and its files.

use std::collections::BTreeMap;
use std::path::Path;

#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) match_id: String,
    pub(crate) number: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    pub(crate) person: String,
    pub(crate) org: String,
    pub(crate) role: String,
    pub(crate) primary: Option<bool>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Roster {
    pub(crate) orgs: BTreeMap<String, String>,
    pub(crate) people: BTreeMap<String, Person>,
    pub(crate) roles: Vec<Held>,
    /// Class and its organization.
    pub(crate) classes: BTreeMap<String, String>,
    /// Class, person, role.
    pub(crate) enrollments: Vec<(String, String, String)>,
    /// Lines as they stand, by file.
    pub(crate) raw: Vec<(&'static str, String)>,
    /// Whether the rows of each file stand in opposite order.
    pub(crate) backwards: bool,
}

impl Roster {
    /// Organizations, each called by its id and the word School.
    pub(crate) fn of(orgs: &[&str]) -> Self {
        let mut roster = Self::default();
        for org in orgs {
            roster.orgs.insert((*org).to_owned(), format!("{org} School"));
        }
        roster
    }

    /// Somebody with a role; known people get one more. The username is the id at `school.example`.
    pub(crate) fn has(&mut self, person: &str, role: &str, org: &str) -> &mut Self {
        self.has_primary(person, role, org, None)
    }

    pub(crate) fn has_primary(&mut self, person: &str, role: &str, org: &str, primary: Option<bool>) -> &mut Self {
        self.person(person);
        self.roles.push(Held { person: person.to_owned(), org: org.to_owned(), role: role.to_owned(), primary });
        self
    }

    pub(crate) fn person(&mut self, id: &str) -> &mut Person {
        let fresh = || Person { id: id.to_owned(), username: format!("{id}@school.example"), ..Person::default() };
        self.people.entry(id.to_owned()).or_insert_with(fresh)
    }

    pub(crate) fn leaves(&mut self, person: &str) -> &mut Self {
        assert!(self.people.remove(person).is_some(), "{person} is not there");
        self.roles.retain(|role| role.person != person);
        self.enrollments.retain(|(_, who, _)| who != person);
        self
    }

    pub(crate) fn loses(&mut self, person: &str, role: &str, org: &str) -> &mut Self {
        let before = self.roles.len();
        self.roles.retain(|r| (r.person.as_str(), r.role.as_str(), r.org.as_str()) != (person, role, org));
        assert!(self.roles.len() < before, "{person} is no {role} at {org}");
        self
    }

    pub(crate) fn moves(&mut self, person: &str, from: &str, to: &str) -> &mut Self {
        let role = self.roles.iter_mut().find(|r| r.person == person && r.org == from);
        to.clone_into(&mut role.unwrap_or_else(|| panic!("{person} is not at {from}")).org);
        self
    }

    pub(crate) fn enrolled(&mut self, class: &str, org: &str, people: &[&str]) -> &mut Self {
        self.classes.insert(class.to_owned(), org.to_owned());
        self.enrollments.extend(people.iter().map(|person| (class.to_owned(), (*person).to_owned(), "student".to_owned())));
        self
    }

    /// Writes the files; gives their names.
    pub(crate) fn write(&self, dir: &Path) -> Vec<String> {
        std::fs::create_dir_all(dir).unwrap();
        let primary = |primary: Option<bool>| primary.map_or(String::new(), |p| p.to_string());
        let mut files: Vec<(&str, &str, Vec<String>)> = vec![
            ("orgs.csv", "sourcedId,name,type", self.orgs.iter().map(|(id, name)| format!("{id},{name},school")).collect()),
            (
                "users.csv",
                "sourcedId,username,givenName,familyName,activeDirectoryMatchId,email,userNumber",
                self.people.values().map(|p| format!("{},{},G,F,{},{},{}", p.id, p.username, p.match_id, p.email, p.number)).collect(),
            ),
            (
                "roles.csv",
                "userSourcedId,orgSourcedId,role,isPrimary",
                self.roles.iter().map(|r| format!("{},{},{},{}", r.person, r.org, r.role, primary(r.primary))).collect(),
            ),
        ];
        if !self.classes.is_empty() {
            files.push((
                "classes.csv",
                "sourcedId,orgSourcedId,title",
                self.classes.iter().map(|(id, org)| format!("{id},{org},{id}")).collect(),
            ));
            let rows = self.enrollments.iter().map(|(class, person, role)| format!("{class},{person},{role}")).collect();
            files.push(("enrollments.csv", "classSourcedId,userSourcedId,role", rows));
        }
        let mut names = Vec::new();
        for (name, header, mut rows) in files {
            rows.extend(self.raw.iter().filter(|(file, _)| *file == name).map(|(_, line)| line.clone()));
            if self.backwards {
                rows.reverse();
            }
            std::fs::write(dir.join(name), format!("{header}\n{}\n", rows.join("\n"))).unwrap();
            names.push(name.to_owned());
        }
        names
    }
}
