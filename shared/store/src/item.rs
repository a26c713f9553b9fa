//! Items: our JSON shapes as DynamoDB attributes and back, the keys, and expressions.

use aws_sdk_dynamodb::types::AttributeValue as Av;
use domain::{PaymentName, Provider, UnixMs};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, Av>;

/// The key of an item of the orders table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub pk: String,
    pub sk: String,
}

impl Key {
    fn new(pk: String, sk: impl Into<String>) -> Self {
        Self { pk, sk: sk.into() }
    }

    /// The order itself.
    pub(crate) fn order(out_trade_no: &str) -> Self {
        Self::new(format!("O#{out_trade_no}"), "O")
    }

    /// A refund, beside its order.
    pub(crate) fn refund(out_trade_no: &str, out_refund_no: &str) -> Self {
        Self::new(format!("O#{out_trade_no}"), format!("R#{out_refund_no}"))
    }

    /// A share of an order, beside it.
    pub(crate) fn share(out_trade_no: &str, out_order_no: &str) -> Self {
        Self::new(format!("O#{out_trade_no}"), format!("S#{out_order_no}"))
    }

    /// A return of a share, beside its order.
    pub(crate) fn share_return(out_trade_no: &str, out_return_no: &str) -> Self {
        Self::new(format!("O#{out_trade_no}"), format!("SR#{out_return_no}"))
    }

    /// Whose share a merchant's number is: makes it unique.
    pub(crate) fn share_number(provider: &str, merchant: &str, out_order_no: &str) -> Self {
        Self::new(format!("S#{provider}#{merchant}#{out_order_no}"), "S")
    }

    /// Whose return a merchant's number is: makes it unique.
    pub(crate) fn return_number(provider: &str, merchant: &str, out_return_no: &str) -> Self {
        Self::new(format!("SR#{provider}#{merchant}#{out_return_no}"), "SR")
    }

    /// An entry of the order's history; sorts by time.
    pub(crate) fn history(out_trade_no: &str, at: UnixMs) -> Self {
        let tail = hex::encode(crypto::random::<4>());
        Self::new(format!("O#{out_trade_no}"), format!("H#{at:015}#{tail}"))
    }

    /// An event of the provider's in the order's history; the same event is the same item.
    pub(crate) fn event(out_trade_no: &str, at: UnixMs, id: &str) -> Self {
        Self::new(format!("O#{out_trade_no}"), format!("H#{at:015}#{id}"))
    }

    /// What must happen after a commit, beside its order.
    pub(crate) fn task(out_trade_no: &str, name: &str) -> Self {
        Self::new(format!("O#{out_trade_no}"), format!("K#{name}"))
    }

    /// What instances share for a time, by its name.
    pub(crate) fn kept(name: &str) -> Self {
        Self::new(format!("V#{name}"), "V")
    }

    /// Whose payment a provider's number is: makes it unique. Where each of a provider's many sites counts for itself, theirs
    /// begin with the merchant.
    pub(crate) fn transaction(provider: Provider, merchant: &str, transaction_id: &str) -> Self {
        match provider.payment_name() {
            PaymentName::MerchantTransaction => Self::new(format!("T#{provider}#{merchant}#{transaction_id}"), "T"),
            PaymentName::Transaction | PaymentName::MerchantNumber => {
                Self::new(format!("T#{provider}#{transaction_id}"), "T")
            }
        }
    }

    /// The same as it was written before numbers were told apart by the merchant, where it was another.
    pub(crate) fn transaction_before(provider: Provider, transaction_id: &str) -> Option<Self> {
        let apart = provider.payment_name() == PaymentName::MerchantTransaction;
        apart.then(|| Self::new(format!("T#{provider}#{transaction_id}"), "T"))
    }

    /// Whose refund a refund number of a merchant is: makes it unique. Where numbers are a payment's, `out_refund_no`
    /// begins with the payment.
    pub(crate) fn refund_number(provider: &str, merchant: &str, out_refund_no: &str) -> Self {
        Self::new(format!("F#{provider}#{merchant}#{out_refund_no}"), "F")
    }

    /// The pay parameters of an attempt, beside its order.
    pub(crate) fn parameters(out_trade_no: &str, n: u64) -> Self {
        Self::new(format!("O#{out_trade_no}"), format!("P#{n}"))
    }

    /// Which order a number that the provider itself gave stands for.
    pub(crate) fn number(provider: &str, merchant: &str, number: &str) -> Self {
        Self::new(format!("N#{provider}#{merchant}#{number}"), "N")
    }

    /// How often a signed notice of a number at the provider could not be confirmed.
    pub(crate) fn unconfirmed(provider: &str, merchant: &str, number: &str) -> Self {
        Self::new(format!("U#{provider}#{merchant}#{number}"), "U")
    }

    /// An incident.
    pub(crate) fn incident(id: &str) -> Self {
        Self::new(format!("I#{id}"), "I")
    }

    /// A transfer: a number is one merchant's, whoever pays it out.
    pub(crate) fn transfer(merchant: &str, out_bill_no: &str) -> Self {
        Self::transfer_item(&format!("X#{merchant}#{out_bill_no}"))
    }

    /// A transfer, by its hash key.
    pub(crate) fn transfer_item(pk: &str) -> Self {
        Self::new(pk.to_owned(), "X")
    }

    /// Which transfer of a merchant a provider's number is.
    pub(crate) fn transfer_bill(merchant: &str, transfer_bill_no: &str) -> Self {
        Self::new(format!("Y#{merchant}#{transfer_bill_no}"), "Y")
    }

    /// An authorisation of a payee, by the merchant's number of it.
    pub(crate) fn authorization(merchant: &str, out_authorization_no: &str) -> Self {
        Self::authorization_item(&format!("A#{merchant}#{out_authorization_no}"))
    }

    /// An authorisation, by its hash key.
    pub(crate) fn authorization_item(pk: &str) -> Self {
        Self::new(pk.to_owned(), "A")
    }

    /// Which authorisation of a merchant a provider's number is.
    pub(crate) fn authorization_id(merchant: &str, authorization_id: &str) -> Self {
        Self::new(format!("Z#{merchant}#{authorization_id}"), "Z")
    }

    /// What was paid out in a day.
    pub(crate) fn counter(name: &str) -> Self {
        Self::new(format!("C#{name}"), "C")
    }

    /// The incident about a payment that no order was credited for, by what names that payment at its provider.
    pub(crate) fn incident_payment(provider: &str, identity: &str) -> Self {
        Self::new(format!("P#{provider}#{identity}"), "P")
    }

    /// A complaint, by the provider's id of it.
    pub(crate) fn complaint(provider: &str, merchant: &str, complaint_id: &str) -> Self {
        Self::new(format!("CP#{provider}#{merchant}#{complaint_id}"), "CP")
    }

    /// How a merchant's bill of a day was checked.
    pub(crate) fn bill(provider: &str, merchant: &str, day: &str) -> Self {
        Self::new(format!("B#{provider}#{merchant}#{day}"), "B")
    }

    /// A call of a provider that has no action of its own.
    pub(crate) fn request(id: &str) -> Self {
        Self::new(format!("Q#{id}"), "Q")
    }

    /// The key's attributes.
    pub(crate) fn attributes(&self) -> Item {
        HashMap::from([("pk".to_owned(), Av::S(self.pk.clone())), ("sk".to_owned(), Av::S(self.sk.clone()))])
    }
}

/// Any of our shapes as an attribute. Numbers keep their decimal text; nothing is rounded.
pub(crate) fn attribute(value: &Value) -> Av {
    match value {
        Value::Null => Av::Null(true),
        Value::Bool(flag) => Av::Bool(*flag),
        Value::Number(number) => Av::N(number.to_string()),
        Value::String(text) => Av::S(text.clone()),
        Value::Array(list) => Av::L(list.iter().map(attribute).collect()),
        Value::Object(map) => Av::M(map.iter().map(|(k, v)| (k.clone(), attribute(v))).collect()),
    }
}

/// Any attribute as JSON. Sets become lists, binary becomes base64.
pub(crate) fn json(attribute: &Av) -> Value {
    match attribute {
        Av::Bool(flag) => Value::Bool(*flag),
        Av::N(text) => serde_json::from_str(text).map_or_else(|_| Value::String(text.clone()), Value::Number),
        Av::S(text) => Value::String(text.clone()),
        Av::L(list) => Value::Array(list.iter().map(json).collect()),
        Av::M(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), json(v))).collect()),
        Av::Ss(set) => Value::Array(set.iter().cloned().map(Value::String).collect()),
        Av::Ns(set) => Value::Array(set.iter().map(|n| json(&Av::N(n.clone()))).collect()),
        Av::B(blob) => Value::String(crypto::base64(blob.as_ref())),
        _ => Value::Null,
    }
}

/// A struct as an item of the orders table: its key, its `kind`, its fields.
pub(crate) fn item_of(key: &Key, kind: &str, shape: &impl Serialize) -> Item {
    let mut item = key.attributes();
    item.insert("kind".to_owned(), Av::S(kind.to_owned()));
    if let Ok(Value::Object(map)) = serde_json::to_value(shape) {
        item.extend(map.iter().map(|(k, v)| (k.clone(), attribute(v))));
    }
    item
}

/// An item as a JSON object, without the table's own attributes.
pub(crate) fn plain(item: &Item) -> Map<String, Value> {
    const OURS: [&str; 7] = ["pk", "sk", "kind", "list_key", "list_date", "due_shard", "due"];
    item.iter().filter(|(k, _)| !OURS.contains(&k.as_str())).map(|(k, v)| (k.clone(), json(v))).collect()
}

/// An item as one of our structs.
pub(crate) fn shape_of<T: DeserializeOwned>(item: &Item) -> Result<T, super::StoreError> {
    serde_json::from_value(Value::Object(plain(item)))
        .map_err(|e| super::StoreError::new("item", format!("an item of the table cannot be read: {e}")))
}

/// An expression in the making: names and values get placeholders, so nothing is ever quoted.
#[derive(Default)]
pub(crate) struct Expression {
    sets: Vec<String>,
    adds: Vec<String>,
    removes: Vec<String>,
    conditions: Vec<String>,
    names: HashMap<String, String>,
    values: HashMap<String, Av>,
}

impl Expression {
    /// The placeholder of an attribute, or of a path such as `attempts[0].state`.
    pub(crate) fn name(&mut self, path: &str) -> String {
        let part = |names: &mut HashMap<String, String>, part: &str| {
            let (attribute, index) = part.split_at(part.find('[').unwrap_or(part.len()));
            let placeholder = format!("#{}", attribute.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
            names.insert(placeholder.clone(), attribute.to_owned());
            format!("{placeholder}{index}")
        };
        path.split('.').map(|p| part(&mut self.names, p)).collect::<Vec<_>>().join(".")
    }

    /// The placeholder of a value.
    pub(crate) fn value(&mut self, value: Av) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// `SET path = value`.
    pub(crate) fn set(&mut self, path: &str, value: impl Serialize) -> &mut Self {
        let value = attribute(&serde_json::to_value(value).unwrap_or(Value::Null));
        let clause = format!("{} = {}", self.name(path), self.value(value));
        self.sets.push(clause);
        self
    }

    /// `SET path = value`, or nothing.
    pub(crate) fn set_some(&mut self, path: &str, value: Option<impl Serialize>) -> &mut Self {
        match value {
            Some(value) => self.set(path, value),
            None => self,
        }
    }

    /// `SET path = path + change` on a number that is there.
    pub(crate) fn change(&mut self, path: &str, change: i128) -> &mut Self {
        let name = self.name(path);
        let value = self.value(Av::N(change.to_string()));
        self.sets.push(format!("{name} = {name} + {value}"));
        self
    }

    /// The condition that an attribute is as it was read, there or not.
    pub(crate) fn when_as_read(&mut self, path: &str, read: Option<impl Serialize>) -> &mut Self {
        match read {
            Some(value) => self.when(path, "=", value),
            None => {
                let absent = format!("attribute_not_exists({})", self.name(path));
                self.when_raw(absent)
            }
        }
    }

    /// `ADD path change`: the number may be absent.
    pub(crate) fn add(&mut self, path: &str, change: i64) -> &mut Self {
        let clause = format!("{} {}", self.name(path), self.value(Av::N(change.to_string())));
        self.adds.push(clause);
        self
    }

    /// Appends to a list that need not be there yet.
    pub(crate) fn grow(&mut self, path: &str, value: &impl Serialize) -> &mut Self {
        let name = self.name(path);
        let list = Av::L(vec![attribute(&serde_json::to_value(value).unwrap_or(Value::Null))]);
        let (empty, value) = (self.value(Av::L(Vec::new())), self.value(list));
        self.sets.push(format!("{name} = list_append(if_not_exists({name}, {empty}), {value})"));
        self
    }

    /// Appends to a list.
    pub(crate) fn append(&mut self, path: &str, value: &impl Serialize) -> &mut Self {
        let name = self.name(path);
        let list = Av::L(vec![attribute(&serde_json::to_value(value).unwrap_or(Value::Null))]);
        let value = self.value(list);
        self.sets.push(format!("{name} = list_append({name}, {value})"));
        self
    }

    /// `REMOVE path`.
    pub(crate) fn remove(&mut self, path: &str) -> &mut Self {
        let name = self.name(path);
        self.removes.push(name);
        self
    }

    /// A condition of the form `path op value`.
    pub(crate) fn when(&mut self, path: &str, op: &str, value: impl Serialize) -> &mut Self {
        let value = attribute(&serde_json::to_value(value).unwrap_or(Value::Null));
        let clause = format!("{} {op} {}", self.name(path), self.value(value));
        self.conditions.push(clause);
        self
    }

    /// A condition in words of its own; names and values by their placeholders.
    pub(crate) fn when_raw(&mut self, clause: String) -> &mut Self {
        self.conditions.push(clause);
        self
    }

    /// The whole update expression.
    pub(crate) fn update(&self) -> String {
        let clause = |word: &str, parts: &[String]| match parts {
            [] => String::new(),
            parts => format!("{word} {} ", parts.join(", ")),
        };
        let all = [clause("SET", &self.sets), clause("REMOVE", &self.removes), clause("ADD", &self.adds)].concat();
        all.trim_end().to_owned()
    }

    /// The whole condition.
    pub(crate) fn condition(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "))
    }

    /// The names, when there are any.
    pub(crate) fn names(&self) -> Option<HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }

    /// The values, when there are any.
    pub(crate) fn values(&self) -> Option<Item> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }
}
