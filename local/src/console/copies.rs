//! A call of a function as text to copy: for a terminal, a server and a client.

use super::text::Lang;
use maud::{Markup, html};
use serde_json::Value;

/// A call as text to copy.
pub(super) fn copied(lang: Lang, id: &str, path: &str, body: &Value) -> Markup {
    html! {
        @for (name, text) in copies(path, body) {
            @let id = format!("copy-{id}-{name}");
            details.drawer.copied { summary { (lang.t("复制为 ", "Copy as ")) (name) }
                div { pre.json #(id) { (text) } button.copy.below type="button" data-copy=(id) { (lang.t("复制", "Copy")) } }
            }
        }
    }
}

/// The call for a terminal, a server and a client, with names in the place of the address and the key.
fn copies(path: &str, body: &Value) -> [(&'static str, String); 3] {
    let line = body.to_string().replace('\'', r"'\''");
    let curl = format!(
        "curl -s \"$BASE{}\" -H \"authorization: Bearer $KEY\" \\\n  -H 'content-type: application/json' -d '{line}'",
        path
    );
    let node = format!(
        "const answer = await fetch(`${{process.env.BASE}}{}`, {{\n  method: \"POST\",\n  headers: {{ authorization: `Bearer ${{process.env.KEY}}`, \"content-type\": \"application/json\" }},\n  body: JSON.stringify({body:#}),\n}});\nconsole.log(await answer.json());",
        path
    );
    let uni = format!(
        "uni.request({{\n  url: `${{BASE}}{}`,\n  method: \"POST\",\n  data: {body:#},\n  success: ({{ data }}) => console.log(data),\n}});",
        path
    );
    [("curl", curl), ("Node", node), ("uni-app", uni)]
}
