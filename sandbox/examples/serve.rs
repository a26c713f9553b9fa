//! `cargo run -p sandbox --example serve -- 127.0.0.1:8900 [keys.json]`: a sandbox with one merchant, for clients in
//! other languages. The keys are made on the first run and kept in the file, if one is named.

use sandbox::{MerchantKeys, Options, Sandbox};
use std::error::Error;
use std::io::Write;
use std::path::Path;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:8900".to_owned());
    let keys = match args.next() {
        Some(file) if Path::new(&file).exists() => serde_json::from_slice(&std::fs::read(file)?)?,
        file => {
            let keys = MerchantKeys::generate("default");
            if let Some(file) = file {
                std::fs::write(file, serde_json::to_vec_pretty(&keys)?)?;
            }
            keys
        }
    };
    let sandbox = Sandbox::new(Options { retry_divisor: 10, ..Options::default() });
    sandbox.register(&keys);
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let config = keys.config(&format!("http://{}", listener.local_addr()?));
    writeln!(std::io::stdout(), "{config}")?;
    axum::serve(listener, sandbox.router()).await?;
    Ok(())
}
