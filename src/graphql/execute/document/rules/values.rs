//! Validates values by their types (<https://spec.graphql.org/draft/#sec-Validation.Values>), and records the uses of
//! variables.

use std::{collections::HashSet, convert::Infallible, mem};

use apollo_compiler::{
    Name, Node,
    ast::{Type, Value},
    parser::SourceSpan,
    schema::{ExtendedType, InputObjectType},
};
use async_graphql::Value as ConstValue;

use super::{LateCheck, Rules, variable_usages::Usage};
use crate::{
    domain::{InputPath, Step},
    graphql::{Code, Error, execute::literal, scalar},
};

/// The reason why a value is invalid.
pub(super) struct Invalid {
    location: Option<SourceSpan>,
    message: String,
}

impl<'a> Rules<'a> {
    fn check_later(&mut self, check: LateCheck) {
        if let Some(value) = self.argument_value {
            self.findings.late_checks.entry(value).or_default().push(check);
        }
    }

    /// Ends the check of a value. The message has the value's path after `prefix`.
    pub(super) fn conclude(&mut self, outcome: Result<(), Invalid>, prefix: &str) {
        let path = mem::take(&mut self.path);
        self.in_row = false;
        if let Err(Invalid { location, message }) = outcome {
            let message = format!("{prefix}{}: {message}", dotted(&path));
            let error = self.positions.locate(location, Error::new(Code::GraphqlValidationFailed, message));
            self.supersede(location);
            self.findings.errors.push(error.within(&path));
        }
    }

    /// Checks a value that is one step below the current path.
    pub(super) fn below(
        &mut self,
        step: Step,
        ty: &Type,
        has_default: bool,
        value: &'a Node<Value>,
    ) -> Result<(), Invalid> {
        self.path.push(step);
        self.value(ty, has_default, value)?;
        self.path.pop();
        Ok(())
    }

    fn value(&mut self, ty: &Type, has_default: bool, value: &'a Node<Value>) -> Result<(), Invalid> {
        match (ty, &**value) {
            (_, Value::Variable(name)) => {
                let (location, argument) = (value.location(), self.argument);
                let usage = Usage { name, location, argument, ty: Some(ty.clone()), has_default };
                if ty.is_non_null() {
                    self.check_later(LateCheck::NonNull { variable: name.clone() });
                }
                self.usages.entry(self.scope).or_default().push(usage);
                Ok(())
            }
            (Type::NonNullNamed(_) | Type::NonNullList(_), Value::Null) => {
                Err(invalid(value, format!("expected a value of type {ty}, found null")))
            }
            (_, Value::Null) => Ok(()),
            (Type::List(item) | Type::NonNullList(item), Value::List(items)) => {
                for (index, value) in items.iter().enumerate() {
                    self.below(Step::Index(index), item, false, value)?;
                }
                Ok(())
            }
            (Type::List(item) | Type::NonNullList(item), _) => self.value(item, false, value),
            (Type::Named(name) | Type::NonNullNamed(name), _) => self.named(name, value),
        }
    }

    fn named(&mut self, name: &Name, value: &'a Node<Value>) -> Result<(), Invalid> {
        let types = self.types;
        match (types.get(name), &**value) {
            // apollo-compiler checks all types except custom scalars. A custom scalar with a variable inside, such as a
            // JSON object, is checked with the variable's value, unless it is invalid with any value.
            (Some(ExtendedType::Scalar(scalar)), _) if !scalar.is_built_in() => {
                let literal = literal::convert(types, None, value);
                self.variables_inside(value);
                let check = if self.in_row { scalar::check_in_row } else { scalar::check };
                let Some(constant) = literal.clone().into_const() else {
                    // A scalar can hold a string wherever it can hold a variable.
                    let any = |_| Ok::<_, Infallible>(ConstValue::from("any"));
                    let Ok(constant) = literal.clone().into_const_with(any);
                    check(name, &constant).map_err(|message| invalid(value, message))?;
                    let pos = self.positions.of(value.location());
                    let (name, in_row, path) = (name.clone(), self.in_row, self.path.clone());
                    self.check_later(LateCheck::Scalar { name, literal, in_row, path, pos });
                    return Ok(());
                };
                check(name, &constant).map_err(|message| invalid(value, message))
            }
            (Some(ExtendedType::InputObject(object)), Value::Object(fields)) => {
                let outside = self.in_row;
                self.in_row |= self.decoders.get(name).is_some();
                self.object(object, fields, value)?;
                self.in_row = outside;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Records the variables inside a custom scalar, which apollo-compiler ignores.
    fn variables_inside(&mut self, value: &'a Node<Value>) {
        match &**value {
            Value::Variable(name) => {
                let usage = Usage { name, location: value.location(), argument: None, ty: None, has_default: false };
                self.usages.entry(self.scope).or_default().push(usage);
            }
            Value::List(items) => items.iter().for_each(|item| self.variables_inside(item)),
            Value::Object(fields) => fields.iter().for_each(|(_, field)| self.variables_inside(field)),
            _ => {}
        }
    }

    fn object(
        &mut self,
        object: &'a InputObjectType,
        fields: &'a [(Name, Node<Value>)],
        value: &'a Node<Value>,
    ) -> Result<(), Invalid> {
        // OneOf Input Objects: https://spec.graphql.org/draft/#sec-OneOf-Input-Objects
        let one_of = object.directives.has("oneOf");
        if one_of && (fields.len() != 1 || fields[0].1.is_null()) {
            return Err(invalid(value, format!("{} has to have exactly one field, which is not null", object.name)));
        }
        let mut seen = HashSet::with_capacity(fields.len());
        for (name, field) in fields {
            // Input object field uniqueness: https://spec.graphql.org/draft/#sec-Input-Object-Field-Uniqueness
            if !seen.insert(name.as_str()) {
                let location = name.location();
                return Err(Invalid { location, message: format!("the input field {name} is given twice") });
            }
            let Some(definition) = object.fields.get(name) else { continue };
            let has_default = definition.default_value.is_some();
            if field.is_null() && definition.ty.is_non_null() {
                self.supersede(value.location());
            }
            if one_of {
                // With a variable that is null, the object would have no field.
                self.below(Step::Field(name.to_string()), &definition.ty.as_ref().clone().non_null(), false, field)?;
            } else {
                self.below(Step::Field(name.to_string()), &definition.ty, has_default, field)?;
            }
        }
        Ok(())
    }
}

fn invalid(value: &Node<Value>, message: String) -> Invalid {
    Invalid { location: value.location(), message }
}

/// Formats a path for messages.
fn dotted(path: &InputPath) -> String {
    let steps = path.iter().map(|step| match step {
        Step::Field(name) => name.clone(),
        Step::Index(index) => index.to_string(),
    });
    steps.collect::<Vec<_>>().join(".")
}
