//! decode(encode(x)) = x, over generated values of every type of the model.

use industry_data::MODEL;
use odata::decode::{Mode, decode};
use odata::edm::{OnCreate, Primitive, Property, StructuredType, TypeRef};
use odata::encode::{EncodeOptions, Metadata, encode};
use odata::limits::Limits;
use serde_json::{Map, Value, json};

/// Values of each type; a failure names its seed.
const VALUES: u64 = 40;
/// Complex values inside one another, where a type holds itself.
const DEPTH: usize = 3;

/// SplitMix64: the same seed, the same value.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn text(&mut self, max: usize) -> String {
        const LETTERS: [char; 16] = ['a', 'Z', '0', ' ', '\'', '"', '\\', '/', '%', '{', 'é', 'ß', '漢', '😀', '&', '#'];
        let length = 1 + self.below(max.min(12));
        // Nothing but blanks is no name.
        std::iter::once('x').chain((1..length).map(|_| LETTERS[self.below(LETTERS.len())])).collect()
    }
}

fn primitive(random: &mut Random, property: &Property, ty: Primitive) -> Value {
    match ty {
        Primitive::Boolean => json!(random.below(2) == 0),
        Primitive::Int32 => json!(random.next() as i32),
        Primitive::Int64 => json!(random.next() as i64),
        Primitive::Double => json!(f64::from(random.next() as i32) / 8.0),
        Primitive::String => json!(random.text(property.max_length.unwrap_or(40))),
        Primitive::Guid => {
            let (a, b) = (random.next(), random.next());
            json!(format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 32, a as u16, (a >> 16) as u16, b as u16, b >> 16))
        }
        Primitive::Date => json!(format!("{:04}-{:02}-{:02}", 1 + random.below(9998), 1 + random.below(12), 1 + random.below(28))),
        Primitive::DateTimeOffset => {
            let seconds = (random.next() % 4_000_000_000) as i64;
            let ticks = if random.below(2) == 0 { 0 } else { random.below(10_000_000) };
            json!(odata::time::format(jiff::Timestamp::new(seconds, ticks as i32 * 100).unwrap()))
        }
    }
}

fn single(random: &mut Random, property: &Property, depth: usize) -> Value {
    match property.ty {
        TypeRef::Primitive(ty) => primitive(random, property, ty),
        TypeRef::Enum(name) => {
            let members: Vec<_> = MODEL.find_enum(name).unwrap().members.iter().filter(|(word, _)| *word != "unknownFutureValue").collect();
            json!(members[random.below(members.len())].0)
        }
        TypeRef::Complex(name) => {
            let declared = MODEL.find_type(name).unwrap();
            let concrete = MODEL.concrete(declared);
            let ty = concrete[random.below(concrete.len())];
            Value::Object(object(random, declared, ty, depth))
        }
    }
}

/// A canonical document with a value or null for each property that a client may set and read.
fn object(random: &mut Random, declared: &'static StructuredType, ty: &'static StructuredType, depth: usize) -> Map<String, Value> {
    let mut out = Map::new();
    if MODEL.is_polymorphic(declared) {
        out.insert("@odata.type".to_owned(), json!(format!("#{}", ty.qualified())));
    }
    for property in MODEL.properties(ty) {
        if property.create == OnCreate::Computed || property.write_only {
            continue;
        }
        let complex = matches!(property.ty, TypeRef::Complex(_));
        let value = if property.collection {
            let length = if complex && depth == 0 { 0 } else { random.below(4) };
            Value::Array((0..length).map(|_| single(random, property, depth.saturating_sub(1))).collect())
        } else if property.nullable && (random.below(4) == 0 || complex && depth == 0) {
            Value::Null
        } else {
            single(random, property, depth.saturating_sub(1))
        };
        out.insert(property.name.to_owned(), value);
    }
    out
}

#[test]
fn what_is_answered_can_be_sent_back_and_is_the_same() {
    let mut values = 0;
    for ty in MODEL.all_types().filter(|ty| !ty.abstract_) {
        // As its own type, and as the base type that a collection of it declares.
        let root = MODEL.lineage(ty).filter(|base| base.name != "entity").last().unwrap_or(ty);
        for (number, declared) in (0..VALUES).flat_map(|number| [(number, ty), (number, root)]) {
            let before = object(&mut Random(number), declared, ty, DEPTH);
            let shown = encode(&MODEL, declared, &before, &EncodeOptions { select: &[], metadata: Metadata::Minimal });
            let text = Value::Object(shown).to_string();
            let after = decode(&MODEL, declared, text.as_bytes(), Mode::Create, &Limits::DEFAULT);
            let after = after.unwrap_or_else(|error| panic!("{} of seed {number}: {error}\n{text}", ty.name));
            assert_eq!(Value::Object(after), Value::Object(before), "{} of seed {number}", ty.name);
            values += 1;
        }
    }
    println!("{values} values");
}
