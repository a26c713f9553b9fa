//! What is computed, what is not, and why.

use super::{Exported, Place, SyntaxError, Why, read};
use crate::config::files::{Files, Trouble};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

fn exported(text: &str) -> Exported {
    let files = Files::new(Path::new("config.js"), None).expect("the folder of the tests");
    read(text, &files).unwrap_or_else(|error| panic!("{error:?}: {text}"))
}

/// The value of an expression, and why what of it is not known.
fn computed(expression: &str) -> (Value, Vec<Why>) {
    let program = format!(
        "const fs = require('fs'), path = require('node:path'), one = 1, key = 'k';\n\
         const common = {{ a: 1, b: {{ c: 'x' }} }};\nmodule.exports = {{ it: {expression} }}"
    );
    let Exported { value, holes, .. } = exported(&program);
    (value["it"].clone(), holes.into_iter().map(|hole| hole.unknown.why).collect())
}

#[test]
fn constant_expressions_are_computed() {
    for (expression, wanted) in [
        ("'a\\'b'", json!("a'b")),
        ("\"\\u652f付\\x41\\n\"", json!("支付A\n")),
        ("`a${key}${one}b`", json!("ak1b")),
        ("`line 1\r\nline 2`", json!("line 1\nline 2")),
        ("'a' + one + key", json!("a1k")),
        ("24 * 60 * 60 - 2", json!(86398)),
        ("-1.5", json!(-1.5)),
        ("[1, 'a', null, undefined, ...[true, false]]", json!([1, "a", null, null, true, false])),
        (
            "{ ...common, a: 2, 'd-e': 3, [key + 1]: 4, 5: 6, key }",
            json!({"a":2,"b":{"c":"x"},"d-e":3,"k1":4,"5":6,"key":"k"}),
        ),
        ("common.b.c", json!("x")),
        ("common['b']['c']", json!("x")),
        ("one === 1 ? 'yes' : nothing", json!("yes")),
        ("!one || key && 'and'", json!("and")),
        ("null ?? 'else'", json!("else")),
        ("Object.assign({}, common, { b: 1 })", json!({"a":1,"b":1})),
        ("Buffer.from('aGVsbG8=', 'base64').toString()", json!("hello")),
        ("Buffer.from('hello')", json!("hello")),
        ("Buffer.from('//4=', 'base64')", json!("//4=")),
        ("['-----', 'x'].join('\\n').trim()", json!("-----\nx")),
        ("(( /* why */ 1 ))", json!(1)),
        ("path.join('a', './b', '../c')", json!("a/c")),
        ("undefined", Value::Null),
    ] {
        assert_eq!(computed(expression), (wanted, Vec::new()), "{expression}");
    }
}

#[test]
fn what_is_not_constant_says_why() {
    let text = |text: &str| text.to_owned();
    for (expression, why) in [
        ("process.env.WX_KEY", Why::Environment(text("WX_KEY"))),
        ("process.env['WX_KEY'].trim()", Why::Environment(text("WX_KEY"))),
        ("'a' + process.env.WX_KEY", Why::Environment(text("WX_KEY"))),
        ("process.env.WX_KEY || 'default'", Why::Environment(text("WX_KEY"))),
        ("process.env.PROD ? 1 : 2", Why::Environment(text("PROD"))),
        ("() => 1", Why::Function),
        ("function () {}", Why::Function),
        ("decrypt('a secret')", Why::Call(text("decrypt"))),
        ("lib.decrypt('a secret')", Why::Call(text("lib.decrypt"))),
        ("key.split('a secret')", Why::Call(text("key.split"))),
        ("new Date('a secret')", Why::Call(text("new Date"))),
        ("require('./other')", Why::Module(text("./other"))),
        ("require('child_process').execSync('x')", Why::Module(text("child_process"))),
        ("eval('1')", Why::Call(text("eval"))),
        ("later", Why::Name(text("later"))),
        ("/a/g", Why::Expression),
        ("await 1", Why::Expression),
        ("1 / 3", Why::Expression),
        ("10n", Why::Expression),
        ("fs.readFileSync(path.join(__dirname, 'no.pem'))", Why::File(text("no.pem"), Trouble::Missing)),
        ("fs.readFileSync(__dirname + '/../../etc/no.pem')", Why::File(text("../../etc/no.pem"), Trouble::Outside)),
    ] {
        let (value, whys) = computed(expression);
        let shown = |why: &Why| match why {
            Why::File(name, trouble) => Why::File(name.rsplit("cli/").next().unwrap_or_default().to_owned(), *trouble),
            other => other.clone(),
        };
        assert_eq!((value, whys.iter().map(shown).collect::<Vec<_>>()), (Value::Null, vec![why]), "{expression}");
    }
}

#[test]
fn what_is_exported_last_counts_and_objects_are_shared() {
    for (program, wanted) in [
        ("const c = {}; module.exports = c; c.a = 1; c['b'] = { d: 2 }; c.b.e = 3", json!({"a":1,"b":{"d":2,"e":3}})),
        ("exports.a = 1; module.exports.b = 2", json!({"a":1,"b":2})),
        ("export default { a: 1 }", json!({"a":1})),
        ("export const a = 1, b = 'x'", json!({"a":1,"b":"x"})),
        ("module.exports = exports = { a: 1 }", json!({"a":1})),
        ("let a = 1; a = 2; module.exports = { a }", json!({"a":2})),
        ("'use strict'\nmodule.exports = { a: 1, };;", json!({"a":1})),
        ("const { join: j } = require('path'); module.exports = { a: j('b', 'c') }", json!({"a":"b/c"})),
    ] {
        let Exported { value, holes, skipped } = exported(program);
        assert_eq!((value, holes, skipped), (wanted, Vec::new(), Vec::new()), "{program}");
    }
}

#[test]
fn a_hole_is_where_it_stands_and_its_neighbours_are_kept() {
    let Exported { value, holes, skipped } =
        exported("// 注释\nmodule.exports = {\n  a: '支', b: f(),\n  ...g(), c: [1, h] }\nsetTimeout(() => {}, 1)\n");
    assert_eq!(value, json!({ "a": "支", "c": [1, null] }));
    let places: Vec<(String, usize, usize)> =
        holes.iter().map(|hole| (hole.path.join("."), hole.unknown.place.line, hole.unknown.place.column)).collect();
    let at = |path: &str, line, column| (path.to_owned(), line, column);
    assert_eq!(places, [at("", 4, 6), at("b", 3, 14), at("c.1", 4, 18)]);
    assert_eq!(skipped, [Place { line: 5, column: 1 }]);
}

#[test]
fn a_small_text_cannot_make_a_large_configuration() {
    let mut doubled = "const a0 = { x: 'yyyyyyyyyy' };\n".to_owned();
    for n in 1..60 {
        let _ = writeln!(doubled, "const a{n} = {{ l: a{0}, r: a{0} }};", n - 1);
    }
    let holes = exported(&format!("{doubled}module.exports = a59")).holes;
    assert!(holes.iter().any(|hole| hole.unknown.why == Why::TooMuch));
    let mut text = "let s = 'yyyyyyyyyyyyyyyy';\n".to_owned();
    text.push_str(&"s = s + s;\n".repeat(60));
    let holes = exported(&format!("{text}module.exports = {{ s }}")).holes;
    assert_eq!(holes.first().map(|hole| &hole.unknown.why), Some(&Why::TooMuch));
    let mut spread = "let l = [1, 2, 3, 4];\n".to_owned();
    spread.push_str(&"l = [...l, ...l];\n".repeat(60));
    let files = Files::new(Path::new("config.js"), None).expect("the folder of the tests");
    assert_eq!(read(&format!("{spread}module.exports = {{ l }}"), &files).err(), Some(SyntaxError::TooMuch));
}

/// JSON as people write it in JavaScript: comments, bare keys, either quotes, commas at the end.
fn as_javascript(value: &Value, style: &mut impl Iterator<Item = u8>, out: &mut String) {
    let mut choose = || style.next().unwrap_or_default();
    match value {
        Value::String(text) => quoted(text, choose(), out),
        Value::Array(items) => {
            out.push('[');
            for item in items {
                as_javascript(item, style, out);
                out.push_str(", // next\n");
            }
            out.push(']');
        }
        Value::Object(entries) => {
            out.push_str("{ /* an\n object */ ");
            for (at, (key, value)) in entries.iter().enumerate() {
                let bare = key.chars().all(|c| c.is_ascii_alphabetic()) && !key.is_empty();
                match style.next().unwrap_or_default() {
                    choice if bare && choice % 2 == 0 => out.push_str(key),
                    choice => quoted(key, choice % 2, out),
                }
                out.push_str(" : ");
                as_javascript(value, style, out);
                let last = at + 1 == entries.len();
                out.push_str(if last && style.next().unwrap_or_default().is_multiple_of(2) { "\n" } else { ",\n" });
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn quoted(text: &str, style: u8, out: &mut String) {
    let quote = ['\'', '"', '`'][usize::from(style % 3)];
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\\' | '\'' | '"' | '`' | '$' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        (any::<i32>(), 1..1000_u32)
            .prop_map(|(whole, part)| { serde_json::from_str(&format!("{whole}.{part:03}5")).unwrap_or_default() }),
        "[\\PC\n\r\t\\\\'\"`$]{0,12}".prop_map(Value::from),
    ];
    let inner = leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z]{1,8}|[\\PC ]{0,6}", inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().filter(|(key, _)| key != "__proto__").collect())),
        ]
    });
    prop::collection::vec(("[a-zA-Z]{1,8}", inner), 1..6)
        .prop_map(|entries| Value::Object(entries.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_written_as_javascript_is_read_as_the_same_values(
        value in document(),
        style in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let mut text = "#!/usr/bin/env node\n// configuration\nmodule.exports = ".to_owned();
        as_javascript(&value, &mut style.into_iter().cycle(), &mut text);
        let exported = exported(&text);
        prop_assert_eq!(exported.holes, Vec::new());
        prop_assert_eq!(exported.value, value);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\PC\n{}\\[\\]()'\"`:,;=.$a-z]{0,200}") {
        let files = Files::new(Path::new("config.js"), None).expect("the folder of the tests");
        let _ = read(&text, &files);
        let _ = read(&format!("module.exports = {{ a: {text} }}"), &files);
    }
}
