//! The providers by name: [`providers!`] takes the list, and makes of it the sections of a merchant, the node of a
//! gateway, and the way from either to the [`Driver`](crate::driver::Driver). Nothing else names them all.

/// `providers! { ($) Wxpay => wxpay::WxpayNode, … }`: the variant of [`domain::Provider`], the module, its node.
/// The first token is a dollar sign, for the macros that this one makes.
macro_rules! providers {
    (($d:tt) $($variant:ident => $module:ident::$node:ident,)*) => {
        /// The sections of one merchant.
        pub struct Merchant {
            /// `default`, or the key below `merchants`.
            pub id: String,
            $(
                #[doc = concat!("The nodes of `", stringify!($module), "`.")]
                pub $module: config::Nodes<$module::$node>,
            )*
            /// `alipayAppPayToH5Pay`: an app is given a QR code where it would be given parameters for its own SDK.
            pub app_to_qr: bool,
            /// `request`: what of the providers' further calls may be made ([`crate::AllowList`]).
            pub requests: $crate::AllowList,
            /// When the first certificate of a merchant with a document of its own ends; of the others the
            /// configuration knows.
            pub certificate_end: Option<domain::UnixMs>,
        }

        /// What the sections of all providers look like.
        pub const SECTIONS: &[config::Section] = &[$(<$module::$node as Driver>::SECTION),*];

        impl config::Sections for Merchant {
            fn read(id: &str, sections: &config::Reader<'_>) -> Self {
                Self {
                    id: id.to_owned(),
                    $($module: config::read_nodes(
                        sections,
                        &<$module::$node as Driver>::SECTION,
                        SECTIONS,
                        <$module::$node as Driver>::read_config,
                    ),)*
                    requests: $crate::AllowList::read(sections),
                    app_to_qr: sections.flag("alipayAppPayToH5Pay").unwrap_or(false),
                    certificate_end: None,
                }
            }
        }

        impl Merchant {
            /// The nodes that it has at a provider, by their names; one without a name where all clients share it.
            pub fn nodes(&self, provider: Provider) -> Vec<&str> {
                match provider {
                    $(Provider::$variant => self.$module.keys().map(String::as_str).collect(),)*
                }
            }

            /// The providers that it has nodes at.
            pub fn providers(&self) -> Vec<Provider> {
                Provider::ALL.into_iter().filter(|provider| !self.nodes(*provider).is_empty()).collect()
            }
        }

        /// A node of some provider.
        #[derive(Clone)]
        pub(crate) enum Node {
            $($variant(std::sync::Arc<$module::$node>),)*
        }

        impl Node {
            /// A merchant's node, if the configuration has it. A section without nodes has one for all clients.
            pub(crate) fn find(merchant: &Merchant, provider: Provider, name: &str) -> Option<Self> {
                match provider {
                    $(Provider::$variant => {
                        let name = if <$module::$node as Driver>::SECTION.is_flat() { "" } else { name };
                        merchant.$module.get(name).cloned().map(Self::$variant)
                    })*
                }
            }

            /// The names of a merchant's nodes of a provider.
            pub(crate) fn names(merchant: &Merchant, provider: Provider) -> Vec<String> {
                match provider {
                    $(Provider::$variant => merchant.$module.keys().cloned().collect(),)*
                }
            }

            /// Whose it is.
            pub(crate) const fn provider(&self) -> Provider {
                match self {
                    $(Self::$variant(_) => Provider::$variant,)*
                }
            }
        }

        $(
            impl From<std::sync::Arc<$module::$node>> for Node {
                fn from(node: std::sync::Arc<$module::$node>) -> Self {
                    Self::$variant(node)
                }
            }
        )*

        /// An expression on the driver in a [`Node`].
        macro_rules! on_node {
            ($d node:expr, $d driver:ident => $d call:expr) => {
                match $d node {
                    $($crate::Node::$variant($d driver) => $d call,)*
                }
            };
        }

        /// An expression on the driver of a provider, by its type.
        macro_rules! on_provider {
            ($d provider:expr, $d driver:ident => $d call:expr) => {
                match $d provider {
                    $(domain::Provider::$variant => {
                        type $d driver = $crate::$module::$node;
                        $d call
                    })*
                }
            };
        }
    };
}
