//! Every code that a finding can have, with its severity and its texts. `docs/doctor.md` and `docs/doctor.zh-CN.md` have
//! the same table, which a test compares.

use serde::Serialize;
use shared::providers::Trouble;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// It does not work, or money is not safe.
    Error,
    /// It may not work, or will not soon.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// Its name, as in JSON.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A code with its texts, Chinese before English.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// The stable word.
    pub(super) code: &'static str,
    /// How bad it is.
    pub(super) severity: Severity,
    /// What causes it.
    pub(super) cause: (&'static str, &'static str),
    /// What to do.
    pub(super) remedy: (&'static str, &'static str),
}

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $cause:tt $remedy:tt)*) => {
        /// The codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "their texts say what they are")]
        pub(super) enum Code {
            $($name,)*
        }

        impl Code {
            /// All of them, in the order of the pages.
            #[cfg(test)]
            pub(super) const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its texts.
            pub(super) const fn row(self) -> Row {
                match self {
                    $(Self::$name => Row { code: $code, severity: Severity::$severity, cause: $cause, remedy: $remedy },)*
                }
            }
        }
    };
}

codes! {
    ConfigFault "config-fault" Error
        ("配置有错误，服务会因此无法启动。", "The configuration has a fault that keeps the functions from starting.")
        ("按提示修改该键。", "Correct the key as described.")
    ConfigRemark "config-remark" Note
        ("配置里有值得留意的地方，目前不影响运行。", "Something in the configuration looks wrong but is harmless so far.")
        ("看一遍提示，确认这是你想要的。", "Read the remark and make sure that it is intended.")
    NotAsked "not-asked" Note
        ("配置有错误，服务无法用它启动，所以没有向任何渠道提问。", "The functions do not start with this configuration, so no provider was asked.")
        ("改好错误后再运行一次。", "Fix the faults and run it again.")
    ValueMissing "value-missing" Error
        ("必填的键没有填写。", "A key that must be there is missing.")
        ("到渠道后台取得该值并填入。", "Take the value from the provider's console and put it in.")
    Placeholder "placeholder" Error
        ("这里还是示例里的占位文字或公开的示例密钥。", "This is still a placeholder or a published sample key.")
        ("换成你自己的值。", "Put your own value in its place.")
    KeyMisspelt "key-misspelt" Error
        ("键名拼写有误，没有人会读取它。", "The key's name is misspelt, and nothing reads it.")
        ("改成提示中的名字。", "Use the name given in the message.")
    WrongLength "wrong-length" Error
        ("长度不对，多半是填成了另一把密钥（例如把 APIv2 密钥或 AppSecret 填到了 v3Key）。", "The length is wrong; most likely another key was entered (such as an APIv2 key or an AppSecret in the place of v3Key).")
        ("重新复制正确的密钥，注意首尾空格。", "Copy the right key again, without spaces around it.")
    OwnKeyInProvidersPlace "own-key-in-providers-place" Error
        ("应当填渠道公钥的地方填了你自己的公钥。", "Your own public key is in the place of the provider's.")
        ("填入渠道后台显示的渠道公钥，而不是你上传的应用公钥。", "Put in the provider's public key that its console shows, not the one that you uploaded.")
    OwnKeyMismatch "own-key-mismatch" Error
        ("私钥与证书不是一对。", "The private key and the certificate are not a pair.")
        ("使用申请该证书时生成的私钥，或用手上的私钥重新申请证书。", "Use the private key that the certificate was requested with, or request a new certificate with the key that you have.")
    OwnKeyDamaged "own-key-damaged" Error
        ("私钥内部的数互不相符，用它什么也签不了。", "The private key is damaged; nothing can be signed with it.")
        ("从备份或原始文件重新复制私钥。", "Copy the key again from its original file.")
    CertificateEnded "certificate-ended" Error
        ("证书已过期。", "The certificate has expired.")
        ("在渠道后台换发新证书，把证书和私钥一起替换。", "Have a new certificate issued in the provider's console, and replace certificate and key together.")
    CertificateEndsSoon "certificate-ends-soon" Warning
        ("证书在 30 天内到期，届时渠道会拒绝所有请求。", "The certificate expires within 30 days; after that the provider refuses every request.")
        ("尽早在渠道后台换发，新旧证书可以并存一段时间。", "Have its successor issued in the provider's console in time; both are taken for a while.")
    NotifyUrlOldSystem "notify-url-old-system" Warning
        ("notifyUrl 仍指向原来的 uniCloud 系统，渠道的回调会发到那里。", "notifyUrl still points at the old system on uniCloud, and providers send their callbacks there.")
        ("删掉 notifyUrl，或改成新系统的域名。", "Leave notifyUrl out, or write the new system's domain.")
    MerchantDocumentUnreadable "merchant-document-unreadable" Error
        ("该商户的独立配置文档读取不到。", "The merchant's own document cannot be read.")
        ("检查 merchantDocuments.from 下的名字和读取权限。", "See that it is there below merchantDocuments.from and may be read.")
    AppUnknown "app-unknown" Error
        ("渠道没有这个应用：appId 写错了，或者正式与沙箱环境混用。", "The provider has no such application: appId is wrong, or production and sandbox are mixed up.")
        ("核对 appId，并确认 sandbox、apiBase 与它属于同一环境。", "Compare appId, and see that sandbox and apiBase are of the same environment.")
    AppOffline "app-offline" Error
        ("应用尚未上线或已下线。", "The application is not online yet, or no longer.")
        ("在开放平台提交审核并上线。", "Submit it for review in the open platform and put it online.")
    AppNotBound "app-not-bound" Error
        ("appId 没有与该商户号绑定。", "appId is not bound to the merchant number.")
        ("在商户平台关联该 AppID，并在应用一侧确认授权；或改用已绑定的 appId、mchId。", "Bind the AppID in the merchant platform and confirm it in the application's console, or use an appId and mchId that are bound.")
    AppSecretWrong "app-secret-wrong" Error
        ("AppSecret 不是该应用当前的密钥，可能已被重置。", "The AppSecret is not the application's present one; it may have been reset.")
        ("复制当前的 AppSecret；重置会让旧值立即失效，其他系统要同步更新。", "Copy the present AppSecret. A reset ends the old one at once, so other systems need the new one too.")
    MerchantUnknown "merchant-unknown" Error
        ("渠道没有这个商户号。", "The provider has no such merchant number.")
        ("核对 mchId，不要多空格或少位数。", "Compare mchId, digit by digit.")
    OwnKeyRefused "own-key-refused" Error
        ("请求签名验证失败：私钥与你在渠道登记的公钥或证书不是一对。", "The signature is refused: the private key does not belong to the public key or certificate that the provider has of you.")
        ("换成与登记公钥成对的私钥，或用现有私钥导出公钥重新上传。", "Put in the private key of the registered pair, or upload the public half of the key that you have.")
    OwnKeyNotRegistered "own-key-not-registered" Error
        ("渠道那里还没有你的公钥，或加签方式是证书而这里是公钥（或相反）。", "The provider has no public key of yours yet, or it is set to certificates while this node is in key mode, or the other way round.")
        ("在后台上传应用公钥，或按后台的加签方式配置。", "Upload your public key, or configure the node by the console's signing method.")
    OwnCertificateRefused "own-certificate-refused" Error
        ("渠道不接受这张商户证书：它属于另一个商户，或已被更换、吊销、过期。", "The provider does not take this certificate: it is another merchant's, or was replaced, revoked or is over.")
        ("换成后台显示的当前证书和与它成对的私钥，并核对商户号。", "Put in the certificate that the console shows as current, with its key, and compare the merchant number.")
    SharedKeyWrong "shared-key-wrong" Error
        ("双方约定的密钥不一致，渠道说签名错误。", "The key that both sides know differs: the provider calls the signature wrong.")
        ("复制后台当前的密钥；如果后台无法查看，就重新设置并同步到所有系统。", "Copy the present key; where the console does not show it, set a new one and bring it to all systems.")
    DecryptionKeyWrong "decryption-key-wrong" Error
        ("渠道加密的内容用这把 APIv3 密钥解不开，支付回调也会解不开。", "What the provider encrypts does not open with this APIv3 key; neither will payment callbacks.")
        ("填入该商户号自己的 APIv3 密钥；忘记了就在后台重设。", "Put in the APIv3 key of this very merchant number; set a new one if it is lost.")
    DecryptionKeyNotSet "decryption-key-not-set" Error
        ("商户平台还没有设置 APIv3 密钥，微信支付不会发送回调。", "No APIv3 key is set in the merchant platform; WeChat Pay sends no callbacks without it.")
        ("在商户平台设置 APIv3 密钥并填到这里。", "Set an APIv3 key in the merchant platform and put it here.")
    ContentKeyWrong "content-key-wrong" Error
        ("内容加密密钥与渠道的不一致。", "The key of content encryption is not the provider's.")
        ("复制后台“接口内容加密方式”中的 AES 密钥；没有启用就删掉 encryptKey。", "Copy the AES key of content encryption from the console; leave encryptKey out if it is not switched on.")
    ProviderKeyWrong "provider-key-wrong" Error
        ("应答的签名用这里的渠道公钥验证不过：公钥不是渠道的，或属于另一个商户、应用。", "Answers do not verify with the provider's key here: it is not the provider's, or that of another merchant or application.")
        ("从后台重新复制渠道公钥（不是应用公钥、不是商户证书）。", "Copy the provider's public key again from the console (not your own key, not your certificate).")
    ProviderKeyIdWrong "provider-key-id-wrong" Error
        ("公钥 ID 不是该商户的微信支付公钥 ID。", "The key's id is not that of this merchant's WeChat Pay public key.")
        ("把公钥和公钥 ID 一起从同一个商户的后台复制。", "Copy key and id together from the console of the same merchant.")
    ProviderKeyMissing "provider-key-missing" Error
        ("该商户没有平台证书，只能用微信支付公钥验签，而这里没有配置公钥。", "The merchant has no platform certificates, so answers are verified with the WeChat Pay public key, which is not configured.")
        ("填写 wxpayPublicKeyContent 和 wxpayPublicKeyId。", "Put in wxpayPublicKeyContent and wxpayPublicKeyId.")
    ProviderCertificateOutdated "provider-certificate-outdated" Error
        ("渠道当前使用的证书不是这里配置的这张：它已轮换，或属于另一个应用。", "The provider signs with another certificate than the one here: it was rotated, or this is another application's.")
        ("从后台重新下载支付宝公钥证书（alipayCertPublicKey_RSA2.crt）。", "Download Alipay's certificate (alipayCertPublicKey_RSA2.crt) again from the console.")
    RootCertificateWrong "root-certificate-wrong" Error
        ("根证书不是渠道当前的根证书。", "The root certificate is not the provider's present one.")
        ("从后台重新下载支付宝根证书（alipayRootCert.crt），整个文件原样填入。", "Download Alipay's roots (alipayRootCert.crt) again and put the whole file in as it is.")
    AuthorizationVoid "authorization-void" Error
        ("商户给服务商的授权令牌无效或已过期。", "The token by which a merchant lets a service provider act is void or over.")
        ("让商户重新授权，换成新的 appAuthToken。", "Have the merchant authorise again, and put in the new appAuthToken.")
    ProductNotEnabled "product-not-enabled" Error
        ("该应用或商户没有开通这个产品。", "The product is not enabled for the application or merchant.")
        ("在后台签约并开通对应的支付产品，生效后再试。", "Sign up for the payment product in the console, and try again when it is in force.")
    ProductRefused "product-refused" Warning
        ("微信支付拒绝该商户的 JSAPI 下单：产品没有开通；若你是服务商，以自己的商户号下单本来就会被拒绝。", "WeChat Pay refuses JSAPI orders of this merchant: the product is not enabled. A service provider's own number is refused in any case.")
        ("在产品中心开通 JSAPI 支付；服务商可以忽略。", "Enable JSAPI payment in the product centre; a service provider may ignore this.")
    AddressNotAllowed "address-not-allowed" Error
        ("渠道拒绝来自本机出口地址的请求（IP 白名单），地址见渠道的原话。", "The provider refuses requests from this machine's egress address (an IP allow-list); its words name the address.")
        ("把生产环境的出口地址（NAT 网关的弹性 IP）加入白名单；在本机检查时也要加入本机的。", "Put the egress address of production (the NAT gateway's elastic IP) on the list, and this machine's to check from here.")
    ClockSkew "clock-skew" Error
        ("本机时间与渠道相差超过 5 分钟，签名会因此被拒绝。", "This machine's clock and the providers' differ by more than 5 minutes; signatures are refused for that.")
        ("打开时间同步（NTP、chrony）。Lambda 的时间由 AWS 保证。", "Switch on time synchronisation (NTP, chrony). On Lambda AWS keeps the time.")
    ClockDrift "clock-drift" Warning
        ("本机时间与渠道相差超过 1 分钟。", "This machine's clock and the providers' differ by more than a minute.")
        ("打开时间同步（NTP、chrony）。", "Switch on time synchronisation (NTP, chrony).")
    StoreKeyRefused "store-key-refused" Error
        ("应用商店不接受这把服务端密钥：issuerId、keyId、私钥与应用（bundleId、appId）不是一套，或密钥已吊销；商店不说是哪一个。", "The store does not take this key: issuerId, keyId, private key and application (bundleId, appId) do not belong together, or the key was revoked. The store does not say which.")
        ("从同一页重新复制 issuerId、keyId，并使用下载该密钥时的 .p8 文件；核对应用标识。", "Copy issuerId and keyId again from one page, use the .p8 file of that very key, and compare the application's id.")
    AppNotInStore "app-not-in-store" Warning
        ("密钥只在沙箱环境被接受：应用还没有上架。", "The key is taken in the store's sandbox only: the app is not in the store yet.")
        ("上架后再检查一次；测试期间设置 sandbox: true。", "Check again when it is in the store; set sandbox: true for the time of testing.")
    RateLimited "rate-limited" Warning
        ("渠道说调用过于频繁，没有检查出结果。", "The provider reports too many calls, so nothing could be checked.")
        ("过几分钟再运行一次。", "Run it again in a few minutes.")
    ProviderUnwell "provider-unwell" Warning
        ("渠道回答了系统错误，没有检查出结果。", "The provider answered with a system error, so nothing could be checked.")
        ("稍后再运行；若一直如此，核对 apiBase 是否指向真正的网关。", "Run it again later; if the error persists, check that apiBase is really the gateway.")
    NotUnderstood "not-understood" Warning
        ("收到的不是该渠道协议的应答，或是没有记载的错误，没有检查出结果。", "The answer does not follow the provider's protocol, or an error that is not documented, so nothing could be checked.")
        ("看渠道的原话；核对 apiBase 是否指向该渠道的网关。", "Read the provider's message, and check that apiBase is the gateway of this provider.")
    NoAnswer "no-answer" Error
        ("连上了，但在时限内没有得到完整应答。", "A connection was made, and no whole answer came in time.")
        ("检查出口网络、代理和防火墙，再运行一次。", "Look at egress, proxies and firewalls, and run it again.")
    HostUnknown "host-unknown" Error
        ("主机名解析不到地址。", "The host's name has no address.")
        ("核对域名；在 VPC 中检查 DNS 设置。", "Compare the name; in a VPC look at its DNS.")
    HostUnreachable "host-unreachable" Error
        ("连接不上主机：端口没有开放，或出口网络不通。", "No connection to the host: the port is closed, or there is no outgoing route.")
        ("检查安全组、NAT 网关和防火墙。", "Look at security groups, the NAT gateway and firewalls.")
    TlsUntrusted "tls-untrusted" Error
        ("证书不是受信任的机构签发的，例如自签名或缺少中间证书。", "The certificate is not issued by a trusted authority: self-signed, or its intermediate is missing.")
        ("使用受信任机构的证书并配好完整的证书链。", "Use a certificate of a trusted authority, with the whole chain.")
    TlsExpired "tls-expired" Error
        ("网站证书已过期。", "The host's certificate has expired.")
        ("续期该域名的证书。", "Renew the certificate of the domain.")
    TlsWrongHost "tls-wrong-host" Error
        ("网站证书不是为这个域名签发的。", "The host's certificate is for another name.")
        ("核对域名，或为它签发证书。", "Compare the domain, or have a certificate issued for it.")
    TlsFailed "tls-failed" Error
        ("TLS 握手失败：对方说的不是 TLS，或版本过低。", "The TLS handshake failed: the other side does not speak TLS, or only an outdated version.")
        ("核对地址和端口，至少支持 TLS 1.2。", "Compare address and port; TLS 1.2 is the minimum.")
    NotifyUrlNotGiven "notify-url-not-given" Note
        ("没有 notifyUrl，回调用函数自己的地址，无法在这里检查。", "There is no notifyUrl: callbacks use the function's own URL, which cannot be looked at from here.")
        ("部署后用 --notify-url 带上输出中的 NotifyUrl 再检查一次。", "After deploying, check again with --notify-url and the output NotifyUrl.")
    NotifyUrlInsecure "notify-url-insecure" Error
        ("回调地址不是 https，渠道会拒绝它。", "The callback address is not https; providers refuse it.")
        ("换成 https 地址。", "Use an https address.")
    NotifyUrlPrivate "notify-url-private" Error
        ("回调地址是本机或内网地址，渠道访问不到。", "The callback address is of this machine or a private network; providers cannot reach it.")
        ("换成公网 https 地址；本地调试可以用内网穿透。", "Use a public https address; a tunnel will do for testing.")
    NotifyUrlNotFound "notify-url-not-found" Error
        ("回调地址回答 404：路径不对，或 notify 函数不在那里。", "The callback address answers 404: its path is wrong, or the notify function is not there.")
        ("notifyUrl 填到 /pay-notify 之前为止，核对前缀和路由。", "notifyUrl ends before /pay-notify; compare prefix and routes.")
    NotifyUrlNotOurs "notify-url-not-ours" Error
        ("回调地址有应答，但不是本系统的应答：指向了别的网站、旧系统或网页。", "The callback address answers, but not as this system does: it leads to another site, an old system, or a page.")
        ("把 notifyUrl 指向 notify 函数。", "Point notifyUrl at the notify function.")
    NotifyUrlRedirects "notify-url-redirects" Error
        ("回调地址回答跳转，渠道不会跟随。", "The callback address answers with a redirect, which providers do not follow.")
        ("直接填写跳转后的地址。", "Write the address that it leads to.")
    NotifyUrlForbidden "notify-url-forbidden" Error
        ("回调地址拒绝访问：函数 URL 要求 IAM 签名，或防火墙（WAF）拦下了请求。", "The callback address refuses access: the Function URL wants IAM signatures, or a firewall (WAF) stopped the request.")
        ("notify 的函数 URL 用 AuthType NONE，并放行渠道的请求。", "The Function URL of notify has AuthType NONE; let providers through.")
    NotifyUrlUnwell "notify-url-unwell" Error
        ("notify 函数回答 5xx，回调处理不了。", "The notify function answers 5xx; callbacks are not processed.")
        ("看 notify 函数的日志。", "Read the log of the notify function.")
    TableMissing "table-missing" Error
        ("该区域和账号下没有这张表。", "The table is not there in this region and account.")
        ("核对 --table、--region 和凭证；或先部署。", "Compare --table, --region and credentials, or deploy first.")
    TableNotReady "table-not-ready" Warning
        ("表正在创建、修改或删除。", "The table is being created, changed or deleted.")
        ("等它变为 ACTIVE。", "Wait until it is ACTIVE.")
    TableKeysWrong "table-keys-wrong" Error
        ("表的主键不是 pk、sk，这不是订单表。", "The table's keys are not pk and sk: it is not an orders table.")
        ("换成本系统建的表；主键无法修改，只能重建。", "Use a table that this system made; keys cannot be changed, only made anew.")
    IndexMissing "index-missing" Error
        ("缺少索引：listing 用于列表和对账，due 用于轮询补单。", "An index is missing: listing serves lists and bills, due the sweep of what is unfinished.")
        ("按 template.yaml 添加该索引。", "Add the index as template.yaml has it.")
    IndexKeysWrong "index-keys-wrong" Error
        ("索引的键不对，查询会失败。", "The index has other keys; queries of it fail.")
        ("删掉后按 template.yaml 重建。", "Delete it and make it as template.yaml has it.")
    IndexNotReady "index-not-ready" Warning
        ("索引还在回填，列表和补单暂时不全。", "The index is still being filled; lists and the sweep lack items meanwhile.")
        ("等它变为 ACTIVE。", "Wait until it is ACTIVE.")
    IndexProjection "index-projection" Note
        ("索引 due 投影了键以外的属性，每次写入都更贵。", "The index due holds more than its keys, which makes every write more expensive.")
        ("需要省钱时重建为 KEYS_ONLY。", "Recreate it as KEYS_ONLY to save cost.")
    StreamOff "stream-off" Error
        ("表没有打开数据流，dispatch 收不到任务：支付成功后的转发和通知会拖到定时任务才做。", "The table has no stream, so dispatch gets no tasks: what follows a payment waits for the schedule.")
        ("打开数据流，视图类型 NEW_AND_OLD_IMAGES。", "Switch its stream on with the view NEW_AND_OLD_IMAGES.")
    StreamViewWrong "stream-view-wrong" Error
        ("数据流的视图类型不对，dispatch 看不到它要的内容。", "The stream's view is another, and dispatch does not see what it needs.")
        ("关闭数据流后以 NEW_AND_OLD_IMAGES 重新打开，并更新事件源。", "Switch it off and on again with NEW_AND_OLD_IMAGES, and renew the event source.")
    TtlOff "ttl-off" Warning
        ("没有打开 TTL，支付参数和令牌之类的临时数据不会被清理。", "Time to live is off: pay parameters, tokens and the like are never cleaned away.")
        ("为属性 expire_at 打开 TTL。", "Switch it on for the attribute expire_at.")
    TtlAttributeWrong "ttl-attribute-wrong" Warning
        ("TTL 用的是另一个属性。", "Time to live uses another attribute.")
        ("改成 expire_at。", "Set it to expire_at.")
    RecoveryOff "recovery-off" Note
        ("没有打开时间点恢复，误删后无法找回。", "Point-in-time recovery is off; what is deleted by mistake is lost.")
        ("生产环境建议打开 PointInTimeRecovery。", "Switch it on in production.")
    AccessDenied "access-denied" Warning
        ("凭证没有这项权限，这一部分没有检查。", "The credentials lack this right, so this part was not looked at.")
        ("给运行检查的身份加上该只读操作。", "Give the read action to whoever runs the check.")
    TableUnreachable "table-unreachable" Error
        ("DynamoDB 没有应答，或凭证无效。", "DynamoDB does not answer, or the credentials are void.")
        ("检查网络、区域和凭证。", "Look at network, region and credentials.")
}

impl From<Trouble> for Code {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::AppUnknown => Self::AppUnknown,
            Trouble::AppOffline => Self::AppOffline,
            Trouble::AppNotBound => Self::AppNotBound,
            Trouble::AppSecretWrong => Self::AppSecretWrong,
            Trouble::MerchantUnknown => Self::MerchantUnknown,
            Trouble::OwnKeyRefused => Self::OwnKeyRefused,
            Trouble::OwnKeyNotRegistered => Self::OwnKeyNotRegistered,
            Trouble::OwnCertificateRefused => Self::OwnCertificateRefused,
            Trouble::SharedKeyWrong => Self::SharedKeyWrong,
            Trouble::DecryptionKeyWrong => Self::DecryptionKeyWrong,
            Trouble::DecryptionKeyNotSet => Self::DecryptionKeyNotSet,
            Trouble::ContentKeyWrong => Self::ContentKeyWrong,
            Trouble::ProviderKeyWrong => Self::ProviderKeyWrong,
            Trouble::ProviderKeyIdWrong => Self::ProviderKeyIdWrong,
            Trouble::ProviderKeyMissing => Self::ProviderKeyMissing,
            Trouble::ProviderCertificateOutdated => Self::ProviderCertificateOutdated,
            Trouble::RootCertificateWrong => Self::RootCertificateWrong,
            Trouble::AuthorizationVoid => Self::AuthorizationVoid,
            Trouble::ProductNotEnabled => Self::ProductNotEnabled,
            Trouble::ProductRefused => Self::ProductRefused,
            Trouble::AddressNotAllowed => Self::AddressNotAllowed,
            Trouble::ClockSkew => Self::ClockSkew,
            Trouble::StoreKeyRefused => Self::StoreKeyRefused,
            Trouble::AppNotInStore => Self::AppNotInStore,
            Trouble::RateLimited => Self::RateLimited,
            Trouble::ProviderUnwell => Self::ProviderUnwell,
            Trouble::NoAnswer => Self::NoAnswer,
            Trouble::NotUnderstood => Self::NotUnderstood,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Row};
    use std::collections::BTreeSet;

    /// The table of a page, as the codes have it.
    fn table(head: &str, texts: impl Fn(&Row) -> [String; 2]) -> String {
        let rows = Code::ALL.iter().map(|code| {
            let row = code.row();
            let [cause, remedy] = texts(&row);
            format!("| `{}` | {} | {cause} | {remedy} |\n", row.code, row.severity.name())
        });
        format!("{head}\n|---|---|---|---|\n{}", rows.collect::<String>())
    }

    #[test]
    fn the_pages_have_every_code_with_its_texts() {
        let english =
            table("| code | severity | cause | remedy |", |row| [row.cause.1, row.remedy.1].map(str::to_owned));
        let chinese =
            table("| 代码 | 级别 | 原因 | 处理 |", |row| [row.cause.0, row.remedy.0].map(str::to_owned));
        for (page, table) in [("doctor.md", english), ("doctor.zh-CN.md", chinese)] {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
            let text = std::fs::read_to_string(path).expect("a page");
            assert!(text.contains(&table), "docs/{page} lacks this table:\n{table}");
        }
    }

    #[test]
    fn a_code_is_one_word_and_stands_for_one_thing() {
        let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.row().code).collect();
        assert_eq!(codes.len(), Code::ALL.len());
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }
}
