use super::{Document, Naming};
use crate::testing::MODEL;
use serde_json::json;

const NAMING: Naming = Naming { aliased: "t", alias: "a", container: "Service" };

fn whole() -> Document {
    Document::new(&MODEL, NAMING, |_| true)
}

#[test]
fn xml_of_a_little_model() {
    let xml = whole().xml();
    for part in [
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\">\n",
        "    <Schema Namespace=\"t\" Alias=\"a\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">\n      <EnumType Name=\"mood\">\n        <Member Name=\"happy\" Value=\"0\" />\n",
        "<EntityType Name=\"animal\" Abstract=\"true\">\n        <Key>\n          <PropertyRef Name=\"id\" />\n        </Key>\n        <Property Name=\"id\" Type=\"Edm.String\" Nullable=\"false\" />\n",
        "<Property Name=\"tags\" Type=\"Collection(Edm.String)\" />",
        "<NavigationProperty Name=\"owner\" Type=\"a.person\" />",
        "<EntityType Name=\"dog\" BaseType=\"a.animal\">",
        "<NavigationProperty Name=\"pets\" Type=\"Collection(a.animal)\" ContainsTarget=\"true\" />",
        "<Action Name=\"wake\" IsBound=\"true\">\n        <Parameter Name=\"bindingParameter\" Type=\"a.animal\" Nullable=\"false\" />\n      </Action>",
        "<Parameter Name=\"loud\" Type=\"Edm.Boolean\">\n          <Annotation Term=\"Org.OData.Core.V1.OptionalParameter\" />\n        </Parameter>",
        "<Function Name=\"census\" IsBound=\"true\" IsComposable=\"true\">",
        "<EntityContainer Name=\"Service\">\n        <EntitySet Name=\"people\" EntityType=\"t.person\" />\n        <Singleton Name=\"zoo\" Type=\"t.person\" />\n      </EntityContainer>",
    ] {
        assert!(xml.contains(part), "{part}\nis not in\n{xml}");
    }
    assert!(xml.ends_with("  </edmx:DataServices>\n</edmx:Edmx>\n"), "{xml}");
}

#[test]
fn json_of_a_little_model() {
    let json = whole().json();
    assert_eq!(json["$Version"], "4.01");
    assert_eq!(json["$EntityContainer"], "t.Service");
    let t = &json["t"];
    assert_eq!(t["mood"], json!({ "$Kind": "EnumType", "happy": 0, "sad": 1, "unknownFutureValue": 2 }));
    assert_eq!(t["animal"]["$Key"], json!(["id"]));
    assert_eq!(t["animal"]["id"], json!({}));
    assert_eq!(t["animal"]["tags"], json!({ "$Collection": true }));
    assert_eq!(t["animal"]["mood"], json!({ "$Type": "a.mood", "$Nullable": true }));
    assert_eq!(
        t["person"]["pets"],
        json!({ "$Kind": "NavigationProperty", "$Collection": true, "$Type": "a.animal", "$ContainsTarget": true })
    );
    assert_eq!(t["bark"][0]["$Parameter"][1]["@Org.OData.Core.V1.OptionalParameter"], json!({}));
    assert_eq!(t["bark"][0]["$ReturnType"], json!({ "$Type": "a.house", "$Nullable": true }));
    assert_eq!(
        t["Service"],
        json!({ "$Kind": "EntityContainer", "people": { "$Collection": true, "$Type": "t.person" }, "zoo": { "$Type": "t.person" } })
    );
}

#[test]
fn what_no_beginning_leads_to_is_left_out() {
    let none = Document::new(&MODEL, NAMING, |_| false);
    assert!(none.schemas.is_empty());
    // A person has pets, so all kinds of animals come with people.
    let people = Document::new(&MODEL, NAMING, |name| name == "people");
    let names: Vec<_> = people.schemas[0].types.iter().map(|ty| ty.name).collect();
    assert_eq!(names, ["animal", "dog", "cat", "person", "house"]);
    assert!(people.xml().contains("EntitySet Name=\"people\"") && !people.xml().contains("Singleton"));
}

#[test]
fn attributes_are_escaped() {
    assert_eq!(super::xml::escape("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
}
