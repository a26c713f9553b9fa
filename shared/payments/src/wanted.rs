//! What a request of `pay/createPayment` wants: read and checked, before anything is stored.

use super::payee::Payee;
use super::{Caller, Context, CreateInput, Draft, Environment};
use domain::{Code, Failure, Fen, Provider, UnixMs, fields as f};
use providers::{Client, Gateway, GoodsRequest};
use serde_json::{Map, Value};

/// What the request wants, checked for its shape.
pub(super) struct Wanted<'a> {
    pub provider: Provider,
    pub out_trade_no: &'a str,
    pub total_fee: Fen,
    pub subject: &'a str,
    pub kind: &'a str,
    pub custom: Map<String, Value>,
    pub other: Map<String, Value>,
    pub user_id: Option<&'a str>,
    pub nickname: Option<&'a str>,
    pub openid: Option<String>,
    pub goods: Map<String, Value>,
    pub appid: Option<&'a str>,
    pub payee: Payee,
    pub auth_code: Option<&'a str>,
    pub store_id: Option<&'a str>,
    pub return_url: Option<String>,
    pub time_expire: Option<UnixMs>,
    pub platform: String,
    pub node: &'static str,
    pub environment: &'a Environment,
}

/// Reads a request.
///
/// # Errors
/// The field's code.
pub(super) async fn read<'a>(
    cx: &Context<'_>,
    caller: &'a Caller,
    input: &'a CreateInput<'_>,
    payee: Payee,
) -> Result<(Gateway, Wanted<'a>), Failure> {
    let fields = &input.fields;
    let out_trade_no = fields.out_trade_no()?;
    let custom = fields.object(&f::CUSTOM)?;
    let openid = fields.text(&f::OPENID)?;
    let auth_code = fields.text(&f::AUTH_CODE)?;
    let Way { gateway, provider, node, platform } =
        way(cx, input, &payee, openid.is_some(), auth_code.is_some()).await?;
    let asked = fields.amount(&f::TOTAL_FEE);
    let request = GoodsRequest {
        data: fields.data(),
        custom: &custom,
        total: asked.as_ref().ok().copied(),
        quoted: input.quoted,
        trusted: caller.trusted,
    };
    let goods = gateway.goods(&request)?;
    // A provider that computes the amount from the goods makes the request's amount void; a signed one binds.
    let total_fee = match goods.total {
        Some(total) if !input.quoted.is_empty() && asked.as_ref().ok() != Some(&total) => {
            return Err(Failure::new(Code::FORBIDDEN).at("total_fee").says("total_fee"));
        }
        Some(total) => total,
        None => asked?,
    };
    let subject = fields.needed_text(&f::SUBJECT)?;
    let kind = fields.needed_text(&f::TYPE)?;
    let mut other = fields.object(&f::OTHER)?;
    if cx.config.profit_sharing.contains(kind)
        && gateway.can_share_payment(&other).is_ok()
        && !other.contains_key("profit_sharing")
    {
        gateway.mark_shared(&mut other);
    }
    let named = fields.text(&f::USER_ID)?;
    if let (Some(user), Some(named), false) = (&caller.user, named, caller.trusted)
        && user != named
    {
        return Err(Failure::new(Code::FORBIDDEN).at("user_id").says("user_id"));
    }
    let user_id = caller.user.as_deref().filter(|_| !caller.trusted).or(named);
    let draft = Draft { total_fee, custom: &custom, user_id };
    deliverable(cx, caller, kind, &draft, !input.quoted.is_empty())?;
    let return_url = match fields.text(&f::RETURN_URL)? {
        Some(url) => Some(super::return_url::return_url(url, out_trade_no)?),
        None => None,
    };
    let time_expire = fields.time_expire()?;
    let wanted = Wanted {
        provider,
        out_trade_no,
        total_fee,
        subject,
        kind,
        custom,
        other,
        user_id: caller.user.as_deref().filter(|_| !caller.trusted).or(named),
        nickname: fields.text(&f::NICKNAME)?,
        openid: openid.map(str::to_owned),
        goods: goods.named,
        appid: fields.text(&f::VK_APPID)?,
        payee,
        auth_code,
        store_id: fields.text(&f::STORE_ID)?,
        return_url: return_url.filter(|_| gateway.returns_payers()),
        time_expire,
        platform,
        node,
        environment: &input.environment,
    };
    Ok((gateway, wanted))
}

/// Which product of which provider a request means.
struct Way {
    gateway: Gateway,
    provider: Provider,
    node: &'static str,
    platform: String,
}

async fn way(
    cx: &Context<'_>,
    input: &CreateInput<'_>,
    payee: &Payee,
    has_openid: bool,
    by_code: bool,
) -> Result<Way, Failure> {
    let fields = &input.fields;
    let provider = fields.needed_provider()?;
    let merchant =
        cx.merchant(&payee.merchant).await?.ok_or_else(|| f::PID.wrong("names no merchant of the configuration"))?;
    let platform = fields.text(&f::VK_PLATFORM)?.or(fields.text(&f::PLATFORM)?).unwrap_or_default().to_owned();
    let node = match by_code {
        true => "codepay",
        false => {
            let wants_qr = fields.flag(&f::IS_PC)
                || fields.flag(&f::NEED_QRCODE)
                || fields.text(&f::NEED_QRCODE).ok().flatten() == Some("image");
            let client = Client {
                platform: &platform,
                user_agent: input.environment.user_agent.to_ascii_lowercase(),
                has_openid,
                wants_qr,
                app_to_qr: fields.flag(&f::APP_TO_QR) || merchant.app_to_qr,
            };
            Gateway::node_for(provider, &client, &merchant)?
        }
    };
    let gateway = Gateway::find(&merchant, provider, node)
        .ok_or_else(|| Failure::new(Code::PLATFORM).says(format!("{provider}.{node}")))?;
    let platform = match platform.is_empty() && gateway.node_is_platform() {
        true => node.to_owned(),
        false => platform,
    };
    Ok(Way { gateway, provider, node, platform })
}

/// Whether an order of this type can be delivered, and this caller may have it.
fn deliverable(cx: &Context<'_>, caller: &Caller, kind: &str, draft: &Draft<'_>, quoted: bool) -> Result<(), Failure> {
    if !cx.delivers(kind) {
        return Err(Failure::new(Code::TYPE).says(format!("type {kind}")));
    }
    // What is delivered elsewhere is checked there; what exceeds a payment stays refused below.
    if cx.handlers.knows(kind) && !cx.config.handlers.contains_key(kind) {
        cx.handlers.check(kind, draft).map_err(|what| Failure::new(Code::TYPE).at("custom").says(what))?;
    }
    if !caller.trusted {
        let other_user =
            draft.custom.get("user_id").is_some_and(|id| draft.user_id.is_some_and(|user| id.as_str() != Some(user)));
        if other_user || (cx.handlers.exceeds(kind, draft) && !quoted) {
            return Err(Failure::new(Code::FORBIDDEN).at("custom").says("custom"));
        }
    }
    if let Some(list) = &cx.config.user_whitelist
        && !draft.user_id.is_some_and(|user| list.contains(user))
    {
        return Err(Failure::new(Code::FORBIDDEN).at("user_id").says("userWhitelist"));
    }
    Ok(())
}
