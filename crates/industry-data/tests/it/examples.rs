//! The published example requests, each taken through decoding, rules and encoding, and compared
//! with the published answer.

use industry_data::MODEL;
use industry_data::rules::{self, Document, Lookup};
use odata::decode::{Mode, check_required, decode, merge_patch};
use odata::encode::{EncodeOptions, Metadata, encode};
use odata::limits::Limits;
use serde_json::{Value, json};

/// A tenant in which everything exists that anybody binds to.
struct Everything {
    connector: &'static str,
}

impl Lookup for Everything {
    fn get(&self, _: &str, id: &str) -> Option<Document> {
        let connector = format!("#microsoft.graph.industryData.{}", self.connector);
        json!({ "id": id, "@odata.type": connector }).as_object().cloned()
    }

    fn list(&self, _: &str, _: Option<&str>) -> Vec<Document> {
        Vec::new()
    }
}

const COLLECTIONS: [(&str, &str, &str); 6] = [
    ("sourceSystems", "sourceSystemDefinition", ""),
    ("dataConnectors", "industryDataConnector", ""),
    ("years", "yearTimePeriodDefinition", ""),
    ("inboundFlows", "inboundFlow", ""),
    ("referenceDefinitions", "referenceDefinition", ""),
    ("provisioningFlows", "provisioningFlow", "set"),
];

/// Collection, declared type and parent of an example's URL.
fn place(url: &str) -> Option<(&'static str, &'static str, Option<&'static str>)> {
    let lower = url.to_ascii_lowercase();
    let found = COLLECTIONS.iter().find(|(name, ..)| lower.contains(&format!("/{}", name.to_ascii_lowercase())));
    match found {
        Some((name, ty, parent)) => Some((name, ty, Some(*parent).filter(|p| !p.is_empty()))),
        None if lower.contains("/outboundprovisioningflowsets") => {
            Some(("outboundProvisioningFlowSets", "outboundProvisioningFlowSet", None))
        }
        None => None,
    }
}

fn example(name: &str) -> Option<Value> {
    let path = crate::specification("examples")?.join(name);
    let text = std::fs::read_to_string(path).unwrap();
    // Placeholders of clients' templates stand for times.
    let text = text.replace("{utcNow()}", "2026-08-01T00:00:00Z").replace("{yyyy-MM-dd}", "2027-07-31");
    Some(serde_json::from_str(&text).unwrap())
}

fn create(example: &Value) -> (Document, Document) {
    let request = &example["request"];
    let (collection, declared, parent) = place(request["url"].as_str().unwrap()).unwrap();
    let declared = MODEL.find_type(&format!("microsoft.graph.industryData.{declared}")).unwrap();
    let body = request["body"].to_string();
    let mut document = decode(&MODEL, declared, body.as_bytes(), Mode::Create, &Limits::DEFAULT).unwrap();
    let named = document.get("@odata.type").and_then(Value::as_str).and_then(|name| MODEL.find_type(name));
    check_required(&MODEL, named.unwrap_or(declared), &document).unwrap();
    let connector = if body.contains("inboundApiFlow") { "oneRosterApiDataConnector" } else { "azureDataLakeConnector" };
    rules::on_create(collection, parent, &mut document, &Everything { connector }).unwrap();
    let shown = rules::present(collection, &document);
    let shown = encode(&MODEL, declared, &shown, &EncodeOptions { select: &[], metadata: Metadata::Minimal });
    (document, shown)
}

/// What the server decides, and one misspelling of the published page.
const NOT_COMPARED: [&str; 6] = ["@odata.context", "id", "createdDateTime", "lastModifiedDateTime", "readinessStatus", "source"];

/// Everything that the published answer says must be said; an answer may say more.
fn assert_says(ours: &Value, published: &Value, path: &str) {
    match (ours, published) {
        (Value::Object(ours), Value::Object(published)) => {
            for (name, value) in published.iter().filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str())) {
                let here = format!("{path}.{name}");
                if name == "@odata.type" && !ours.contains_key(name) {
                    continue;
                }
                assert_says(ours.get(name).unwrap_or_else(|| panic!("{here} is missing")), value, &here);
            }
        }
        (Value::Array(ours), Value::Array(published)) => {
            assert_eq!(ours.len(), published.len(), "{path}");
            for (index, (ours, published)) in ours.iter().zip(published).enumerate() {
                assert_says(ours, published, &format!("{path}[{index}]"));
            }
        }
        _ => assert!(ours == published || published == "Inbound rostering fow", "{path}: {ours}, published {published}"),
    }
}

const CREATES: [&str; 13] = [
    "sourcesystem-create.json",
    "sourcesystem-create-with-domainname.json",
    "dataconnector-create-azuredatalake.json",
    "dataconnector-create-azuredatalake-with-fileformat.json",
    "dataconnector-create-oneroster.json",
    "year-create.json",
    "inboundflow-create-file.json",
    "inboundflow-create-api.json",
    "flowset-create.json",
    "provisioningflow-create-adminunit.json",
    "provisioningflow-create-classgroup.json",
    "provisioningflow-create-securitygroup.json",
    "provisioningflow-create-user.json",
];

#[test]
fn published_creates_are_taken_and_answered_as_published() {
    for name in CREATES {
        let Some(example) = example(name) else { return };
        let (_, shown) = create(&example);
        assert_says(&Value::Object(shown), &example["response"].get("body").cloned().unwrap_or(json!({})), name);
    }
    for name in ["inboundflow-create-file-microsoft-adf-client.json", "referencedefinition-create.json"] {
        let Some(example) = example(name) else { return };
        create(&example);
    }
}

#[test]
fn what_is_answered_can_be_sent_back_unchanged() {
    for name in CREATES {
        let Some(example) = example(name) else { return };
        let (stored, shown) = create(&example);
        let (collection, declared, parent) = place(example["request"]["url"].as_str().unwrap()).unwrap();
        let declared = MODEL.find_type(&format!("microsoft.graph.industryData.{declared}")).unwrap();
        let body = Value::Object(shown).to_string();
        let patch = decode(&MODEL, declared, body.as_bytes(), Mode::Patch { stored: &stored }, &Limits::DEFAULT)
            .unwrap_or_else(|e| panic!("{name}: {}", e.message));
        let named = stored.get("@odata.type").and_then(Value::as_str).and_then(|n| MODEL.find_type(n));
        let mut merged = merge_patch(&MODEL, named.unwrap_or(declared), &stored, &patch);
        let connector = if name.contains("api") { "oneRosterApiDataConnector" } else { "azureDataLakeConnector" };
        rules::on_patch(collection, parent, &stored, &patch, &mut merged, &Everything { connector })
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        // Null and absent mean the same.
        let without_nulls = |document: &Document| strip(&Value::Object(document.clone()));
        assert_eq!(without_nulls(&merged), without_nulls(&stored), "{name}");
    }
}

fn strip(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.iter().filter(|(_, v)| !v.is_null() && **v != json!([]));
            Value::Object(kept.map(|(name, v)| (name.clone(), strip(v))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(strip).collect()),
        other => other.clone(),
    }
}

const PATCHES: [(&str, &str); 8] = [
    ("sourcesystem-update.json", "sourcesystem-create.json"),
    ("dataconnector-update-azuredatalake.json", "dataconnector-create-azuredatalake.json"),
    ("dataconnector-update-oneroster.json", "dataconnector-create-oneroster.json"),
    ("flowset-update.json", "flowset-create.json"),
    ("provisioningflow-update-adminunit.json", "provisioningflow-create-adminunit.json"),
    ("provisioningflow-update-classgroup.json", "provisioningflow-create-classgroup.json"),
    ("provisioningflow-update-securitygroup.json", "provisioningflow-create-securitygroup.json"),
    ("provisioningflow-update-user.json", "provisioningflow-create-user.json"),
];

#[test]
fn published_updates_are_taken() {
    for (name, before) in PATCHES {
        let (Some(update), Some(before)) = (example(name), example(before)) else {
            return;
        };
        let (stored, _) = create(&before);
        let (collection, declared, parent) = place(update["request"]["url"].as_str().unwrap()).unwrap();
        let declared = MODEL.find_type(&format!("microsoft.graph.industryData.{declared}")).unwrap();
        let body = update["request"]["body"].to_string();
        let patch = decode(&MODEL, declared, body.as_bytes(), Mode::Patch { stored: &stored }, &Limits::DEFAULT)
            .unwrap_or_else(|e| panic!("{name}: {}", e.message));
        let named = stored.get("@odata.type").and_then(Value::as_str).and_then(|n| MODEL.find_type(n));
        let mut merged = merge_patch(&MODEL, named.unwrap_or(declared), &stored, &patch);
        rules::on_patch(collection, parent, &stored, &patch, &mut merged, &Everything { connector: "azureDataLakeConnector" })
            .unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}
