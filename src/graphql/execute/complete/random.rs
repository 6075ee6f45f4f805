//! Property test: compares completion with a simple, slow implementation on random shapes and data.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::graphql::execute::write::write;

/// A generator of pseudo-random numbers.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % sides
    }

    fn ty(&mut self, depth: u64) -> ResponseType {
        let shape = match if depth == 0 { 0 } else { self.throw(5) } {
            0 | 1 => ResponseShape::Leaf,
            2 => ResponseShape::List(Box::new(self.ty(depth - 1))),
            3 => ResponseShape::Object(self.object("A", depth, false)),
            _ => ResponseShape::Abstract(
                ["A", "B"].map(|name| (name.to_owned(), self.object(name, depth, true))).into_iter().collect(),
            ),
        };
        ResponseType { non_null: self.throw(2) == 0, shape }
    }

    fn object(&mut self, name: &str, depth: u64, tagged: bool) -> Arc<ResponseObject> {
        let count = self.throw(4);
        let fields =
            (0..count).map(|key| ResponseField { key: Name::new(format!("f{key}")), ty: self.ty(depth - 1) }).collect();
        Arc::new(ResponseObject { type_name: name.to_owned(), fields, tagged, failure: None })
    }

    fn value(&mut self, ty: &ResponseType) -> Value {
        match &ty.shape {
            _ if self.throw(12) == 0 => Value::Null,
            ResponseShape::Leaf => self.throw(10).into(),
            ResponseShape::List(item) => (0..self.throw(4)).map(|_| self.value(item)).collect(),
            ResponseShape::Object(object) => self.map(object),
            ResponseShape::Abstract(objects) => {
                let name = ["A", "B"][usize::try_from(self.throw(2)).unwrap()];
                self.map(&objects[name])
            }
        }
    }

    fn map(&mut self, object: &ResponseObject) -> Value {
        let mut map = IndexMap::new();
        for field in &object.fields {
            if self.throw(12) > 0 {
                map.insert(field.key.clone(), self.value(&field.ty));
            }
        }
        if object.tagged {
            map.insert(Name::new(TYPE_KEY), Value::from(object.type_name.as_str()));
        }
        for _ in 0..self.throw(3) {
            if let Some(last) = map.len().checked_sub(1) {
                map.swap_indices(usize::try_from(self.throw(8)).unwrap() % (last + 1), last);
            }
        }
        Value::Object(map)
    }
}

/// Completes a value; `None` is a null that propagates to the parent.
fn plain(ty: &ResponseType, value: Option<&Value>) -> Option<Value> {
    let value = match (&ty.shape, value.unwrap_or(&Value::Null)) {
        (ResponseShape::Leaf, value) => value.clone(),
        (ResponseShape::List(item), Value::List(list)) => list
            .iter()
            .map(|value| plain(item, Some(value)))
            .collect::<Option<Vec<_>>>()
            .map_or(Value::Null, Value::List),
        (ResponseShape::Object(object), Value::Object(map)) => plain_object(object, map).unwrap_or_default(),
        (ResponseShape::Abstract(objects), Value::Object(map)) => {
            let Value::String(name) = &map[TYPE_KEY] else { panic!("no type") };
            plain_object(&objects[name], map).unwrap_or_default()
        }
        _ => Value::Null,
    };
    (!ty.non_null || value != Value::Null).then_some(value)
}

fn plain_object(object: &ResponseObject, map: &IndexMap<Name, Value>) -> Option<Value> {
    let field = |field: &ResponseField| Some((field.key.clone(), plain(&field.ty, map.get(&field.key))?));
    object.fields.iter().map(field).collect::<Option<_>>().map(Value::Object)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn completion_is_the_same_as_the_plain_one(seed: u64) {
        let mut dice = Dice(seed);
        let root = ResponseObject { type_name: "Q".into(), failure: None, fields: vec![ResponseField { key: Name::new("a"), ty: dice.ty(5) }], tagged: false };
        let Value::Object(map) = dice.map(&root) else { panic!("no map") };
        let expected = plain_object(&root, &map);
        for failed in [true, false] {
            let mut completion = Completion { failed, errors: Vec::new(), fault: None };
            let done = completion.object(&root, map.clone(), None, None).ok();
            prop_assert_eq!(done.is_some(), expected.is_some());
            prop_assert_eq!(write(done.unwrap_or_default(), &[]).unwrap(), write(expected.clone().unwrap_or_default(), &[]).unwrap());
            prop_assert!(!failed || completion.fault.is_none());
            prop_assert!(expected.is_some() || failed || completion.fault.is_some());
        }
    }
}
