//! The console by itself, on a table that no stack of this process keeps: a deployment's, or that of a stack elsewhere on
//! this machine.

use crate::client::Functions;
use crate::console::{self, Console, Rights};
use crate::guard::{self, Guard};
use crate::stack::StartError;
use crate::target::{Place, Target};
use axum::middleware::from_fn_with_state;
use shared::app::system_clock;
use shared::store::ListedAccount;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How the console is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleOptions {
    /// Port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// Whether its forms change anything; otherwise none is taken.
    pub write: bool,
    /// Whose payments are listed.
    pub accounts: Vec<ListedAccount>,
}

/// A console while it is served.
pub struct Served {
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Serves the console of a target on loopback, and answers when it is.
///
/// # Errors
/// When the port cannot be had.
pub async fn serve_console(target: Target, options: ConsoleOptions) -> Result<Served, StartError> {
    let taken = |error| StartError::Port { port: options.port, error };
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await.map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    let guard = Arc::new(Guard::new(address));
    let (table, rights) = rights(&target, options.write);
    let functions: Functions = target.functions;
    let console = Console {
        store: target.store,
        dynamodb: target.dynamodb,
        table,
        clock: system_clock(),
        calls: Arc::new(functions),
        accounts: options.accounts,
        rights,
        guard: guard.clone(),
        journal: Arc::default(),
        local: None,
        wishes: Default::default(),
        totals: Arc::default(),
    };
    let pages = console::router(Arc::new(console))
        .layer(from_fn_with_state(guard.clone(), guard::pages))
        .layer(from_fn_with_state(guard, guard::host));
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        let ended = async move {
            let _ = stopped.await;
        };
        if let Err(error) = axum::serve(listener, pages).with_graceful_shutdown(ended).await {
            tracing::error!("the console ended: {error}");
        }
    });
    Ok(Served { url: format!("http://{address}"), stop, task })
}

/// The table's name, and what may be done: money is real wherever providers are not simulated.
fn rights(target: &Target, write: bool) -> (String, Rights) {
    let (table, real_money, of) = match &target.place {
        Place::Local { url, simulated } => (crate::dynamo::TABLE.to_owned(), !simulated, url.clone()),
        Place::Aws { account, region, table } => {
            let account = account.as_deref().unwrap_or("?");
            (table.clone(), true, format!("AWS {account} {region} {table}"))
        }
    };
    (table, Rights { write, real_money, of })
}

impl Served {
    /// Ends it.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.task.abort();
        let _ = self.task.await;
    }
}
