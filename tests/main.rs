//! What must be true from outside, as one test binary; modules by intent.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "a test fails by unwrapping, reads from top to bottom, and is seen by nobody"
)]

mod abnormal_refunds;
mod actions;
mod addressees;
mod alarms;
mod announcements;
mod anyone;
mod apple_answers;
mod apple_family;
mod apple_notices;
mod apple_purchases;
mod apple_restored;
mod authorizations;
mod bills;
mod binaries_auth;
mod binaries_flow;
mod binaries_kill;
mod binaries_kit;
mod citations;
mod complaint_notices;
mod complaints;
mod config_faults;
mod config_forms;
mod contract_kit;
mod crypto;
mod days;
mod declared_fields;
mod deploy;
mod docs;
mod douyin_open;
mod emulator;
mod envelope;
mod epay_links;
mod events;
mod faults_handlers;
mod faults_table;
mod first_call;
mod flow;
mod forgeries;
mod forwarded;
mod goods_shards;
mod hostile;
mod hostile_notices;
mod huawei_events;
mod incidents;
mod incidents_payment;
mod ingress;
mod judges;
mod judges_operations;
mod judges_stores;
mod layers;
mod login;
mod merchant_documents;
mod methods;
mod metrics;
mod missing_key;
mod mtls;
mod numbers;
mod one_payment;
mod openapi_examples;
mod orders;
mod pay_codes;
mod payee;
mod provider_doubts;
mod provider_watch;
mod providers_config;
mod providers_flow;
mod queues;
mod quotes;
mod raw_requests;
mod reconcile;
mod refunds;
mod refunds_told;
mod release;
mod rights;
mod rsa_judge;
mod secrets;
mod sharing;
mod sharing_alipay;
mod shipping;
mod signed_text;
mod sources;
mod start;
mod taken_back;
mod transfers;
mod transfers_address;
mod transfers_ends;
mod undelivered;
mod web_client;
mod world;

// The kit of the driver's own tests: a server in WeChat Pay's place.
#[allow(dead_code, reason = "the rest of it is for the driver's own tests")]
#[path = "../shared/providers/tests/it/wxpay_kit.rs"]
mod wxpay_kit;
