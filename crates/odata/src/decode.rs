//! JSON bodies in: from text to a canonical document, driven by the EDM.
//!
//! Canonical means: property names and enumeration words as the model spells them, times in UTC,
//! bindings as `"nav@odata.bind": "collection/id"`. Every mistake names its JSON path.

use crate::edm::{Model, Navigation, OnCreate, OnUpdate, Primitive, Property, StructuredType, TypeRef};
use crate::error::{Error, Kind, nearest};
use crate::json::{parse_object, shape};
use crate::limits::Limits;
use crate::time;
use serde_json::{Map, Value};

/// Why a body is read.
#[derive(Debug, Clone, Copy)]
pub enum Mode<'a> {
    /// To create an entity.
    Create,
    /// To change one.
    Patch {
        /// The entity as it is.
        stored: &'a Map<String, Value>,
    },
}

struct Decoder<'a> {
    model: &'a Model,
    limits: &'a Limits,
    creating: bool,
}

/// Decodes a body whose declared type is `declared`.
pub fn decode(
    model: &Model,
    declared: &'static StructuredType,
    bytes: &[u8],
    mode: Mode<'_>,
    limits: &Limits,
) -> Result<Map<String, Value>, Error> {
    let given = parse_object(bytes)?;
    let decoder = Decoder { model, limits, creating: matches!(mode, Mode::Create) };
    let (ty, stored) = match mode {
        Mode::Create => (decoder.concrete(declared, &given, None, "")?, None),
        Mode::Patch { stored } => {
            let known = stored.get("@odata.type").and_then(Value::as_str).and_then(|name| model.find_type(name)).unwrap_or(declared);
            (decoder.patched_type(declared, &given, known)?, Some(stored))
        }
    };
    decoder.object(ty, declared, &given, stored, "", 0)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn type_names(types: &[&StructuredType]) -> String {
    types.iter().map(|ty| format!("#{}", ty.qualified())).collect::<Vec<_>>().join(", ")
}

impl Decoder<'_> {
    /// The type that an object says it is, or the only one it can be.
    fn concrete(
        &self,
        declared: &'static StructuredType,
        given: &Map<String, Value>,
        stored: Option<&Map<String, Value>>,
        path: &str,
    ) -> Result<&'static StructuredType, Error> {
        let target = join(path, "@odata.type");
        let Some(name) = given.get("@odata.type") else {
            let stored = stored.and_then(|s| s.get("@odata.type")).and_then(Value::as_str).and_then(|name| self.model.find_type(name));
            if let Some(stored) = stored {
                return Ok(stored);
            }
            if declared.abstract_ {
                let allowed = type_names(&self.model.concrete(declared));
                return Err(Error::at(target, format!("@odata.type is needed here: one of {allowed}.")));
            }
            return Ok(declared);
        };
        let named = name.as_str().and_then(|name| self.model.find_type(name));
        match named {
            Some(ty) if !ty.abstract_ && self.model.is_subtype(ty, declared) => Ok(ty),
            // A value that says its declared base type says nothing new.
            Some(ty) if ty == declared && !declared.abstract_ => Ok(ty),
            _ => {
                let allowed = type_names(&self.model.concrete(declared));
                Err(Error::at(target, format!("@odata.type {name} cannot stand here; it can be {allowed}.")))
            }
        }
    }

    fn patched_type(
        &self,
        declared: &'static StructuredType,
        given: &Map<String, Value>,
        known: &'static StructuredType,
    ) -> Result<&'static StructuredType, Error> {
        let Some(name) = given.get("@odata.type") else { return Ok(known) };
        let named = name.as_str().and_then(|name| self.model.find_type(name));
        match named {
            Some(ty) if ty == known || ty == declared => Ok(known),
            _ => Err(Error::at(
                "@odata.type",
                format!("@odata.type {name} is not the type of this resource, which is #{}.", known.qualified()),
            )),
        }
    }

    fn object(
        &self,
        ty: &'static StructuredType,
        declared: &'static StructuredType,
        given: &Map<String, Value>,
        stored: Option<&Map<String, Value>>,
        path: &str,
        depth: usize,
    ) -> Result<Map<String, Value>, Error> {
        if depth > self.limits.json_depth {
            return Err(Error::at(path, format!("The body is nested deeper than {} levels.", self.limits.json_depth)));
        }
        let mut out = Map::new();
        if self.model.is_polymorphic(declared) {
            out.insert("@odata.type".to_owned(), Value::String(format!("#{}", ty.qualified())));
        }
        for (name, value) in given {
            if let Some((nav, annotation)) = name.split_once('@') {
                if annotation.eq_ignore_ascii_case("odata.bind") {
                    let nav = self.binding(ty, nav, name, path)?;
                    Self::bind(nav, value, path, &mut out)?;
                }
                continue;
            }
            if let Some((bind, reference)) = self.sent_back(ty, name, value) {
                out.entry(bind).or_insert(Value::String(reference));
                continue;
            }
            let Some(property) = self.model.property(ty, name) else {
                self.not_a_property(ty, name, value, path)?;
                if ty.open {
                    out.insert(name.clone(), value.clone());
                }
                continue;
            };
            if out.contains_key(property.name) {
                return Err(Error::at(join(path, property.name), format!("'{}' is given twice, in different spellings.", property.name)));
            }
            self.property(property, value, stored, path, depth, &mut out)?;
        }
        Ok(out)
    }

    /// A contained entity that answers show inline without being asked for, such as the `roleGroup`
    /// of a `userConfiguration`: a client that sends back what it has read means the same one.
    fn sent_back(&self, ty: &'static StructuredType, name: &str, value: &Value) -> Option<(String, String)> {
        if self.creating || ty.entity {
            return None;
        }
        let nav = self.model.navigation(ty, name).filter(|nav| nav.contained && !nav.collection)?;
        let id = value.get("id")?.as_str()?;
        let collection = self.model.collection_of(nav.target)?;
        Some((format!("{}@odata.bind", nav.name), format!("{collection}/{id}")))
    }

    /// A name that is no structural property: a navigation inline, or unknown.
    fn not_a_property(&self, ty: &'static StructuredType, name: &str, value: &Value, path: &str) -> Result<(), Error> {
        if let Some(nav) = self.model.navigation(ty, name) {
            // A client that sends back what it has read sends empty expansions too.
            if value.is_null() {
                return Ok(());
            }
            return Err(Error::at(
                join(path, nav.name),
                format!("'{0}' is a navigation property; name what it leads to with \"{0}@odata.bind\": \"…/{{id}}\".", nav.name),
            ));
        }
        if ty.open {
            return Ok(());
        }
        let known = self.model.properties(ty);
        let hint = nearest(name, known.iter().map(|p| p.name)).map_or_else(String::new, |near| format!(" Did you mean '{near}'?"));
        Err(Error::at(join(path, name), format!("'{name}' is not a property of {}.{hint}", ty.qualified())))
    }

    fn property(
        &self,
        property: &'static Property,
        value: &Value,
        stored: Option<&Map<String, Value>>,
        path: &str,
        depth: usize,
        out: &mut Map<String, Value>,
    ) -> Result<(), Error> {
        let here = join(path, property.name);
        let computed = if self.creating { property.create == OnCreate::Computed } else { property.update == OnUpdate::Computed };
        if computed {
            return self.computed(property, value, stored, &here);
        }
        let before = stored.and_then(|s| s.get(property.name));
        let decoded = self.value(property, value, before, &here, depth)?;
        if !self.creating && property.update == OnUpdate::Immutable && path.is_empty() {
            let same = before.unwrap_or(&Value::Null) == &decoded || Self::covers(before, &decoded);
            return if same { Ok(()) } else { Err(Error::at(here, format!("'{}' cannot be changed after creation.", property.name))) };
        }
        out.insert(property.name.to_owned(), decoded);
        Ok(())
    }

    /// A server-set property is ignored, except that another `id` names another resource.
    fn computed(&self, property: &Property, value: &Value, stored: Option<&Map<String, Value>>, here: &str) -> Result<(), Error> {
        if property.name != "id" || self.creating {
            return Ok(());
        }
        match stored.and_then(|s| s.get("id")) {
            Some(id) if here == "id" && id != value => {
                Err(Error::at("id", format!("The body's id {value} is not the id {id} of the resource that the URL names.")))
            }
            _ => Ok(()),
        }
    }

    /// Whether every value given equals the stored one; what was not given counts as equal.
    fn covers(stored: Option<&Value>, given: &Value) -> bool {
        match (stored, given) {
            (Some(Value::Object(stored)), Value::Object(given)) => given.iter().all(|(name, value)| Self::covers(stored.get(name), value)),
            (stored, given) => stored.unwrap_or(&Value::Null) == given,
        }
    }

    fn value(&self, property: &'static Property, value: &Value, stored: Option<&Value>, here: &str, depth: usize) -> Result<Value, Error> {
        if !property.collection {
            if value.is_null() {
                return if property.nullable {
                    Ok(Value::Null)
                } else {
                    Err(Error::at(here, format!("'{}' cannot be null.", property.name)))
                };
            }
            return self.single(property, value, stored, here, depth);
        }
        let items = match value {
            Value::Array(items) => items.clone(),
            Value::Null => {
                return if property.nullable {
                    Ok(Value::Array(Vec::new()))
                } else {
                    Err(Error::at(here, format!("'{}' cannot be null.", property.name)))
                };
            }
            // Kiota reads a collection of enumeration words from one string as well, so it may send one.
            Value::String(text) if matches!(property.ty, TypeRef::Enum(_)) => {
                text.split(',').map(|word| Value::String(word.trim().to_owned())).collect()
            }
            other => return Err(Error::at(here, format!("'{}' must be an array, not {}.", property.name, shape(other)))),
        };
        let stored = stored.and_then(Value::as_array);
        let decoded = items.iter().enumerate().map(|(index, item)| {
            let here = format!("{here}[{index}]");
            if item.is_null() {
                return Err(Error::at(here.clone(), format!("{here} cannot be null.")));
            }
            self.single(property, item, stored.and_then(|s| s.get(index)), &here, depth)
        });
        Ok(Value::Array(decoded.collect::<Result<_, _>>()?))
    }

    fn single(&self, property: &'static Property, value: &Value, stored: Option<&Value>, here: &str, depth: usize) -> Result<Value, Error> {
        match property.ty {
            TypeRef::Primitive(primitive) => self.primitive(property, primitive, value, here),
            TypeRef::Enum(name) => self.word(name, value, here),
            TypeRef::Complex(name) => {
                let declared = self.model.find_type(name).ok_or_else(|| Error::bad(format!("the model lacks {name}")))?;
                let Value::Object(given) = value else {
                    return Err(Error::at(here, format!("'{}' must be an object, not {}.", property.name, shape(value))));
                };
                let stored = stored.and_then(Value::as_object);
                let ty = self.concrete(declared, given, stored, here)?;
                self.object(ty, declared, given, stored, here, depth + 1).map(Value::Object)
            }
        }
    }

    fn word(&self, name: &str, value: &Value, here: &str) -> Result<Value, Error> {
        let ty = self.model.find_enum(name).ok_or_else(|| Error::bad(format!("the model lacks {name}")))?;
        // The sentinel is for readers; nobody can mean it.
        let members = || ty.members.iter().map(|(word, _)| *word).filter(|word| *word != "unknownFutureValue");
        let given = value.as_str().unwrap_or_default();
        match members().find(|word| word.eq_ignore_ascii_case(given)) {
            Some(word) => Ok(Value::String(word.to_owned())),
            None => Err(Error::at(here, format!("{value} is not a {}; it can be {}.", ty.name, members().collect::<Vec<_>>().join(", ")))),
        }
    }

    fn primitive(&self, property: &Property, primitive: Primitive, value: &Value, here: &str) -> Result<Value, Error> {
        let wrong = |expected: &str| Error::at(here, format!("'{}' must be {expected}, not {}.", property.name, shape(value)));
        match (primitive, value) {
            (Primitive::Boolean, Value::Bool(_)) | (Primitive::Double, Value::Number(_)) => Ok(value.clone()),
            (Primitive::Int64, Value::Number(number)) if number.is_i64() => Ok(value.clone()),
            (Primitive::Int32, Value::Number(number)) => match number.as_i64().and_then(|n| i32::try_from(n).ok()) {
                Some(n) => Ok(n.into()),
                None => Err(Error::at(here, format!("'{}' must be an integer of 32 bits, not {number}.", property.name))),
            },
            (Primitive::Boolean, _) => Err(wrong("true or false")),
            (Primitive::Int32 | Primitive::Int64, _) => Err(wrong("an integer")),
            (Primitive::Double, _) => Err(wrong("a number")),
            (_, Value::String(text)) => self.text(property, primitive, text, here),
            (Primitive::Date, _) => Err(wrong("a date such as \"2026-08-01\"")),
            (Primitive::DateTimeOffset, _) => Err(wrong("a time such as \"2026-08-01T00:00:00Z\"")),
            _ => Err(wrong("a string")),
        }
    }

    fn text(&self, property: &Property, primitive: Primitive, text: &str, here: &str) -> Result<Value, Error> {
        if text.len() > self.limits.string_bytes {
            return Err(Error {
                kind: Kind::PayloadTooLarge,
                ..Error::at(here, format!("'{}' is longer than {} bytes.", property.name, self.limits.string_bytes))
            });
        }
        if text.contains('\0') {
            return Err(Error::at(here, format!("'{}' has a NUL character.", property.name)));
        }
        let canonical = match primitive {
            Primitive::Date => time::date(text).map(|date| date.to_string()).ok_or("a date such as 2026-08-01"),
            Primitive::DateTimeOffset => time::canonical_date_time(text).ok_or("a time such as 2026-08-01T00:00:00Z"),
            _ => Ok(text.to_owned()),
        };
        let canonical =
            canonical.map_err(|expected| Error::at(here, format!("'{}' must be {expected}, not '{}'.", property.name, shorten(text))))?;
        match property.max_length {
            Some(most) if canonical.chars().count() > most => {
                Err(Error::at(here, format!("'{}' has {} characters; {most} are allowed.", property.name, canonical.chars().count())))
            }
            _ => Ok(Value::String(canonical)),
        }
    }

    fn binding(&self, ty: &'static StructuredType, nav: &str, name: &str, path: &str) -> Result<&'static Navigation, Error> {
        self.model.navigation(ty, nav).ok_or_else(|| {
            let known = self.model.navigations(ty);
            let hint =
                nearest(nav, known.iter().map(|n| n.name)).map_or_else(String::new, |near| format!(" Did you mean '{near}@odata.bind'?"));
            Error::at(join(path, name), format!("'{nav}' is not a navigation property of {}.{hint}", ty.qualified()))
        })
    }

    fn bind(nav: &Navigation, value: &Value, path: &str, out: &mut Map<String, Value>) -> Result<(), Error> {
        let name = format!("{}@odata.bind", nav.name);
        let here = join(path, &name);
        let Value::String(url) = value else {
            return Err(Error::at(here, format!("'{name}' must be a URL, not {}.", shape(value))));
        };
        let reference = reference(url).ok_or_else(|| {
            Error::at(
                &here,
                format!("'{}' does not name an entity; a URL such as 'external/industryData/{{collection}}/{{id}}' does.", shorten(url)),
            )
        })?;
        out.insert(name, Value::String(reference));
        Ok(())
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

/// `collection/id` of a URL: by its path alone, whatever its host, with either form of key.
pub fn reference(url: &str) -> Option<String> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => url,
    };
    let path = path.split(['?', '#']).next()?.trim_matches('/');
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    let (head, last) = path.rsplit_once('/').unwrap_or(("", path));
    let last = decode(last)?;
    let (collection, id) = match last.split_once('(') {
        Some((collection, key)) => {
            let key = key.strip_suffix(')')?;
            let quoted = key.strip_prefix('\'').map(|rest| rest.strip_suffix('\'').filter(|key| !key.replace("''", "").contains('\'')));
            // A quote inside has to be doubled, as in the URL of a request.
            (collection.to_owned(), quoted.map_or(Some(key), |key| key)?.replace("''", "'"))
        }
        None => (decode(head.rsplit('/').next()?)?, last),
    };
    (!collection.is_empty() && !id.is_empty() && !id.contains('/')).then(|| format!("{collection}/{id}"))
}

/// Refuses a new entity that lacks something required.
pub fn check_required(model: &Model, ty: &'static StructuredType, document: &Map<String, Value>) -> Result<(), Error> {
    required(model, ty, document, "", true)
}

fn required(model: &Model, ty: &'static StructuredType, document: &Map<String, Value>, path: &str, top: bool) -> Result<(), Error> {
    for property in model.properties(ty) {
        let here = join(path, property.name);
        match document.get(property.name) {
            None if property.create == OnCreate::Required => {
                return Err(Error::at(here, format!("'{}' is required.", property.name)));
            }
            Some(value) => {
                if let TypeRef::Complex(name) = property.ty {
                    let declared = model.find_type(name);
                    let items: Vec<(String, &Value)> = match value {
                        Value::Array(items) => items.iter().enumerate().map(|(i, item)| (format!("{here}[{i}]"), item)).collect(),
                        other => vec![(here, other)],
                    };
                    for (here, item) in items {
                        if let (Some(declared), Some(object)) = (declared, item.as_object()) {
                            let named = object.get("@odata.type").and_then(Value::as_str).and_then(|n| model.find_type(n));
                            required(model, named.unwrap_or(declared), object, &here, false)?;
                        }
                    }
                }
            }
            None => {}
        }
    }
    for nav in model.navigations(ty) {
        let name = format!("{}@odata.bind", nav.name);
        if nav.required_on_create && !document.contains_key(&name) {
            let whose = if top { String::new() } else { format!(" of {path}") };
            return Err(Error::at(join(path, &name), format!("'{name}'{whose} is required: the URL of the {} it belongs to.", nav.name)));
        }
    }
    Ok(())
}

/// A patch laid over a stored document: complex values property by property, collections and
/// bindings as a whole (OData 4.01 part 1, §11.4.3).
pub fn merge_patch(
    model: &Model,
    ty: &'static StructuredType,
    stored: &Map<String, Value>,
    patch: &Map<String, Value>,
) -> Map<String, Value> {
    let mut merged = stored.clone();
    for (name, value) in patch {
        let complex = model.property(ty, name).filter(|p| !p.collection).and_then(|p| match p.ty {
            TypeRef::Complex(complex) => model.find_type(complex),
            _ => None,
        });
        let value = match (complex, stored.get(name), value) {
            (Some(complex), Some(Value::Object(before)), Value::Object(after)) if same_type(before, after) => {
                let named = after.get("@odata.type").and_then(Value::as_str).and_then(|n| model.find_type(n));
                Value::Object(merge_patch(model, named.unwrap_or(complex), before, after))
            }
            (_, _, value) => value.clone(),
        };
        merged.insert(name.clone(), value);
    }
    merged
}

fn same_type(before: &Map<String, Value>, after: &Map<String, Value>) -> bool {
    match (before.get("@odata.type"), after.get("@odata.type")) {
        (Some(before), Some(after)) => before == after,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MODEL, ty};
    use serde_json::json;

    fn create(name: &str, body: Value) -> Result<Map<String, Value>, Error> {
        decode(&MODEL, ty(name), body.to_string().as_bytes(), Mode::Create, &Limits::DEFAULT)
    }

    fn patch(name: &str, stored: Value, body: Value) -> Result<Map<String, Value>, Error> {
        let stored = stored.as_object().unwrap().clone();
        decode(&MODEL, ty(name), body.to_string().as_bytes(), Mode::Patch { stored: &stored }, &Limits::DEFAULT)
    }

    #[test]
    fn names_and_words_come_out_as_the_model_spells_them() {
        let doc = create("animal", json!({"@odata.type": "t.Dog", "NAME": "Rex", "mood": "HAPPY", "tags": ["a"]})).unwrap();
        assert_eq!(Value::Object(doc), json!({"@odata.type": "#t.dog", "name": "Rex", "mood": "happy", "tags": ["a"]}));
    }

    #[test]
    fn an_abstract_type_needs_a_type_and_says_which() {
        let error = create("animal", json!({"name": "Rex"})).unwrap_err();
        assert_eq!(error.target.as_deref(), Some("@odata.type"));
        assert!(error.message.contains("#t.dog"), "{error}");
    }

    #[test]
    fn mistakes_name_path_and_remedy() {
        let wrong = create("animal", json!({"@odata.type": "#t.dog", "home": {"size": "big"}})).unwrap_err();
        assert_eq!(wrong.target.as_deref(), Some("home.size"));
        let unknown = create("animal", json!({"@odata.type": "#t.dog", "nmae": "x"})).unwrap_err();
        assert!(unknown.message.contains("Did you mean 'name'?"), "{unknown}");
        let word = create("animal", json!({"@odata.type": "#t.dog", "mood": "unknownFutureValue"})).unwrap_err();
        assert!(word.message.contains("happy, sad"), "{word}");
        let inline = create("animal", json!({"@odata.type": "#t.dog", "owner": {"name": "x"}})).unwrap_err();
        assert!(inline.message.contains("owner@odata.bind"), "{inline}");
    }

    #[test]
    fn what_a_complex_value_contains_may_be_sent_back_inline() {
        let body = json!({"home": {"size": 1, "guest": {"id": "b", "name": "Rex"}, "guest@odata.context": "…"}});
        let dog = json!({"@odata.type": "#t.dog", "id": "a"});
        let patched = patch("animal", dog, body.clone()).unwrap();
        assert_eq!(patched["home"], json!({"size": 1, "guest@odata.bind": "pets/b"}));
        let mut body = body;
        body["@odata.type"] = json!("#t.dog");
        assert!(create("animal", body).unwrap_err().message.contains("guest@odata.bind"));
    }

    #[test]
    fn a_body_that_is_not_json_gets_line_and_column() {
        let error = decode(&MODEL, ty("animal"), b"{\n  \"name\": ,\n}", Mode::Create, &Limits::DEFAULT).unwrap_err();
        assert!(error.message.contains("line 2"), "{error}");
    }

    #[test]
    fn immutable_values_may_come_back_unchanged_only() {
        let stored = json!({"@odata.type": "#t.dog", "id": "1", "name": "Rex", "breed": "collie"});
        assert!(patch("animal", stored.clone(), json!({"breed": "collie", "id": "1"})).unwrap().get("breed").is_none());
        assert!(patch("animal", stored.clone(), json!({"breed": "poodle"})).unwrap_err().message.contains("cannot be changed"));
        assert!(patch("animal", stored, json!({"id": "2"})).unwrap_err().message.contains("not the id"));
    }

    #[test]
    fn bindings_are_read_by_path_whatever_the_host() {
        for url in [
            "https://graph.microsoft.com/beta/external/industryData/roleGroups/staff",
            "https://other.example/beta/external/industryData/roleGroups('staff')",
            "external/industryData/roleGroups/staff",
            "/external/industryData/roleGroups(%27staff%27)",
            "roleGroups('staff')",
        ] {
            assert_eq!(reference(url).as_deref(), Some("roleGroups/staff"), "{url}");
        }
        assert_eq!(reference("staff"), None);
        assert_eq!(reference("https://graph.microsoft.com"), None);
    }

    #[test]
    fn a_patch_merges_complex_values_and_replaces_collections() {
        let stored = json!({"home": {"size": 1, "colour": "red"}, "tags": ["a", "b"]}).as_object().unwrap().clone();
        let changes = json!({"home": {"size": 2}, "tags": ["c"]}).as_object().unwrap().clone();
        let merged = merge_patch(&MODEL, ty("dog"), &stored, &changes);
        assert_eq!(Value::Object(merged), json!({"home": {"size": 2, "colour": "red"}, "tags": ["c"]}));
    }

    #[test]
    fn deep_nesting_is_refused_not_followed() {
        let deep = format!("{}1{}", "{\"home\":".repeat(10_000), "}".repeat(10_000));
        assert!(decode(&MODEL, ty("dog"), deep.as_bytes(), Mode::Create, &Limits::DEFAULT).is_err());
    }
}
