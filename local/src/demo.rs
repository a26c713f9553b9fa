//! The demo: merchants with keys of their own, their configuration, and the rows that orders deliver to.

use crate::receiver::{self, Receiver};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue as Av;
use sandbox::{DouyinProduct, Epay, MerchantKeys, Mode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::crypto::hash::sha256_hex;
use shared::domain::UnixMs;
use std::io;
use std::path::Path;

/// The user whose orders the console makes.
pub const USER: &str = "demo-user";
/// The goods that the shop sells.
pub const GOODS: &str = "demo-tea";
/// Their price, fen.
pub const GOODS_PRICE: i64 = 100;
/// The demo merchants beside `default`: WeChat Pay APIv2, Alipay in certificate mode.
pub const V2: &str = "v2";
/// See [`V2`].
pub const CERT: &str = "cert";

/// Everything made up on the first start, kept in `demo-merchant.json`.
#[derive(Serialize, Deserialize)]
pub struct Demo {
    /// The secret of `auth.keys.demo`.
    pub key: String,
    /// One set of keys for each merchant: `default`, [`V2`], [`CERT`].
    pub merchants: Vec<MerchantKeys>,
}

impl Demo {
    /// Reads the demo's keys, or makes them on the first start. Only the owner may read the file.
    ///
    /// # Errors
    /// When the file cannot be read, written, or is none of ours.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let file = data_dir.join("demo-merchant.json");
        match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                io::Error::other(format!("{} cannot be read ({e}); delete it to have new keys made", file.display()))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let demo = Self::generate();
                write_private(&file, &serde_json::to_vec_pretty(&demo)?)?;
                Ok(demo)
            }
            Err(error) => Err(error),
        }
    }

    fn generate() -> Self {
        let key = format!("demo-{}", hex::encode(shared::crypto::random::<16>()));
        let merchants = std::thread::scope(|scope| {
            let made = ["default", V2, CERT].map(|id| scope.spawn(move || MerchantKeys::generate(id)));
            made.into_iter().map(|made| made.join().expect("a key generator thread")).collect()
        });
        Self { key, merchants }
    }

    /// What the shop signs its prices with.
    fn quote_secret(&self) -> String {
        sha256_hex(format!("quote {}", self.key).as_bytes())
    }

    /// The configuration: VK-Pay's keys, at the sandbox, with callbacks to `base_url/notify`, and orders of one type
    /// handed to the console's own receiver, those of the types `js_handlers` to the function js-handlers.
    pub fn config(&self, sandbox: &str, base_url: &str, js_handlers: &[String]) -> Value {
        let receiver = json!({ "url": format!("{base_url}{}", receiver::PATH), "key": Receiver::secret_of(&self.key) });
        let mut document = json!({
            "notifyUrl": format!("{base_url}/notify"),
            "auth": {
                "default": "key",
                "keys": { "demo": self.key },
                "createPayment": ["key", "none"],
                "queryPayment": ["key", "none"],
                "closePayment": "key",
                "request": "key",
                "quote": { "hs256": self.quote_secret() },
            },
            "handlers": { receiver::KIND: { "http": receiver } },
            "request": { "wxpay": ["GET /v3/merchant/fund/"], "alipay": ["alipay.trade.query"] },
            "merchants": {},
        });
        for kind in js_handlers {
            document["handlers"][kind] = json!({ "replaces": true, "lambda": { "function": "js-handlers" } });
        }
        for keys in &self.merchants {
            let section = keys.config_with(sandbox, mode_of(&keys.id));
            match keys.id.as_str() {
                "default" => {
                    for (name, nodes) in section.as_object().into_iter().flatten() {
                        document[name] = nodes.clone();
                    }
                    look_for_complaints(&mut document);
                }
                id => document["merchants"][id] = section,
            }
        }
        document
    }
}

/// Has the schedule look for complaints where the simulated providers have any.
fn look_for_complaints(document: &mut Value) {
    for provider in ["wxpay", "alipay", "wxpay-virtual"] {
        for node in document[provider].as_object_mut().into_iter().flat_map(|nodes| nodes.values_mut()) {
            // WeChat Pay's APIv2 has none.
            if node["version"] != 2 {
                node["complaints"] = json!(true);
            }
        }
    }
}

/// Which of the providers' variants a demo merchant uses.
pub fn mode_of(id: &str) -> Mode {
    match id {
        V2 => Mode { wxpay_version: 2, epay: Epay::Md5, virtual_plain: true, ..Mode::default() },
        CERT => Mode {
            wxpay_public_key: false,
            alipay_cert: true,
            epay: Epay::Rsa,
            douyin: DouyinProduct::Trade,
            ..Mode::default()
        },
        _ => Mode::default(),
    }
}

/// Writes a file that only its owner may read.
///
/// # Errors
/// When it cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(0o600);
        if let Ok(there) = std::fs::metadata(path)
            && there.permissions().mode() & 0o077 != 0
        {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        }
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Puts the demo's rows where there are none yet: a user without money, goods in stock.
///
/// # Errors
/// What DynamoDB says.
pub async fn seed(client: &Client, prefix: &str, now: UnixMs) -> Result<(), aws_sdk_dynamodb::Error> {
    let text = |text: &str| Av::S(text.to_owned());
    let number = |number: i64| Av::N(number.to_string());
    let rows = [
        (
            "uni-id-users",
            vec![
                ("_id", text(USER)),
                ("nickname", text("演示用户")),
                ("balance", number(0)),
                ("register_date", number(now.get())),
            ],
        ),
        (
            "goods",
            vec![
                ("_id", text(GOODS)),
                ("name", text("明前龙井 50 g")),
                ("price", number(GOODS_PRICE)),
                ("stock", number(1000)),
                ("sales", number(0)),
            ],
        ),
    ];
    for (table, row) in rows {
        let sent = client
            .put_item()
            .table_name(format!("{prefix}{table}"))
            .set_item(Some(row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", "_id")
            .send()
            .await;
        if let Err(error) = sent
            && !error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception())
        {
            return Err(error.into());
        }
    }
    Ok(())
}
