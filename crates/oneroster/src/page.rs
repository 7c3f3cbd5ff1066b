//! One page of a collection: from JSON to the rows of files.
//!
//! Records are read one after the other. Members that no column comes from are passed over. A value
//! of a type that it cannot have leaves its field empty and is noted, so that the checks of the
//! files see what is missing; an answer that is no page at all is an error.

use crate::Version;
use crate::collection::{CONTACT_ROLES, Collection, Column, File, PROFILE_CREDENTIAL, ROLES, Shape, USER_PROFILES};
use crate::connection::Switches;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// Status of a record that is to be removed (CSV binding).
const TO_BE_DELETED: &str = "tobedeleted";
/// Column of the status, in every file.
const STATUS_AT: usize = 1;

/// What to make of a page.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Which collection it is of.
    pub collection: Collection,
    /// Version of the API.
    pub version: Version,
    /// What is asked for.
    pub switches: Switches,
    /// Whether changes are read: then each row says its status and when it was changed, and
    /// what was deleted counts too.
    pub delta: bool,
}

/// Something about a record that is not as it should be, and what was made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Collection of the record.
    pub collection: Collection,
    /// The record; empty when it does not say.
    pub sourced_id: String,
    /// Member of its JSON.
    pub member: String,
    /// What is wrong with it.
    pub what: String,
}

/// A record as rows of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `sourcedId`; empty when it has none.
    pub sourced_id: String,
    /// Not part of what is asked for: deleted, or a contact where those are switched off. Among changes
    /// such a record has a meaning, and its rows say that it is to be removed.
    pub left_out: bool,
    pub(crate) rows: Vec<(File, Vec<String>)>,
    /// Whether it looks like a record of the other version.
    pub(crate) other_version: bool,
}

impl Record {
    /// Whether its rows fit the headers of their files and one line each: the promise of [`read`], for tests.
    pub fn is_well_formed(&self, reading: Reading) -> bool {
        let fits = |file: File, row: &[String]| row.len() == file.header(reading.version, reading.switches).len();
        self.rows.iter().all(|(file, row)| fits(*file, row) && !row.iter().any(|field| field.contains(char::is_control)))
    }
}

/// The records of a page, and what is to be said about them.
#[derive(Debug, Default)]
pub struct Page {
    /// In the order in which they stand there.
    pub records: Vec<Record>,
    /// Notes.
    pub notes: Vec<Note>,
}

/// Reads a page.
///
/// # Errors
/// Says what is wrong, with line and column, when the text is no JSON, or no object with an array of
/// objects under the name of the collection.
pub fn read(reading: Reading, body: &[u8]) -> Result<Page, String> {
    let mut page = Page::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    let found = Wrapper { reading, page: &mut page }.deserialize(&mut json).map_err(|error| error.to_string())?;
    json.end().map_err(|error| error.to_string())?;
    if found { Ok(page) } else { Err(format!("there is no array '{}' in it", reading.collection.name())) }
}

/// The object around the records.
struct Wrapper<'p> {
    reading: Reading,
    page: &'p mut Page,
}

impl<'de> DeserializeSeed<'de> for Wrapper<'_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wrapper<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the array '{}'", self.reading.collection.name())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(name) = map.next_key::<String>()? {
            // One provider writes it all small.
            if !name.eq_ignore_ascii_case(self.reading.collection.name()) {
                map.next_value::<IgnoredAny>()?;
            } else if found {
                return Err(serde::de::Error::custom(format_args!("there are two arrays '{name}'")));
            } else {
                map.next_value_seed(Records { reading: self.reading, page: self.page })?;
                found = true;
            }
        }
        Ok(found)
    }
}

struct Records<'p> {
    reading: Reading,
    page: &'p mut Page,
}

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(object) = array.next_element::<Map<String, Value>>()? {
            let record = record(self.reading, &object, &mut self.page.notes);
            self.page.records.push(record);
        }
        Ok(())
    }
}

/// Turns the objects of one record into fields.
struct Fields<'r> {
    collection: Collection,
    sourced_id: &'r str,
    notes: &'r mut Vec<Note>,
}

fn record(reading: Reading, object: &Map<String, Value>, notes: &mut Vec<Note>) -> Record {
    let mut fields = Fields { collection: reading.collection, sourced_id: "", notes };
    let sourced_id = fields.text("sourcedId", object.get("sourcedId"));
    fields.sourced_id = &sourced_id;
    let status = fields.text("status", object.get("status"));
    let modified = fields.text("dateLastModified", object.get("dateLastModified"));
    let deleted = !status.trim().is_empty() && !status.trim().eq_ignore_ascii_case("active");
    // In a file that is the whole truth, both are blank (CSV binding, "bulk").
    let head = |id: &str| {
        let (status, modified) = match (reading.delta, deleted) {
            (false, _) => ("", ""),
            (true, true) => (TO_BE_DELETED, modified.as_str()),
            (true, false) => ("active", modified.as_str()),
        };
        vec![id.to_owned(), status.to_owned(), modified.to_owned()]
    };
    let mut row = head(&sourced_id);
    row.extend(fields.of(reading.collection.columns(reading.version), object, ""));
    let mut others = Vec::new();
    let (mut contact, mut other_version) = (false, false);
    if reading.collection == Collection::Users {
        if reading.switches.flags {
            row.push(fields.user_flags(object));
        }
        if !reading.switches.contacts {
            blank(&mut row, reading, "agentSourcedIds");
        }
        let roles = match reading.version {
            Version::V1p1 => {
                other_version = !object.contains_key("role") && object.contains_key("roles");
                vec![fields.text("role", object.get("role"))]
            }
            Version::V1p2 => {
                other_version = !object.contains_key("roles") && object.contains_key("role");
                let roles = fields.elements("roles", object.get("roles"), ROLES);
                others.extend(roles.iter().map(|(_, role)| {
                    let mut line = head(&derived_id(&sourced_id, role));
                    line.push(sourced_id.clone());
                    line.extend(role.iter().cloned());
                    (File::Roles, line)
                }));
                others.extend(fields.user_profiles(object).into_iter().map(|(id, profile)| {
                    let mut line = head(&if id.is_empty() { derived_id(&sourced_id, &profile) } else { id });
                    line.push(sourced_id.clone());
                    line.extend(profile);
                    (File::UserProfiles, line)
                }));
                roles.into_iter().filter_map(|(_, role)| role.into_iter().nth(1)).collect()
            }
        };
        contact = !roles.is_empty() && roles.iter().all(|role| CONTACT_ROLES.iter().any(|known| known.eq_ignore_ascii_case(role.trim())));
    }
    let mut rows = vec![(File::Of(reading.collection), row)];
    rows.extend(others);
    let unwanted = contact && !reading.switches.contacts;
    if reading.delta && unwanted {
        // They may have been a student the last time; then they are to go.
        for (_, row) in &mut rows {
            TO_BE_DELETED.clone_into(&mut row[STATUS_AT]);
        }
    }
    let left_out = (deleted || unwanted) && !reading.delta;
    Record { sourced_id, left_out, rows, other_version }
}

/// Roles have no id of their own in the API; the file wants one, the same every time.
fn derived_id(user: &str, fields: &[String]) -> String {
    let mut text = user.to_owned();
    for field in fields {
        text.push('\0');
        text.push_str(field);
    }
    format!("{:032x}", xxh3_128(text.as_bytes()))
}

fn blank(row: &mut [String], reading: Reading, column: &str) {
    let at = reading.collection.columns(reading.version).iter().position(|c| c.name == column);
    // Behind the three that every row begins with.
    if let Some(field) = at.and_then(|at| row.get_mut(at + 3)) {
        field.clear();
    }
}

impl Fields<'_> {
    /// The fields of columns that come from one object; `path` leads to it in notes.
    fn of(&mut self, columns: &[Column], object: &Map<String, Value>, path: &str) -> Vec<String> {
        columns.iter().map(|column| self.field(column, object, path)).collect()
    }

    fn field(&mut self, column: &Column, object: &Map<String, Value>, path: &str) -> String {
        let found = column.members.iter().find_map(|member| Some((*member, object.get(*member)?)));
        let Some((member, value)) = found else { return String::new() };
        let member = &format!("{path}{member}");
        match column.shape {
            Shape::Text => self.text(member, Some(value)),
            Shape::Flag => self.flag(member, value),
            Shape::List => self.list(member, value, Self::list_item),
            Shape::Reference => self.reference(member, value),
            Shape::References => self.list(member, value, Self::reference),
            Shape::UserIds => self.list(member, value, Self::user_id),
            Shape::Blank => String::new(),
        }
    }

    /// Notes a value that cannot stand where it stands; gives the empty field in its place.
    fn wrong(&mut self, member: &str, wanted: &str, value: &Value) -> String {
        let what = match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        self.note(member, format!("{what} in place of {wanted}"));
        String::new()
    }

    fn note(&mut self, member: &str, what: String) {
        let (collection, sourced_id, member) = (self.collection, self.sourced_id.to_owned(), member.to_owned());
        self.notes.push(Note { collection, sourced_id, member, what });
    }

    /// A text. Integers are taken for their digits: ids and years come as numbers often enough.
    fn text(&mut self, member: &str, value: Option<&Value>) -> String {
        match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => self.one_line(member, text),
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => number.to_string(),
            Some(other) => self.wrong(member, "a text", other),
        }
    }

    /// A field of a CSV file has one line (CSV binding); U+0000 no file should hold.
    fn one_line(&mut self, member: &str, text: &str) -> String {
        if !text.contains(|c: char| c.is_control()) {
            return text.to_owned();
        }
        self.note(member, "line breaks or other control characters, which became spaces".to_owned());
        text.replace("\r\n", " ").replace(|c: char| c.is_control(), " ")
    }

    fn flag(&mut self, member: &str, value: &Value) -> String {
        match value {
            Value::Null => String::new(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) if number.as_u64() == Some(1) => "true".to_owned(),
            Value::Number(number) if number.as_u64() == Some(0) => "false".to_owned(),
            Value::String(text) if text.eq_ignore_ascii_case("true") => "true".to_owned(),
            Value::String(text) if text.eq_ignore_ascii_case("false") => "false".to_owned(),
            // Whatever else it says, the checks of the file will have their say about.
            Value::String(text) => self.one_line(member, text),
            other => self.wrong(member, "true or false", other),
        }
    }

    /// Elements, separated by commas; one that is no array is a list of one.
    fn list(&mut self, member: &str, value: &Value, each: fn(&mut Self, &str, &Value) -> String) -> String {
        let items = match value {
            Value::Null => &[][..],
            Value::Array(items) => items,
            one => std::slice::from_ref(one),
        };
        let texts: Vec<String> = items.iter().map(|item| each(self, member, item)).filter(|text| !text.is_empty()).collect();
        texts.join(",")
    }

    /// A comma inside would make two of one, and the lists of subjects and of their codes would go apart.
    fn list_item(&mut self, member: &str, value: &Value) -> String {
        let text = self.text(member, Some(value));
        if !text.contains(',') {
            return text.trim().to_owned();
        }
        self.note(member, "an element with a comma, which became a semicolon".to_owned());
        text.trim().replace(',', ";")
    }

    /// The id that a reference names; `href` and `type` are not looked at, as servers fill them as they like.
    fn reference(&mut self, member: &str, value: &Value) -> String {
        match value {
            Value::Object(object) => {
                let Some(id) = object.get("sourcedId") else {
                    self.note(member, "a reference without sourcedId".to_owned());
                    return String::new();
                };
                self.text(&format!("{member}.sourcedId"), Some(id))
            }
            other => self.text(member, Some(other)),
        }
    }

    fn user_id(&mut self, member: &str, value: &Value) -> String {
        let Value::Object(object) = value else { return self.wrong(member, "an object with type and identifier", value) };
        let (ty, id) = (
            self.text(&format!("{member}.type"), object.get("type")),
            self.text(&format!("{member}.identifier"), object.get("identifier")),
        );
        if id.is_empty() { String::new() } else { format!("{{{ty}:{id}}}") }
    }

    /// The objects of an array, as fields.
    fn elements<'o>(&mut self, member: &str, value: Option<&'o Value>, columns: &[Column]) -> Vec<(&'o Map<String, Value>, Vec<String>)> {
        let items = match value {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.wrong(member, "an array", other);
                &[][..]
            }
        };
        let mut all = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{member}[{index}]");
            match item {
                Value::Object(object) => all.push((object, self.of(columns, object, &format!("{path}.")))),
                other => drop(self.wrong(&path, "an object", other)),
            }
        }
        all
    }

    /// Profiles of a user: id and fields, one for each credential, or one without.
    fn user_profiles(&mut self, object: &Map<String, Value>) -> Vec<(String, Vec<String>)> {
        let mut all = Vec::new();
        for (profile, fields) in self.elements("userProfiles", object.get("userProfiles"), USER_PROFILES) {
            let id = self.text("userProfiles.profileId", profile.get("profileId"));
            let mut credentials = self.elements("userProfiles.credentials", profile.get("credentials"), PROFILE_CREDENTIAL);
            let none = Map::new();
            if credentials.is_empty() {
                credentials.push((&none, vec![String::new(); PROFILE_CREDENTIAL.len()]));
            }
            let several = credentials.len() > 1;
            for (_, credential) in credentials {
                let fields: Vec<String> = fields.iter().cloned().chain(credential).collect();
                // An id names one row: several credentials of a profile get ids of their own.
                all.push((if several { String::new() } else { id.clone() }, fields));
            }
        }
        all
    }

    /// `metadata.microsoft.userFlags`: the path is one name, or objects within each other.
    fn user_flags(&mut self, object: &Map<String, Value>) -> String {
        let Some(Value::Object(metadata)) = object.get("metadata") else { return String::new() };
        let nested = || metadata.get("microsoft").and_then(|microsoft| microsoft.get("userFlags"));
        let found = metadata.get("microsoft.userFlags").or_else(nested);
        found.map_or_else(String::new, |value| {
            self.list("metadata.microsoft.userFlags", value, |fields, member, item| fields.text(member, Some(item)))
        })
    }
}

#[cfg(test)]
mod tests;
