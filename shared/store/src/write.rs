//! What a type handler wants written: effects as data.

use super::item::{Expression, Item, attribute};
use aws_sdk_dynamodb::types::{AttributeValue as Av, Put, TransactWriteItem, Update};
use serde_json::{Map, Value};

/// One write to a business table (hash key `_id`), with conditions on what was seen.
///
/// Writes of a handler commit together with the order's move to SUCCESS, or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    table: String,
    id: String,
    kind: Kind,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Insert(Map<String, Value>),
    Update { set: Vec<(String, Value)>, add: Vec<(String, i64)> },
}

/// A condition on the item that is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The item is there.
    Exists,
    /// The item is not there.
    Absent,
    /// An attribute has this value.
    Equals(String, Value),
    /// An attribute is not there.
    Missing(String),
    /// A number is at least this.
    AtLeast(String, i64),
    /// An attribute is not a number above this: it is absent, of another type, or small enough.
    NotAbove(String, i64),
}

impl Write {
    /// Inserts an item; refused when the id is taken.
    pub fn insert(table: &str, id: &str, fields: Map<String, Value>) -> Self {
        Self {
            table: table.to_owned(),
            id: id.to_owned(),
            kind: Kind::Insert(fields),
            conditions: vec![Condition::Absent],
        }
    }

    /// Updates an item; refused when it is not there.
    pub fn update(table: &str, id: &str) -> Self {
        let kind = Kind::Update { set: Vec::new(), add: Vec::new() };
        Self { table: table.to_owned(), id: id.to_owned(), kind, conditions: vec![Condition::Exists] }
    }

    /// Sets an attribute.
    #[must_use]
    pub fn set(mut self, attribute: &str, value: impl Into<Value>) -> Self {
        match &mut self.kind {
            Kind::Insert(fields) => {
                fields.insert(attribute.to_owned(), value.into());
            }
            Kind::Update { set, .. } => set.push((attribute.to_owned(), value.into())),
        }
        self
    }

    /// Adds to a number, which counts as 0 when it is absent. Only for updates.
    #[must_use]
    pub fn add(mut self, attribute: &str, change: i64) -> Self {
        if let Kind::Update { add, .. } = &mut self.kind {
            add.push((attribute.to_owned(), change));
        }
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// The table, without prefix.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The item's `_id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn to_item(&self, prefix: &str) -> TransactWriteItem {
        let mut expression = Expression::default();
        for condition in &self.conditions {
            condition.write(&mut expression);
        }
        let table = format!("{prefix}{}", self.table);
        match &self.kind {
            Kind::Insert(fields) => {
                let mut item: Item = fields.iter().map(|(k, v)| (k.clone(), attribute(v))).collect();
                item.insert("_id".to_owned(), Av::S(self.id.clone()));
                let put = Put::builder()
                    .table_name(table)
                    .set_item(Some(item))
                    .set_condition_expression(expression.condition())
                    .set_expression_attribute_names(expression.names())
                    .set_expression_attribute_values(expression.values());
                TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
            }
            Kind::Update { set, add } => {
                for (name, value) in set {
                    expression.set(name, value);
                }
                for (name, change) in add {
                    expression.add(name, *change);
                }
                let update = Update::builder()
                    .table_name(table)
                    .key("_id", Av::S(self.id.clone()))
                    .update_expression(expression.update())
                    .set_condition_expression(expression.condition())
                    .set_expression_attribute_names(expression.names())
                    .set_expression_attribute_values(expression.values());
                TransactWriteItem::builder().update(update.build().expect("table and key are set")).build()
            }
        }
    }
}

impl Condition {
    fn write(&self, expression: &mut Expression) {
        match self {
            Self::Exists => {
                let id = expression.name("_id");
                expression.when_raw(format!("attribute_exists({id})"));
            }
            Self::Absent => {
                let id = expression.name("_id");
                expression.when_raw(format!("attribute_not_exists({id})"));
            }
            Self::Equals(name, value) => {
                expression.when(name, "=", value);
            }
            Self::Missing(name) => {
                let name = expression.name(name);
                expression.when_raw(format!("attribute_not_exists({name})"));
            }
            Self::AtLeast(name, least) => {
                expression.when(name, ">=", least);
            }
            Self::NotAbove(name, most) => {
                let name = expression.name(name);
                let number = expression.value(Av::S("N".to_owned()));
                let most = expression.value(Av::N(most.to_string()));
                expression.when_raw(format!("(NOT attribute_type({name}, {number}) OR {name} <= {most})"));
            }
        }
    }
}
