//! The link of an epay site: which field it stands in, and what it must be.

use crate::world::World;
use axum::Router;
use axum::extract::State;
use sandbox::Mode;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A site that answers everything with one thing.
async fn site(answer: Arc<Mutex<Value>>) -> String {
    async fn all(State(answer): State<Arc<Mutex<Value>>>) -> axum::Json<Value> {
        axum::Json(answer.lock().unwrap().clone())
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().fallback(all).with_state(answer)).into_future());
    base
}

#[tokio::test]
async fn e1_e2_the_first_link_that_can_be_paid_at_is_handed_out_whole() {
    let answer = Arc::new(Mutex::new(Value::Null));
    let base = site(answer.clone()).await;
    let world = World::with(Mode::default(), |config| {
        config["vkspay"] = json!({
            "protocol": "epay", "apiBase": base, "mchId": "1001", "key": "a-key-of-the-site-89YIUEWQ",
        });
    })
    .await;
    for (n, (fields, wanted)) in [
        // A blank link is no link (Wei-Shaw/sub2api, issue 6292).
        (
            json!({ "payurl": "", "qrcode": "weixin://wxpay/bizpayurl?pr=x1" }),
            Some("weixin://wxpay/bizpayurl?pr=x1".into()),
        ),
        (json!({ "payurl": " ", "qrcode": null, "urlscheme": "alipays://x" }), Some("alipays://x".into())),
        // A path is completed by the address of the site.
        (json!({ "payurl": "", "qrcode": "/api/pay/toapp/ID" }), Some(format!("{base}/api/pay/toapp/ID"))),
        (
            json!({ "payurl": "https://pay.example/1", "qrcode": "weixin://x" }),
            Some("https://pay.example/1".to_owned()),
        ),
        (json!({ "payurl": "javascript:alert(1)", "qrcode": "weixin://x" }), Some("weixin://x".to_owned())),
        (json!({ "payurl": "", "qrcode": "" }), None),
        (json!({ "payurl": "javascript:alert(1)" }), None),
    ]
    .into_iter()
    .enumerate()
    {
        let mut whole = json!({ "code": 1, "trade_no": "T1" });
        crate::world::merge(&mut whole, fields.clone());
        *answer.lock().unwrap() = whole;
        let (status, created) = world.create(&format!("E1_EPAY_{n}"), json!({ "provider": "vkspay" })).await;
        match wanted {
            Some(link) => {
                assert_eq!(status, 200, "{fields}: {created}");
                assert_eq!(created["orderInfo"]["codeUrl"], link, "{fields}");
            }
            None => assert_eq!(status, 504, "{fields}: {created}"),
        }
    }
}
