//! The nodes of a provider's section: `wxpay.mp-weixin` and its like.

use super::asked::Kind;
use super::reader::Reader;
use super::spelling;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a provider's section looks like.
pub struct Section {
    /// Its key, which is also the provider's name.
    pub name: &'static str,
    /// The nodes below it, by VK-Pay's names; none where the section is the only node.
    pub nodes: &'static [&'static str],
    /// uni-pay's names for the same nodes.
    pub aliases: &'static [(&'static str, &'static str)],
    /// Keys of a node that are known and ignored, or belong to another kind of node.
    pub ignored: &'static [&'static str],
    /// Keys that say who a node is. A node with none of these and none of `signing`, of any provider, is a leftover of
    /// VK-Pay's sample, whose documentation says to keep nodes that are not used.
    pub identity: &'static [&'static str],
    /// Keys that nobody fills in for a node that is not used.
    pub signing: &'static [&'static str],
}

impl Section {
    /// Whether the section is itself the only node.
    pub const fn is_flat(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// Nodes that are used, by name; the node of a section without nodes by the empty one.
pub type Nodes<T> = BTreeMap<String, Arc<T>>;

/// Whether a node is a leftover of a sample, by its keys that are not blank: one that does not say who it is, in any
/// spelling, and has no key. `all` are the sections of all providers.
pub fn is_leftover<'k>(filled: impl IntoIterator<Item = &'k str>, all: &[Section]) -> bool {
    let tells = |key: &str| {
        all.iter().any(|section| {
            section.signing.contains(&key) || spelling::meant(key, section.identity.iter().copied()).is_some()
        })
    };
    !filled.into_iter().any(tells)
}

fn is_unused(node: &Reader<'_>, all: &[Section]) -> bool {
    is_leftover(node.keys().map(String::as_str).filter(|key| node.has(key)), all)
}

/// Reads the nodes of a provider's section, but for leftovers. A name that is nearly a node's is a fault. `all` are the
/// sections of all providers.
pub fn read_nodes<T>(
    sections: &Reader<'_>,
    section: &Section,
    all: &[Section],
    read: fn(&str, &Reader<'_>) -> Option<T>,
) -> Nodes<T> {
    let mut nodes = Nodes::new();
    let node = || Kind::Node(section.identity.iter().chain(section.signing).map(|key| (*key).to_owned()).collect());
    if section.is_flat() {
        sections.asks(section.name, node);
    }
    let Some(provider) = sections.object(section.name) else { return nodes };
    if section.is_flat() {
        if !is_unused(&provider, all) {
            let node = read("", &provider);
            provider.ignore_unknown(section.ignored);
            nodes.extend(node.map(|node| (String::new(), Arc::new(node))));
        }
        return nodes;
    }
    section.nodes.iter().for_each(|name| provider.asks(name, node));
    section.aliases.iter().for_each(|(alias, name)| provider.asks(alias, || Kind::Alias((*name).to_owned())));
    for key in provider.keys() {
        let name = section.aliases.iter().find(|(alias, _)| alias == key).map_or(key.as_str(), |(_, name)| *name);
        if !section.nodes.contains(&name) {
            let known = section.nodes.iter().copied().chain(section.aliases.iter().map(|(alias, _)| *alias));
            if let Some(right) = spelling::meant(key, known)
                && provider.given(key).is_some_and(Value::is_object)
                && provider.object(key).is_some_and(|node| !is_unused(&node, all))
            {
                provider.fault(key, format!("is not known here; did you mean {right}?"));
            }
            continue;
        }
        let Some(node) = provider.object(key) else { continue };
        if is_unused(&node, all) {
            continue;
        }
        if nodes.contains_key(name) {
            provider.fault(key, format!("stands for {name}, which is there too"));
            continue;
        }
        let read = read(name, &node);
        // Also where the node is faulty: a misspelt key may be the reason.
        node.ignore_unknown(section.ignored);
        if let Some(read) = read {
            nodes.insert(name.to_owned(), Arc::new(read));
        }
    }
    provider.ignore_unknown(&["enable"]);
    nodes
}
